"""What a person, delivery or licence left in the lake, and the record of taking it out."""
