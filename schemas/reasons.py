"""Why something is held back: the closed list of quarantine reasons, each with what to do about it.

Belongs here: reasons and remedies, never values from files. The rows are `schemas.tables.QUARANTINE`.
"""

from enum import StrEnum


class Reason(StrEnum):
    """A typed reason for quarantine; `remedy` tells a person what to do."""

    UNREADABLE = "unreadable"
    TRUNCATED = "truncated"
    NOT_AN_IMAGE = "not_an_image"
    NOT_MR = "not_mr"
    DOCUMENT_NOT_CLEANABLE = "document_not_cleanable"
    MISSING_IDENTITY = "missing_identity"
    CONFLICTING_DUPLICATE = "conflicting_duplicate"
    UNEXPECTED_FILE = "unexpected_file"
    CHECKSUM_MISMATCH = "checksum_mismatch"
    BURNED_IN_SUSPECTED = "burned_in_suspected"
    FACE_SHOWN = "face_shown"
    HEADER_INVALID = "header_invalid"
    UNSUPPORTED = "unsupported"
    GEOMETRY_INCONSISTENT = "geometry_inconsistent"
    PIXELS_INVALID = "pixels_invalid"
    LABEL_MISFIT = "label_misfit"
    LABEL_UNMATCHED = "label_unmatched"
    VALUE_UNDECLARED = "value_undeclared"
    TABLE_UNREADABLE = "table_unreadable"
    REPORT_UNREADABLE = "report_unreadable"
    WITHDRAWN = "withdrawn"

    @property
    def remedy(self) -> str:
        """What a person can do about it."""
        return _REMEDIES[self]


_REMEDIES = {
    Reason.UNREADABLE: "ask the licensor for the file again; it is neither DICOM nor NIfTI that can be parsed",
    Reason.TRUNCATED: "ask the licensor for the file again; it ends before its last element does",
    Reason.NOT_AN_IMAGE: "nothing to do if the object is not wanted; it carries no image",
    Reason.NOT_MR: "deliver MR images only, or ask for the modality to be supported",
    Reason.DOCUMENT_NOT_CLEANABLE: "deliver its text as a report file or structured report; here it cannot be cleaned",
    Reason.MISSING_IDENTITY: "ask the licensor for study, series and instance UIDs; without them nothing can be linked",
    Reason.CONFLICTING_DUPLICATE: "ask the licensor which version of the instance is right; both are held",
    Reason.UNEXPECTED_FILE: "remove the file, or list it as report or label in delivery.yaml",
    Reason.CHECKSUM_MISMATCH: "ask the licensor for the file again; its SHA-256 is not the delivered list's",
    Reason.BURNED_IN_SUSPECTED: "look at the pixels; text may be burned in that could not be blanked with certainty",
    Reason.FACE_SHOWN: "remove the face before delivery, or use a policy that an expert determined for these images",
    Reason.HEADER_INVALID: "ask the licensor for a valid file; a header element cannot be decoded",
    Reason.UNSUPPORTED: "wait for support of this kind of series, or deliver it as classic single-frame DICOM",
    Reason.GEOMETRY_INCONSISTENT: "check positions and orientations; the slices do not make one regular stack",
    Reason.PIXELS_INVALID: "ask the licensor for the file again; its pixel data do not match its header",
    Reason.LABEL_MISFIT: "deliver the label on the grid of an image of the same study",
    Reason.LABEL_UNMATCHED: "deliver the image that it is about, or correct its key, and run the delivery again",
    Reason.VALUE_UNDECLARED: "correct the value, or declare its level or range in delivery.yaml",
    Reason.TABLE_UNREADABLE: "deliver the table as UTF-8 CSV with the columns that delivery.yaml declares",
    Reason.REPORT_UNREADABLE: "deliver the report as UTF-8 text",
    Reason.WITHDRAWN: "delete the file where it came from; the person withdrew, and nothing of them is taken in again",
}
