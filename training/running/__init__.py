"""How steps run: processes, Lightning, resuming, what is measured on the way."""
