"""What a training can be told, each field documented and checked, and the presets that ship.

A configuration is a document: strict, immutable, and known by its digest. What the fields do is in the modules that
read them.
"""
