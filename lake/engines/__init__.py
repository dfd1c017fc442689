"""Engines: what runs the work of a stage, and what carries out operations on whole tables.

Belongs here: the contract of an engine, the local one and Spark's, and what Spark needs to start. Callers use
`lake.engines.engine`.
"""
