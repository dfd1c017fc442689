"""What pre-training learns, one file an objective."""
