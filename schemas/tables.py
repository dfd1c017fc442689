"""Every table of the lake, declared once.

Belongs here: the contracts. Their order is the order of the data's way. A column added here appears in Delta, in the
Dagster catalogue, in data cards and in checks.
"""

import pyarrow as pa

from schemas.contract import Column, Phi, Table, Zone

_STRING, _INT, _FLOAT, _BINARY = pa.string(), pa.int64(), pa.float64(), pa.binary()
_FLOATS, _STRINGS, _INTS = pa.list_(pa.float64()), pa.list_(pa.string()), pa.list_(pa.int64())

DELIVERY = Column("delivery", _STRING, "Delivery that brought it; the partition")
SUBJECT = Column("subject", _STRING, "Pseudonymous person, random code of the vault", Phi.PSEUDONYM)
STUDY = Column("study", _STRING, "Pseudonymous Study Instance UID", Phi.PSEUDONYM)
SERIES_ID = Column("series", _STRING, "Pseudonymous Series Instance UID", Phi.PSEUDONYM)
INSTANCE = Column("instance", _STRING, "Pseudonymous SOP Instance UID", Phi.PSEUDONYM)
VOLUME_ID = Column("volume", _STRING, "Volume, derived from the series and its part", Phi.PSEUDONYM)
LICENCE = Column("licence", _STRING, "Licence it came under")
POLICY = Column("policy", _STRING, "SHA-256 of the de-identification policy that treated it")


def _optional(column: Column) -> Column:
    return Column(column.name, column.type, column.meaning, column.phi, column.unit, nullable=True)


RECEIVED = Table(
    "received",
    Zone.RESTRICTED,
    "Every file of a delivery as it came, with what became of it",
    (
        DELIVERY,
        Column("path", _STRING, "Path inside the delivery", Phi.DIRECT),
        Column("bytes", _INT, "Size", unit="B"),
        Column("sha256", _STRING, "SHA-256 of the file as received", Phi.DIRECT),
        Column("content", _STRING, "What it is: dicom, directory, nifti, sidecar, label, report, table or other"),
        Column("outcome", _STRING, "kept, duplicate or quarantined at this station"),
        Column("duplicate_of", _STRING, "Path of the kept file with the same data set", Phi.DIRECT, nullable=True),
        Column("duplicate_in", _STRING, "Delivery that keeps it; null: this one", nullable=True),
        Column(
            "version",
            _STRING,
            "SHA-256 of the data set in its transfer syntax, without the header that each writer of a file makes anew; "
            "of the file where it is no DICOM",
            Phi.DIRECT,
            nullable=True,
        ),
        _optional(SUBJECT),
        _optional(STUDY),
        _optional(SERIES_ID),
        _optional(INSTANCE),
        Column("study_uid", _STRING, "Study Instance UID (0020,000D)", Phi.DIRECT, nullable=True),
        Column("series_uid", _STRING, "Series Instance UID (0020,000E)", Phi.DIRECT, nullable=True),
        Column("sop_uid", _STRING, "SOP Instance UID (0008,0018)", Phi.DIRECT, nullable=True),
        Column("accession", _STRING, "Accession Number (0008,0050)", Phi.DIRECT, nullable=True),
        Column("sop_class", _STRING, "SOP Class UID (0008,0016)", nullable=True),
        Column("transfer_syntax", _STRING, "Transfer Syntax UID (0002,0010)", nullable=True),
        LICENCE,
        Column("moment", _STRING, "When the delivery was received; orders deliveries as text", nullable=True),
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
        Column("kind", _STRING, "What it is: name, id, date, uid, address, phone, institution, clinician or other"),
        Column("value", _STRING, "The value", Phi.DIRECT),
    ),
    key=("delivery", "subject", "kind", "value"),
)

QUARANTINE = Table(
    "quarantine",
    Zone.RESTRICTED,
    "What was held back, at which station, why, and what to do about it",
    (
        DELIVERY,
        Column("stage", _STRING, "Station that held it back"),
        Column("reason", _STRING, "Reason, of a closed list (schemas.reasons)"),
        Column("remedy", _STRING, "What a person can do about it"),
        Column("path", _STRING, "Path inside the delivery", Phi.DIRECT),
        Column("sha256", _STRING, "SHA-256 of the file as received", Phi.DIRECT),
        _optional(INSTANCE),
        Column("line", _INT, "Line of a table that was held back, its line of names is 1", nullable=True),
    ),
    key=("delivery", "stage", "path", "line"),
    partition_by=("delivery", "stage"),
)

INSTANCES = Table(
    "instances",
    Zone.CURATED,
    "De-identified DICOM instances, whole files, packed by series",
    (
        DELIVERY,
        SUBJECT,
        STUDY,
        SERIES_ID,
        INSTANCE,
        Column("sop_class", _STRING, "SOP Class UID (0008,0016)"),
        Column("transfer_syntax", _STRING, "Transfer Syntax UID (0002,0010)"),
        Column("modality", _STRING, "Modality (0008,0060)"),
        Column("manufacturer", _STRING, "Manufacturer (0008,0070)", nullable=True),
        Column("model", _STRING, "Manufacturer's Model Name (0008,1090)", nullable=True),
        Column("field_strength", _FLOAT, "Magnetic Field Strength (0018,0087)", unit="T", nullable=True),
        Column("series_description", _STRING, "Series Description (0008,103E), cleaned", nullable=True),
        Column("series_number", _INT, "Series Number (0020,0011)", nullable=True),
        Column("instance_number", _INT, "Instance Number (0020,0013)", nullable=True),
        Column("echo_time", _FLOAT, "Echo Time (0018,0081)", unit="ms", nullable=True),
        Column("repetition_time", _FLOAT, "Repetition Time (0018,0080)", unit="ms", nullable=True),
        Column("inversion_time", _FLOAT, "Inversion Time (0018,0082)", unit="ms", nullable=True),
        Column("flip_angle", _FLOAT, "Flip Angle (0018,1314)", unit="deg", nullable=True),
        Column("rows", _INT, "Rows (0028,0010)", nullable=True),
        Column("columns", _INT, "Columns (0028,0011)", nullable=True),
        Column("frames", _INT, "Number of Frames (0028,0008), 1 where absent"),
        Column("sex", _STRING, "Patient's Sex (0010,0040)", Phi.QUASI, nullable=True),
        Column("age", _INT, "Patient's Age, whole years, 90 stands for more than 89", Phi.QUASI, "a", nullable=True),
        Column("weight", _FLOAT, "Patient's Weight (0010,1030)", Phi.QUASI, "kg", nullable=True),
        Column("height", _FLOAT, "Patient's Size (0010,1020)", Phi.QUASI, "m", nullable=True),
        Column("study_date", _STRING, "Study Date (0008,0020) as the policy lets it leave", Phi.QUASI, nullable=True),
        LICENCE,
        POLICY,
        Column(
            "identity",
            _STRING,
            "Keyed digest of the SOP Instance UID: the same for every version, whoever sends it",
            Phi.PSEUDONYM,
            nullable=True,
        ),
        Column("version", _STRING, "Keyed digest of the data set as received", Phi.PSEUDONYM, nullable=True),
        Column("moment", _STRING, "When the delivery was received; the newest version counts", nullable=True),
        Column("dicom_bytes", _INT, "Size of `dicom`", unit="B"),
        Column("dicom", _BINARY, "The de-identified Part 10 file"),
    ),
    key=("delivery", "instance"),
)

COPIES = Table(
    "copies",
    Zone.CURATED,
    "Instances that a delivery brought though another one keeps them already: when, and under which licence",
    (
        DELIVERY,
        SUBJECT,
        SERIES_ID,
        INSTANCE,
        Column(
            "identity",
            _STRING,
            "Keyed digest of the SOP Instance UID: the same for every version, whoever sends it",
            Phi.PSEUDONYM,
            nullable=True,
        ),
        Column("version", _STRING, "Keyed digest of the data set as received", Phi.PSEUDONYM, nullable=True),
        Column("moment", _STRING, "When the delivery was received; the newest version counts", nullable=True),
        Column("kept_in", _STRING, "Delivery that keeps it; subject, series and instance are named as there"),
        LICENCE,
    ),
    key=("delivery", "instance", "version"),
)

DECISIONS = Table(
    "decisions",
    Zone.AUDIT,
    "Every de-identification rule that acted, on what kind of value, how often; never a value",
    (
        DELIVERY,
        SERIES_ID,
        Column("element", _STRING, "Element path, (gggg,eeee) with > into sequences; private with its creator"),
        Column("rule", _STRING, "Rule that acted"),
        Column("reason", _STRING, "Why the rule is there, as the policy says"),
        Column("action", _STRING, "PS3.15 action: K keep, C clean, D dummy, Z empty, X remove, U replace UID"),
        Column("standard", _STRING, "Action of PS3.15 Table E.1-1, Basic Profile, where it lists it", nullable=True),
        Column("kind", _STRING, "Kind of value: name, id, date, uid, text, number, code, binary, sequence, pixels"),
        Column("detector", _STRING, "What decided: policy, vocabulary, vault, or a Presidio recognizer", nullable=True),
        Column("score", _FLOAT, "Highest score of the detector", nullable=True),
        Column("count", _INT, "How many elements"),
        Column(
            "digest",
            _STRING,
            "What was acted on, where something did not leave as it came: HMAC with the subject's secret over the "
            "row and the digests of the files it acted on",
            nullable=True,
        ),
        POLICY,
    ),
    key=("delivery", "series", "element", "rule", "action", "kind", "detector"),
)

CERTIFICATES = Table(
    "certificates",
    Zone.AUDIT,
    "What became of the 18 HIPAA identifiers in each series, and how that was checked; one a series without findings",
    (
        DELIVERY,
        SERIES_ID,
        POLICY,
        Column("policy_name", _STRING, "Name of the policy"),
        Column("policy_version", _INT, "Version of the policy"),
        Column("edition", _STRING, "Edition of PS3.15 Table E.1-1 that the rules were compared with"),
        Column("code_version", _STRING, "Version of Larmor"),
        Column("instances", _INT, "Instances of the series"),
        Column("elements", _INT, "Decisions about elements, all instances"),
        Column("faces", _STRING, "What became of faces: removed, none shown, exempt, not judged or kept"),
        Column("burned_in", _STRING, "What became of text in pixels: removed, none found or not looked for"),
        Column("values_looked_for", _INT, "Identifying values that the residual scan looked for"),
        Column("bytes_read", _INT, "Bytes of the series that it read", unit="B"),
        Column("document", _STRING, "The certificate, canonical JSON: all of the above and the 18 identifiers"),
        Column("digest", _STRING, "SHA-256 of `document`"),
    ),
    key=("delivery", "series"),
)

SERIES = Table(
    "series",
    Zone.CURATED,
    "What each series is: classification with evidence, geometry, quality",
    (
        DELIVERY,
        SUBJECT,
        STUDY,
        SERIES_ID,
        Column("body_part", _STRING, "Body part, or unknown"),
        Column("plane", _STRING, "axial, coronal, sagittal, oblique, or unknown"),
        Column(
            "contrast",
            _STRING,
            "T1, T2, T2*, PD, FLAIR, DWI, ADC, BOLD, SWI, MRA, perfusion, fieldmap, localizer, derived, an answer "
            "of the lake's own rules, or unknown",
        ),
        Column("part", _STRING, "magnitude, phase, real, imaginary, or unknown"),
        Column("contrast_agent", _STRING, "given, none, or unknown"),
        Column("fat_suppression", _STRING, "suppressed, none, or unknown"),
        Column("dimensions", _STRING, "2D, 3D, or unknown"),
        Column("evidence", _STRING, "JSON object of question to value, confidence (0 to 1) and evidence"),
        Column("confidence", _FLOAT, "Confidence in the contrast, 0 to 1"),
        Column("description", _STRING, "Series Description (0008,103E), cleaned", nullable=True),
        Column("manufacturer", _STRING, "Manufacturer (0008,0070)", nullable=True),
        Column("model", _STRING, "Manufacturer's Model Name (0008,1090)", nullable=True),
        Column("field_strength", _FLOAT, "Magnetic Field Strength (0018,0087)", unit="T", nullable=True),
        Column("echo_time", _FLOAT, "Echo Time (0018,0081)", unit="ms", nullable=True),
        Column("repetition_time", _FLOAT, "Repetition Time (0018,0080)", unit="ms", nullable=True),
        Column("inversion_time", _FLOAT, "Inversion Time (0018,0082)", unit="ms", nullable=True),
        Column("flip_angle", _FLOAT, "Flip Angle (0018,1314)", unit="deg", nullable=True),
        Column("sex", _STRING, "Patient's Sex (0010,0040)", Phi.QUASI, nullable=True),
        Column("age", _INT, "Age in whole years, 90 stands for more than 89", Phi.QUASI, "a", nullable=True),
        Column("instances", _INT, "Instances in the series"),
        Column("volumes", _INT, "Volumes it gives"),
        Column("shape", _INTS, "Voxels of the first volume", nullable=True),
        Column("spacing", _FLOATS, "Voxel size of the first volume", unit="mm", nullable=True),
        Column("missing_slices", _INT, "Slices that are not there, all volumes"),
        Column("snr", _FLOAT, "Lowest of its volumes: mean of the object over the noise inside it", nullable=True),
        Column("snr_air", _FLOAT, "Lowest: mean of the object over the noise of the air around it", nullable=True),
        Column("cnr", _FLOAT, "Lowest: distance of two classes of intensity over the noise", nullable=True),
        Column("background_artifacts", _FLOAT, "Highest: share of the air that artifacts brighten", nullable=True),
        Column("fber", _FLOAT, "Lowest: energy of the object over energy of the air", nullable=True),
        Column("efc", _FLOAT, "Highest: entropy focus criterion", nullable=True),
        Column("ghosting", _FLOAT, "Highest: ghost to signal ratio", nullable=True),
        Column("fwhm", _FLOAT, "Highest: smoothness, geometric mean of the axes", unit="mm", nullable=True),
        Column("cut_off", _FLOAT, "Highest: share of a cross-section that a side cuts", nullable=True),
        Column("saturation", _FLOAT, "Highest: share of voxels at the largest value", nullable=True),
        Column("empty_slices", _INT, "Slices of one value, all volumes", nullable=True),
        Column("bad_slices", _INT, "Slices much darker or brighter than expected, all volumes", nullable=True),
        Column("tsnr", _FLOAT, "Lowest: mean over standard deviation in time", nullable=True),
        Column("dvars", _FLOAT, "Highest: mean standardized change from step to step", nullable=True),
        Column("outliers", _FLOAT, "Highest: share of voxels outside their usual range", nullable=True),
        Column("motion", _FLOAT, "Highest: mean framewise displacement", unit="mm", nullable=True),
        Column(
            "quality_flags",
            _STRINGS,
            "Measures by which it stands out among series of its site and scanner in the lake as it was then, and "
            "faults that need no comparison; null where it has no volume",
            nullable=True,
        ),
        LICENCE,
        POLICY,
    ),
    key=("delivery", "series"),
)

VOLUMES = Table(
    "volumes",
    Zone.CURATED,
    "Normalized 3D and 4D volumes: canonical axes, millimetre affine, voxels inside the table",
    (
        DELIVERY,
        SUBJECT,
        STUDY,
        SERIES_ID,
        VOLUME_ID,
        Column("kind", _STRING, "What the volume is: static, diffusion, dynamic"),
        Column("contrast", _STRING, "Contrast of its series, or unknown"),
        Column("body_part", _STRING, "Body part of its series, or unknown"),
        Column("part", _STRING, "magnitude, phase, real, imaginary, or unknown"),
        Column("instances", _INT, "Instances it was made from; 0 if it did not come as DICOM"),
        Column("sources", _STRINGS, "Pseudonymous SOP Instance UIDs of these instances", Phi.PSEUDONYM),
        Column("source_deliveries", _STRINGS, "Delivery that keeps each of them", nullable=True),
        Column("source_policies", _STRINGS, "Policy that treated each of them", nullable=True),
        Column("licences", _STRINGS, "Every licence that one of them came under", nullable=True),
        Column("basis", _STRING, "Digest of the versions of all instances of its series then", nullable=True),
        Column("shape", _INTS, "Voxels along x, y, z and, where 4D, the fourth axis"),
        Column("affine", _FLOATS, "Voxel index to RAS+ millimetres, 4x4 row-major"),
        Column("spacing", _FLOATS, "Voxel size along x, y, z", unit="mm"),
        Column("tilt", _FLOAT, "Angle between the stacking direction and the slice normal", unit="deg", nullable=True),
        Column("gap", _FLOAT, "Distance between slices; below 0: they overlap", unit="mm", nullable=True),
        Column("dtype", _STRING, "Type of the stored voxels, numpy's name"),
        Column("slope", _FLOAT, "value = stored * slope + intercept"),
        Column("intercept", _FLOAT, "value = stored * slope + intercept"),
        Column("bvals", _FLOATS, "b-value of each step of the fourth axis", unit="s/mm2", nullable=True),
        Column("bvecs", _FLOATS, "Gradient directions in voxel axes, 3 a step; zeros where b is 0", nullable=True),
        Column("times", _FLOATS, "Start of each step of the fourth axis from the first", unit="s", nullable=True),
        Column("slice_times", _FLOATS, "Start of each slice along `slice_axis` in its step", unit="s", nullable=True),
        Column("slice_axis", _INT, "Axis along which slices were stacked", nullable=True),
        Column("phase_encoding", _STRING, "i, i-, j, j-, k or k-: phase encoding along the voxel axes", nullable=True),
        Column("readout_time", _FLOAT, "Total read-out time of an echo-planar scan", unit="s", nullable=True),
        Column("step_kinds", _STRINGS, "What each step shows: control, label, m0scan, inversion 100 ms", nullable=True),
        Column("chemistry", _STRING, "water, fat, in-phase, out-of-phase or fat-fraction", nullable=True),
        Column("coil", _STRING, "Coil element that an uncombined image was received with", nullable=True),
        Column("echo_time", _FLOAT, "Echo time of this volume", unit="ms", nullable=True),
        Column("inversion_time", _FLOAT, "Inversion time of this volume", unit="ms", nullable=True),
        Column("flip_angle", _FLOAT, "Flip angle of this volume", unit="deg", nullable=True),
        Column("repetition_time", _FLOAT, "Repetition time of this volume", unit="ms", nullable=True),
        Column("percentiles", _FLOATS, "Values at 0, 1, 5, 25, 50, 75, 95, 99, 100 % of voxels above the background"),
        Column("mean", _FLOAT, "Mean of the values above the background"),
        Column("std", _FLOAT, "Standard deviation of the values above the background"),
        Column("snr", _FLOAT, "Mean of the object over the noise inside it", nullable=True),
        Column("snr_air", _FLOAT, "Mean of the object over the noise of the air around it", nullable=True),
        Column("cnr", _FLOAT, "Distance of the object's two classes of intensity over its noise", nullable=True),
        Column("background_noise", _FLOAT, "Standard deviation of the noise that air shows, as a value", nullable=True),
        Column("background_artifacts", _FLOAT, "Share of the air that artifacts brighten", nullable=True),
        Column("fber", _FLOAT, "Energy of the object over energy of the air", nullable=True),
        Column("efc", _FLOAT, "Entropy focus criterion; ghosts and blur raise it", nullable=True),
        Column("ghosting", _FLOAT, "Ghost to signal ratio", nullable=True),
        Column("fwhm", _FLOATS, "Smoothness along x, y, z, full width at half maximum", unit="mm", nullable=True),
        Column("cut_off", _FLOAT, "Largest share of the object's cross-section that a side cuts", nullable=True),
        Column("saturation", _FLOAT, "Share of the voxels above the background at the largest value", nullable=True),
        Column("empty_slices", _INT, "Slices of one value, counted in each step", nullable=True),
        Column("bad_slices", _INT, "Slices much darker or brighter than expected, in each step", nullable=True),
        Column("tsnr", _FLOAT, "Median of a voxel's mean over its standard deviation in time", nullable=True),
        Column("dvars", _FLOAT, "Mean standardized change from step to step; noise alone gives 1", nullable=True),
        Column("outliers", _FLOAT, "Share of voxels that leave their usual range in a step", nullable=True),
        Column("motion", _FLOAT, "Mean framewise displacement", unit="mm", nullable=True),
        Column("occupancy", _BINARY, "Which 8x8x8 blocks hold tissue, C order, packed bits"),
        Column("missing_slices", _INTS, "Indices along `missing_axis` that no instance filled"),
        Column("missing_axis", _INT, "Axis of `missing_slices`; 2 where nothing is missing"),
        Column("pixel_digest", _STRING, "Keyed digest of the voxels, for duplicates inside this lake"),
        Column("preview", _BINARY, "Three planes and a histogram, PNG", nullable=True),
        LICENCE,
        POLICY,
        Column("voxels_bytes", _INT, "Size of `voxels`", unit="B"),
        Column("voxels", _BINARY, "Blosc2 NDim frame of the stored voxels, axes as in `shape`"),
    ),
    key=("delivery", "volume"),
    payload="voxels",
)

REPORTS = Table(
    "reports",
    Zone.CURATED,
    "De-identified report text, and captions made from metadata",
    (
        DELIVERY,
        SUBJECT,
        STUDY,
        Column("report", _STRING, "Report, derived from its study and source", Phi.PSEUDONYM),
        Column("source", _STRING, "report: delivered text; structured: of a DICOM report; caption: from metadata"),
        Column("text", _STRING, "Text after de-identification"),
        Column("removed", _INT, "Passages removed from the text"),
        LICENCE,
        POLICY,
    ),
    key=("delivery", "report"),
)

LABELS = Table(
    "labels",
    Zone.CURATED,
    "Segmentations and outlined structures, mapped onto volumes by reference and geometry",
    (
        DELIVERY,
        SUBJECT,
        STUDY,
        SERIES_ID,
        VOLUME_ID,
        Column("label", _STRING, "Label map, derived from its volume and name", Phi.PSEUDONYM),
        Column("task", _STRING, "What is labelled"),
        Column("scheme", _STRING, "Meaning of each label value, JSON object of value to name"),
        Column("coding", _STRING, "Codes of label values, JSON object of value to coded concepts", nullable=True),
        Column("source", _STRING, "SOP Instance UID of the DICOM object it came in", Phi.PSEUDONYM, nullable=True),
        Column("provenance", _STRING, "How it was made, delivered and mapped, JSON object"),
        Column("shape", _INTS, "Voxels along x, y, z, those of its volume"),
        Column("affine", _FLOATS, "Voxel index to RAS+ millimetres, 4x4 row-major"),
        Column("counts", _STRING, "Voxels of each label value, JSON object"),
        LICENCE,
        Column("voxels_bytes", _INT, "Size of `voxels`", unit="B"),
        Column("voxels", _BINARY, "Blosc2 NDim frame of the label values, uint8 or uint16"),
    ),
    key=("delivery", "label"),
    payload="voxels",
)

DIAGNOSES = Table(
    "diagnoses",
    Zone.CURATED,
    "Diagnoses and measures from delivered tables, each of a declared kind, mapped by key",
    (
        DELIVERY,
        SUBJECT,
        _optional(STUDY),
        _optional(SERIES_ID),
        _optional(VOLUME_ID),
        Column("diagnosis", _STRING, "Diagnosis, derived from what it is about and its name", Phi.PSEUDONYM),
        Column("name", _STRING, "What is diagnosed or measured, as the delivery declares it"),
        Column("kind", _STRING, "category, number or boolean"),
        Column("value", _STRING, "The value: a declared level, a number, or true or false"),
        Column("number", _FLOAT, "The value of a number; 0 or 1 of a boolean", nullable=True),
        Column("unit", _STRING, "Unit of a number, UCUM", nullable=True),
        Column("scheme", _STRING, "Coding scheme designator of `code`", nullable=True),
        Column("code", _STRING, "Code of the level, or of what is measured", nullable=True),
        Column("meaning", _STRING, "Meaning of `code`", nullable=True),
        Column("provenance", _STRING, "How it was delivered and mapped, JSON object"),
        LICENCE,
        POLICY,
    ),
    key=("delivery", "diagnosis"),
)

LEDGER = Table(
    "ledger",
    Zone.AUDIT,
    "Every event, in order, as leaves of a Merkle log (RFC 9162 hashing)",
    (
        Column("sequence", _INT, "Place in the log, from 0"),
        Column("time", _STRING, "When it was appended, UTC, RFC 3339"),
        Column("type", _STRING, "Type of the event"),
        Column("event", _STRING, "The event, canonical JSON (RFC 8785)"),
        Column("leaf", _STRING, "Leaf hash of the event, hexadecimal"),
    ),
    key=("sequence",),
    partition_by=(),
    sealed=True,
)

LICENCES = Table(
    "licences",
    Zone.AUDIT,
    "Terms of every kind as they were known: valid from and until, known from; corrections never overwrite",
    (
        LICENCE,
        Column("digest", _STRING, "SHA-256 of the document's canonical JSON"),
        Column("document", _STRING, "The document, canonical JSON; consents name subjects", Phi.PSEUDONYM),
        Column("valid_from", _STRING, "First day in force, ISO date"),
        Column("valid_until", _STRING, "Last day in force, ISO date; empty: no end", nullable=True),
        Column("known_from", _STRING, "When this lake learned of it, until the next row of it, UTC, RFC 3339"),
    ),
    key=("licence", "digest"),
    partition_by=(),
)

EXPOSURES = Table(
    "exposures",
    Zone.AUDIT,
    "Which checkpoint was trained on which volume of which subject, parents included, a row a volume: of older lakes",
    (
        Column("model", _STRING, "Name of the model"),
        Column("checkpoint", _STRING, "Digest of the checkpoint's weights"),
        Column("release", _STRING, "Release it was trained on"),
        Column("via", _STRING, "Model whose training saw it: the model itself or an ancestor"),
        DELIVERY,
        LICENCE,
        SUBJECT,
        SERIES_ID,
        VOLUME_ID,
        Column("samples", _INT, "How often the volume was served"),
    ),
    key=("model", "checkpoint", "via", "volume"),
    partition_by=("model",),
)

EXPOSED_CHECKPOINTS = Table(
    "exposed_checkpoints",
    Zone.AUDIT,
    "What the training of each checkpoint served, and which checkpoints it came from; one that is replaced stays",
    (
        Column("sequence", _INT, "Place in the order in which checkpoints were recorded, from 0"),
        Column("model", _STRING, "Name of the model"),
        Column("checkpoint", _STRING, "Digest of the checkpoint's weights"),
        Column("release", _STRING, "Release it was trained on"),
        Column("parents", _STRINGS, "Digests of the weights it came from: where it started, and what taught it"),
        Column("times", _INTS, "In how many epochs, one after the other, each set was served"),
        Column("sets", _STRINGS, "Digest of each set, in audit/exposure_sets"),
        Column("served_sha256", _STRING, "SHA-256 of volume to samples, canonical JSON"),
        Column("subjects", _INT, "Persons that it saw, through ancestors too"),
        Column("volumes", _INT, "Volumes that it saw, through ancestors too"),
        Column("own", _INT, "Volumes that its own training served"),
        Column("inherited", _INT, "Volumes that its ancestors saw"),
        Column("samples", _INT, "Samples of its own training"),
    ),
    key=("checkpoint", "model"),
    partition_by=(),
)

EXPOSURE_SETS = Table(
    "exposure_sets",
    Zone.AUDIT,
    "Sets of volumes that trainings served, each once, however many checkpoints saw it",
    (
        Column("digest", _STRING, "SHA-256 of the bitmap"),
        Column("bitmap", _BINARY, "Roaring bitmap, portable format, of numbers in audit/exposed_volumes"),
    ),
    key=("digest",),
    partition_by=(),
)

EXPOSED_VOLUMES = Table(
    "exposed_volumes",
    Zone.AUDIT,
    "Volumes that a training ever served, numbered for the bitmaps of audit/exposure_sets",
    (
        Column("number", _INT, "Its number, for ever"),
        DELIVERY,
        LICENCE,
        SUBJECT,
        SERIES_ID,
        VOLUME_ID,
    ),
    key=("number",),
    partition_by=(),
)

ACCESS = Table(
    "access",
    Zone.AUDIT,
    "Who read or exported what, and for which purpose",
    (
        Column("time", _STRING, "When, UTC, RFC 3339"),
        Column("principal", _STRING, "Who"),
        Column("action", _STRING, "read, export, predict or report"),
        Column("subject_of_access", _STRING, "What: a table, release or checkpoint"),
        Column("rows", _INT, "How many rows or volumes"),
        Column("purpose", _STRING, "Purpose that was given"),
    ),
    key=("time", "principal", "subject_of_access"),
    partition_by=(),
)

TIER_MOVES = Table(
    "tier_moves",
    Zone.AUDIT,
    "Files that were moved between storage tiers, by which policy and why",
    (
        Column("batch", _STRING, "Moves that were carried out together"),
        Column("time", _STRING, "When the batch was done, UTC, RFC 3339"),
        Column("principal", _STRING, "Who"),
        Column("table", _STRING, "The file's table, <zone>/<table>"),
        Column("path", _STRING, "The file, relative to its table"),
        Column("source", _STRING, "Storage class that it was in"),
        Column("target", _STRING, "Storage class that it is in since"),
        Column("bytes", _INT, "Its size", unit="B"),
        Column("sha256", _STRING, "SHA-256 of the copy, read back before its place changed"),
        Column("policy", _STRING, "Digest of the tiering policy"),
        Column("why", _STRING, "The rule, or the reason, that gave the tier"),
    ),
    key=("batch", "path"),
    partition_by=(),
)

REVIEWS = Table(
    "reviews",
    Zone.AUDIT,
    "Who examined which entries of the ledger, what was found, and what the sign-off means",
    (
        Column("time", _STRING, "When it was signed off, UTC, RFC 3339"),
        Column("principal", _STRING, "Who examined and signed off"),
        Column("first", _INT, "First entry that was examined"),
        Column("last", _INT, "Last entry that was examined"),
        Column("meaning", _STRING, "What the sign-off means: review, approval, responsibility, authorship, rejection"),
        Column("exceptions", _STRINGS, "Entries that need an answer, <sequence>:<kind of exception>"),
        Column("reference", _STRING, "Where the answers are kept, a name of another system", nullable=True),
        Column("content_sha256", _STRING, "SHA-256 of the examined entries, their events as lines"),
        Column("report_sha256", _STRING, "SHA-256 of the report that was examined with them", nullable=True),
        Column("entry", _INT, "Entry of the ledger that records the review"),
    ),
    key=("entry",),
    partition_by=(),
)

TABLES = (
    RECEIVED,
    IDENTIFIERS,
    QUARANTINE,
    INSTANCES,
    COPIES,
    DECISIONS,
    CERTIFICATES,
    SERIES,
    VOLUMES,
    REPORTS,
    LABELS,
    DIAGNOSES,
    LEDGER,
    LICENCES,
    EXPOSURES,
    EXPOSED_CHECKPOINTS,
    EXPOSURE_SETS,
    EXPOSED_VOLUMES,
    ACCESS,
    TIER_MOVES,
    REVIEWS,
)
"""All tables, in the order of the data's way."""
