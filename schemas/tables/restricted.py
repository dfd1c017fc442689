"""Tables of the restricted zone: what came, who it is, and what waits. They hold PHI and never leave."""

from schemas.contract import Column, Phi, Table, Zone
from schemas.tables.columns import DELIVERY, INSTANCE, INT, LICENCE, SERIES_ID, STRING, STUDY, SUBJECT, optional

RECEIVED = Table(
    "received",
    Zone.RESTRICTED,
    "Every file of a delivery as it came, with what became of it",
    (
        DELIVERY,
        Column("path", STRING, "Path inside the delivery", Phi.DIRECT),
        Column("bytes", INT, "Size", unit="B"),
        Column("sha256", STRING, "SHA-256 of the file as received", Phi.DIRECT),
        Column("content", STRING, "What it is: dicom, directory, nifti, sidecar, label, report, table or other"),
        Column("outcome", STRING, "kept, duplicate or quarantined at this station"),
        Column("duplicate_of", STRING, "Path of the kept file with the same data set", Phi.DIRECT, nullable=True),
        Column("duplicate_in", STRING, "Delivery that keeps it; null: this one", nullable=True),
        Column(
            "version",
            STRING,
            "SHA-256 of the data set in its transfer syntax, without the header that each writer of a file makes anew; "
            "of the file where it is no DICOM",
            Phi.DIRECT,
            nullable=True,
        ),
        optional(SUBJECT),
        optional(STUDY),
        optional(SERIES_ID),
        optional(INSTANCE),
        Column("study_uid", STRING, "Study Instance UID (0020,000D)", Phi.DIRECT, nullable=True),
        Column("series_uid", STRING, "Series Instance UID (0020,000E)", Phi.DIRECT, nullable=True),
        Column("sop_uid", STRING, "SOP Instance UID (0008,0018)", Phi.DIRECT, nullable=True),
        Column("accession", STRING, "Accession Number (0008,0050)", Phi.DIRECT, nullable=True),
        Column("sop_class", STRING, "SOP Class UID (0008,0016)", nullable=True),
        Column("transfer_syntax", STRING, "Transfer Syntax UID (0002,0010)", nullable=True),
        LICENCE,
        Column("moment", STRING, "When the delivery was received; orders deliveries as text", nullable=True),
    ),
    key=("delivery", "path"),
)

IDENTIFIERS = Table(
    "identifiers",
    Zone.RESTRICTED,
    "Identifying values seen in a subject's headers, for free text cleaning and the residual scan",
    (
        DELIVERY,
        SUBJECT,
        Column("kind", STRING, "What it is: name, id, date, uid, address, phone, institution, clinician or other"),
        Column("value", STRING, "The value", Phi.DIRECT),
    ),
    key=("delivery", "subject", "kind", "value"),
)

QUARANTINE = Table(
    "quarantine",
    Zone.RESTRICTED,
    "What was held back, at which station, why, and what to do about it",
    (
        DELIVERY,
        Column("stage", STRING, "Station that held it back"),
        Column("reason", STRING, "Reason, of a closed list (schemas.reasons)"),
        Column("remedy", STRING, "What a person can do about it"),
        Column("path", STRING, "Path inside the delivery", Phi.DIRECT),
        Column("sha256", STRING, "SHA-256 of the file as received", Phi.DIRECT),
        optional(INSTANCE),
        Column("line", INT, "Line of a table that was held back, its line of names is 1", nullable=True),
    ),
    key=("delivery", "stage", "path", "line"),
    partition_by=("delivery", "stage"),
)
