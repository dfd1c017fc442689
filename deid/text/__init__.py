"""Free text: which words may leave, and what in a text points to a person."""
