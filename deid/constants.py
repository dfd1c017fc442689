"""Who wrote the output, as DICOM wants to know it.

Belongs here: the two names of this implementation (PS3.7 D.3.3.2). They are the same in every file.
"""

IMPLEMENTATION_UID = "2.25.272386124217061229304373120637917431207"
"""A UUID drawn once for this project (PS3.5 B.2)."""

IMPLEMENTATION_VERSION = "LARMOR"
