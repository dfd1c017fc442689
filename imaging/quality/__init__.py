"""How good an image is, in measures that others publish: in space, from slice to slice, and over time."""
