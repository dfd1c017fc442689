"""The second look at what de-identification put out: identifiers, readable text, names around the data, canaries."""
