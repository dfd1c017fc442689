"""Whether files are still what they were: what is watched, the scrub, backups, and copies to restore from."""
