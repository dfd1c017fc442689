"""What is done to a delivery: one file a station, composed of the rooms above.

Belongs here: pure functions over record batches that run on either engine, and the drivers that commit what they made.
Does not belong here: how DICOM is read (`imaging`), what may leave (`deid`), Dagster (`assets`).
"""
