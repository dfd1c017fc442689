"""Proof that de-identification holds: a second look at the output, canaries, and a certificate a series."""
