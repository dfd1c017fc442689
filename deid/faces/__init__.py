"""Faces in head volumes: found, judged, and taken away."""
