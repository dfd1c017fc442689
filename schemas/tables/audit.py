"""Tables of the audit zone: what was decided, done, seen and moved. Append-only, without PHI."""

from schemas.contract import Column, Phi, Table, Zone
from schemas.tables.columns import (
    BINARY,
    DELIVERY,
    FLOAT,
    INT,
    INTS,
    LICENCE,
    POLICY,
    SERIES_ID,
    STRING,
    STRINGS,
    SUBJECT,
    VOLUME_ID,
)

DECISIONS = Table(
    "decisions",
    Zone.AUDIT,
    "Every de-identification rule that acted, on what kind of value, how often; never a value",
    (
        DELIVERY,
        SERIES_ID,
        Column("element", STRING, "Element path, (gggg,eeee) with > into sequences; private with its creator"),
        Column("rule", STRING, "Rule that acted"),
        Column("reason", STRING, "Why the rule is there, as the policy says", older="not recorded"),
        Column("action", STRING, "PS3.15 action: K keep, C clean, D dummy, Z empty, X remove, U replace UID"),
        Column("standard", STRING, "Action of PS3.15 Table E.1-1, Basic Profile, where it lists it", nullable=True),
        Column("kind", STRING, "Kind of value: name, id, date, uid, text, number, code, binary, sequence, pixels"),
        Column("detector", STRING, "What decided: policy, vocabulary, vault, or a Presidio recognizer", nullable=True),
        Column("score", FLOAT, "Highest score of the detector", nullable=True),
        Column("count", INT, "How many elements"),
        Column(
            "digest",
            STRING,
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
        Column("policy_name", STRING, "Name of the policy"),
        Column("policy_version", INT, "Version of the policy"),
        Column("edition", STRING, "Edition of PS3.15 Table E.1-1 that the rules were compared with"),
        Column("code_version", STRING, "Version of Larmor"),
        Column("instances", INT, "Instances of the series"),
        Column("elements", INT, "Decisions about elements, all instances"),
        Column("faces", STRING, "What became of faces: removed, none shown, exempt, not judged or kept"),
        Column("burned_in", STRING, "What became of text in pixels: removed, none found or not looked for"),
        Column("values_looked_for", INT, "Identifying values that the residual scan looked for"),
        Column("bytes_read", INT, "Bytes of the series that it read", unit="B"),
        Column("document", STRING, "The certificate, canonical JSON: all of the above and the 18 identifiers"),
        Column("digest", STRING, "SHA-256 of `document`"),
    ),
    key=("delivery", "series"),
)

LEDGER = Table(
    "ledger",
    Zone.AUDIT,
    "Every event, in order, as leaves of a Merkle log (RFC 9162 hashing)",
    (
        Column("sequence", INT, "Place in the log, from 0"),
        Column("time", STRING, "When it was appended, UTC, RFC 3339"),
        Column("type", STRING, "Type of the event"),
        Column("event", STRING, "The event, canonical JSON (RFC 8785)"),
        Column("leaf", STRING, "Leaf hash of the event, hexadecimal"),
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
        Column("digest", STRING, "SHA-256 of the document's canonical JSON"),
        Column("document", STRING, "The document, canonical JSON; consents name subjects", Phi.PSEUDONYM),
        Column("valid_from", STRING, "First day in force, ISO date"),
        Column("valid_until", STRING, "Last day in force, ISO date; empty: no end", nullable=True),
        Column("known_from", STRING, "When this lake learned of it, until the next row of it, UTC, RFC 3339"),
    ),
    key=("licence", "digest"),
    partition_by=(),
)

EXPOSURES = Table(
    "exposures",
    Zone.AUDIT,
    "Which checkpoint was trained on which volume of which subject, parents included, a row a volume: of older lakes",
    (
        Column("model", STRING, "Name of the model"),
        Column("checkpoint", STRING, "Digest of the checkpoint's weights"),
        Column("release", STRING, "Release it was trained on"),
        Column("via", STRING, "Model whose training saw it: the model itself or an ancestor"),
        DELIVERY,
        LICENCE,
        SUBJECT,
        SERIES_ID,
        VOLUME_ID,
        Column("samples", INT, "How often the volume was served"),
    ),
    key=("model", "checkpoint", "via", "volume"),
    partition_by=("model",),
)

EXPOSED_CHECKPOINTS = Table(
    "exposed_checkpoints",
    Zone.AUDIT,
    "What the training of each checkpoint served, and which checkpoints it came from; one that is replaced stays",
    (
        Column("sequence", INT, "Place in the order in which checkpoints were recorded, from 0"),
        Column("model", STRING, "Name of the model"),
        Column("checkpoint", STRING, "Digest of the checkpoint's weights"),
        Column("release", STRING, "Release it was trained on"),
        Column("parents", STRINGS, "Digests of the weights it came from: where it started, and what taught it"),
        Column("times", INTS, "In how many epochs, one after the other, each set was served"),
        Column("sets", STRINGS, "Digest of each set, in audit/exposure_sets"),
        Column("served_sha256", STRING, "SHA-256 of volume to samples, canonical JSON"),
        Column("subjects", INT, "Persons that it saw, through ancestors too"),
        Column("volumes", INT, "Volumes that it saw, through ancestors too"),
        Column("own", INT, "Volumes that its own training served"),
        Column("inherited", INT, "Volumes that its ancestors saw"),
        Column("samples", INT, "Samples of its own training"),
    ),
    key=("checkpoint", "model"),
    partition_by=(),
)

EXPOSURE_SETS = Table(
    "exposure_sets",
    Zone.AUDIT,
    "Sets of volumes that trainings served, each once, however many checkpoints saw it",
    (
        Column("digest", STRING, "SHA-256 of the bitmap"),
        Column("bitmap", BINARY, "Roaring bitmap, portable format, of numbers in audit/exposed_volumes"),
    ),
    key=("digest",),
    partition_by=(),
)

EXPOSED_VOLUMES = Table(
    "exposed_volumes",
    Zone.AUDIT,
    "Volumes that a training ever served, numbered for the bitmaps of audit/exposure_sets",
    (
        Column("number", INT, "Its number, for ever"),
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
        Column("time", STRING, "When, UTC, RFC 3339"),
        Column("principal", STRING, "Who"),
        Column("action", STRING, "read, export, predict or report"),
        Column("subject_of_access", STRING, "What: a table, release or checkpoint"),
        Column("rows", INT, "How many rows or volumes"),
        Column("purpose", STRING, "Purpose that was given"),
    ),
    key=("time", "principal", "subject_of_access"),
    partition_by=(),
)

TIER_MOVES = Table(
    "tier_moves",
    Zone.AUDIT,
    "Files that were moved between storage tiers, by which policy and why",
    (
        Column("batch", STRING, "Moves that were carried out together"),
        Column("time", STRING, "When the batch was done, UTC, RFC 3339"),
        Column("principal", STRING, "Who"),
        Column("table", STRING, "The file's table, <zone>/<table>"),
        Column("path", STRING, "The file, relative to its table"),
        Column("source", STRING, "Storage class that it was in"),
        Column("target", STRING, "Storage class that it is in since"),
        Column("bytes", INT, "Its size", unit="B"),
        Column("sha256", STRING, "SHA-256 of the copy, read back before its place changed"),
        Column("policy", STRING, "Digest of the tiering policy"),
        Column("why", STRING, "The rule, or the reason, that gave the tier"),
    ),
    key=("batch", "path"),
    partition_by=(),
)

REVIEWS = Table(
    "reviews",
    Zone.AUDIT,
    "Who examined which entries of the ledger, what was found, and what the sign-off means",
    (
        Column("time", STRING, "When it was signed off, UTC, RFC 3339"),
        Column("principal", STRING, "Who examined and signed off"),
        Column("first", INT, "First entry that was examined"),
        Column("last", INT, "Last entry that was examined"),
        Column("meaning", STRING, "What the sign-off means: review, approval, responsibility, authorship, rejection"),
        Column("exceptions", STRINGS, "Entries that need an answer, <sequence>:<kind of exception>"),
        Column("reference", STRING, "Where the answers are kept, a name of another system", nullable=True),
        Column("content_sha256", STRING, "SHA-256 of the examined entries, their events as lines"),
        Column("report_sha256", STRING, "SHA-256 of the report that was examined with them", nullable=True),
        Column("entry", INT, "Entry of the ledger that records the review"),
    ),
    key=("entry",),
    partition_by=(),
)
