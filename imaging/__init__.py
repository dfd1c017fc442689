"""What a DICOM series means: parsing, grouping, geometry, classification, normalization, phantoms, NIfTI.

Belongs here: everything from the bytes of an image to a normalized volume and back. Does not belong here: where things
are kept (`lake`), what may leave (`deid`), or anything of Delta or Dagster.
"""
