"""The rooms of this project, from the one that knows no other to the one that knows all.

Belongs here: their names and order, for code that must tell ours from a library's. Needs nothing, so that the command
line may ask it before anything is loaded; import-linter holds the rooms to the order.
"""

ROOMS = ("schemas", "lake", "lineage", "imaging", "deid", "stages", "training", "assets", "orchestration")
"""Import packages; each may import those before it."""
