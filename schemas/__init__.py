"""What things are: table contracts, delivery manifests, terms, policies, releases and checkpoints, all validated.

Belongs here: declarations that every other room may read. Does not belong here: where things lie (`lake`), what
happened to them (`lineage`), or any code that reads DICOM, torch or Dagster.
"""
