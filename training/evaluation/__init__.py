"""What a model is worth: predictions, scores, intervals, pages."""
