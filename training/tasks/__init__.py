"""What fine-tuning learns, one file a task."""
