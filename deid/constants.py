"""Who wrote the output, as DICOM wants to know it, and which UIDs are the standard's own.

Belongs here: the two names of this implementation (PS3.7 D.3.3.2), the same in every file, and a list of UIDs.
"""

from pydicom.uid import UID_dictionary

IMPLEMENTATION_UID = "2.25.272386124217061229304373120637917431207"
"""A UUID drawn once for this project (PS3.5 B.2)."""

IMPLEMENTATION_VERSION = "LARMOR"

STANDARD_UIDS = frozenset(UID_dictionary) | {"1.2.840.10008.5.1.4.1.1.66.7"}
"""UIDs that the standard gives a meaning (PS3.6 A), with Label Map Segmentation Storage, which is newer than the
installed dictionary."""
