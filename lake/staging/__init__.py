"""Copies of releases on fast local disk, and zones that are mounted as files: what a training reads instead of S3.

Belongs here: the cache (`lake.staging.cache`), copying into it (`lake.staging.copying`), staging a release
(`lake.staging.stage`), and the sources that readers get (`lake.staging.files`). A copy is never the truth: what is not
staged, or no longer, is read from the zone by byte ranges.
"""
