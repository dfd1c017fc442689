"""The verbs of `larmor`, one a file, each with a `command`.

Belongs here: options, what is printed, the next step. Does not belong here: the work.
"""
