"""NIfTI in and out, and the sidecars beside it."""
