"""What is materialized: one file a noun, each asset calling one function of a room above and saying what it did.

Belongs here: what the catalogue says of an asset, and what assets need of Dagster. Does not belong here: the work.
"""
