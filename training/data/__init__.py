"""From a release to batches: order, windows, tokens, labels."""
