"""What fine-tuning learns, one file a task, and the names they go by.

Belongs here: names and places, nothing that takes torch to be told.
"""

from collections.abc import Mapping

TASKS: Mapping[str, str] = {
    "classification": "training.tasks.classification:Classification",
    "regions": "training.tasks.regions:RegionSegmentation",
    "regression": "training.tasks.regression:Regression",
    "restoration": "training.tasks.restoration:Restoration",
    "retrieval": "training.tasks.retrieval:Retrieval",
    "segmentation": "training.tasks.segmentation:Segmentation",
    "semi": "training.tasks.semi:SemiSupervised",
}
"""Name of each task to its class."""
