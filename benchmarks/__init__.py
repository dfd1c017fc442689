"""Measured claims, side by side with the peers, in one run: `make bench`.

Belongs here: what the documentation states as a number. Machines differ and are noisy: a claim is a ratio of medians.
"""
