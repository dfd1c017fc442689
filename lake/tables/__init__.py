"""Delta tables: their contract on disk, the one commit path, reading, changing, erasing and upkeep of rows."""
