"""Voxels in the table: the payload, where each lies, and volumes as arrays, crops, views and data sets."""
