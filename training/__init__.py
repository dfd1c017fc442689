"""What is learned: data, model, objectives, tasks, evaluation and inference.

Belongs here: from a frozen release to a checkpoint, its evaluation and its predictions. Does not belong here: DICOM,
Dagster, or the record of who was exposed (`lineage` keeps it; this room says exactly what was served).

Example:
    >>> from training.checkpoint import load  # doctest: +SKIP
    >>> checkpoint = load(Path("larmor-data/models/brain-tiny"))  # doctest: +SKIP
"""
