"""What may be said in the ledger: types of events, the facts each may carry, and their canonical text.

Belongs here: the vocabulary. An event carries declared fields only, and each field takes one narrow kind of value (a
name, a count, a digest, a pseudonym), so that free text, paths and therefore PHI have no place to go. Keeping events is
`lineage.ledger`.
"""

import re
from collections.abc import Callable, Mapping
from enum import StrEnum
from typing import Any

from schemas.document import canonical_json

Facts = Mapping[str, Any]
"""Field to value; fields and kinds are those declared here."""


class EventError(ValueError):
    """An event says what it may not, or leaves out what it must; the message names fields, never values."""


class EventType(StrEnum):
    """What can happen to data, models and terms."""

    RECEIVED = "received"
    DEIDENTIFIED = "deidentified"
    MATERIALIZED = "materialized"
    RELEASED = "released"
    TRAINED = "trained"
    EXPOSED = "exposed"
    EVALUATED = "evaluated"
    PREDICTED = "predicted"
    ACCESSED = "accessed"
    EXPORTED = "exported"
    TERM_KNOWN = "term_known"
    REFUSED = "refused"
    BREAK_GLASS = "break_glass"
    KEY_CHANGED = "key_changed"
    POLICY_CHANGED = "policy_changed"
    ROLES_CHANGED = "roles_changed"
    TIER_MOVED = "tier_moved"
    WITHDRAWN = "withdrawn"
    REVIEWED = "reviewed"
    MAINTAINED = "maintained"
    SCRUBBED = "scrubbed"
    SCANNED = "scanned"
    BACKED_UP = "backed_up"
    RESTORED = "restored"


def _matches(pattern: str) -> Callable[[object], bool]:
    compiled = re.compile(pattern)
    return lambda value: isinstance(value, str) and compiled.fullmatch(value) is not None


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _is_flag(value: object) -> bool:
    return isinstance(value, bool)


def _mapping(key: Callable[[object], bool], value: Callable[[object], bool]) -> Callable[[object], bool]:
    return lambda v: isinstance(v, Mapping) and all(key(k) and value(x) for k, x in v.items())


def _list(item: Callable[[object], bool]) -> Callable[[object], bool]:
    return lambda v: isinstance(v, list | tuple) and all(map(item, v))


_NAME = _matches(r"[a-z0-9][a-z0-9._-]{0,63}")
_PHRASE = _matches(r"[A-Za-z0-9][A-Za-z0-9 ._-]{0,63}")
_TABLE = _matches(r"(restricted|curated|audit|models)/[a-z0-9_]{1,63}")
_DIGEST = _matches(r"[0-9a-f]{64}")
_PSEUDONYM = _matches(r"[A-Za-z0-9.-]{1,64}")
_VERSION = _matches(r"[0-9A-Za-z.+-]{1,64}")
_PRINCIPAL = _matches(r"[A-Za-z0-9][A-Za-z0-9._@+\\-]{0,127}")
_TIME = _matches(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d+)?Z")
_DAY = _matches(r"\d{4}-\d{2}-\d{2}")
_COUNTS = _mapping(_NAME, _is_count)
# the same licence in two wordings stands as `<licence>@<digest>` beside itself
_DIGESTED = _matches(r"[a-z0-9][a-z0-9._-]{0,63}(@[0-9a-f]{1,64})?")

_KINDS: dict[str, tuple[Callable[[object], bool], str]] = {
    "name": (_NAME, "1 to 64 of a-z, 0-9, '.', '-' and '_'"),
    "names": (_list(_NAME), "a list of names"),
    "phrase": (_PHRASE, "up to 64 letters, digits, spaces, '.', '-' and '_'"),
    "table": (_TABLE, "<zone>/<table>"),
    "target": (lambda v: _TABLE(v) or _NAME(v), "a name or <zone>/<table>"),
    "digest": (_DIGEST, "64 lower-case hexadecimal digits"),
    "digests": (_mapping(_DIGESTED, _DIGEST), "a mapping of names to SHA-256 digests"),
    "pseudonym": (_PSEUDONYM, "a pseudonym of letters, digits, '.' and '-'"),
    "version": (_VERSION, "a version of letters, digits, '.', '+' and '-'"),
    "day": (_DAY, "an ISO date"),
    "time": (_TIME, "a time, UTC, RFC 3339"),
    "principal": (_PRINCIPAL, "a user's name or address"),
    "count": (_is_count, "an integer from 0"),
    "counts": (_COUNTS, "a mapping of names to integers from 0"),
    "table counts": (_mapping(_TABLE, _is_count), "a mapping of <zone>/<table> to integers from 0"),
    "split counts": (_mapping(_NAME, _COUNTS), "a mapping of names to mappings of names to integers from 0"),
    "flag": (_is_flag, "true or false"),
}

_FIELDS: dict[str, str] = {
    **dict.fromkeys(
        (
            "delivery", "licence", "release", "model", "parent", "action", "task", "kind", "split", "stage", "term",
            "policy", "tier", "scope", "format", "meaning", "mode", "grant", "zone", "reason",
        ),
        "name",
    ),
    **dict.fromkeys(("deliveries", "models", "grants"), "names"),
    **dict.fromkeys(
        (
            "licence_sha256", "manifest_sha256", "policy_sha256", "release_sha256", "members_sha256", "weights_sha256",
            "config_sha256", "exposure_sha256", "parent_weights_sha256", "metrics_sha256", "content_sha256", "decision",
            "commitment", "report_sha256", "terms_sha256", "commit_sha256", "key_sha256", "previous_key_sha256",
            "roles_sha256",
        ),
        "digest",
    ),
    **dict.fromkeys(
        (
            "received", "kept", "duplicates", "quarantined", "rows", "bytes", "files", "subjects", "series",
            "instances", "volumes", "labels", "reports", "samples", "steps", "world_size", "decisions", "findings",
            "exceptions", "version", "first", "last", "canaries_planted", "canaries_removed",
        ),
        "count",
    ),
    **dict.fromkeys(("reasons", "actions", "counts"), "counts"),
    **dict.fromkeys(("valid_from", "valid_until", "day"), "day"),
    **dict.fromkeys(("train_models", "share_models", "export", "complete"), "flag"),
    "table": "table",
    "target": "target",
    "tables": "table counts",
    "inputs": "table counts",
    "splits": "split counts",
    "licences": "digests",
    "agreements": "digests",
    "holder": "principal",
    "until": "time",
    "digests": "digests",
    "policies": "digests",
    "purpose": "phrase",
    "recipient": "phrase",
    "reference": "phrase",
    "run": "pseudonym",
    "code_version": "version",
}  # fmt: skip

_ANYWHERE = frozenset(
    {
        "code_version", "decision", "terms_sha256", "agreements", "grant", "grants", "licences", "licence",
        "licence_sha256", "purpose", "run", "delivery",
    }
)  # fmt: skip
_RECONCILED = frozenset({"received", "kept", "duplicates", "quarantined"})
_CONTENT = frozenset({"subjects", "series", "instances", "volumes", "labels", "reports", "rows", "bytes", "files"})

_DECLARED: dict[EventType, tuple[frozenset[str], frozenset[str]]] = {
    EventType.RECEIVED: (
        frozenset({"delivery", "licence", "licence_sha256"}) | _RECONCILED,
        _CONTENT | {"reasons", "manifest_sha256", "version", "commit_sha256", "kind"},
    ),
    EventType.DEIDENTIFIED: (
        frozenset({"delivery", "policy_sha256"}),
        _CONTENT
        | _RECONCILED
        | {"policy", "mode", "reasons", "actions", "decisions", "findings", "version", "commit_sha256"}
        | {"canaries_planted", "canaries_removed"},
    ),
    EventType.MATERIALIZED: (
        frozenset({"table"}),
        _CONTENT
        | _RECONCILED
        | {
            "version",
            "commit_sha256",
            "inputs",
            "reasons",
            "policy_sha256",
            "policies",
            "counts",
            "content_sha256",
            "stage",
            "findings",
            "digests",
        },
    ),
    EventType.RELEASED: (
        frozenset({"release", "release_sha256", "members_sha256"}),
        _CONTENT
        | {"tables", "splits", "deliveries", "policies", "task", "train_models", "share_models", "export", "counts"},
    ),
    EventType.TRAINED: (
        frozenset({"model", "weights_sha256", "release", "release_sha256", "exposure_sha256"}),
        _CONTENT
        | {"kind", "task", "config_sha256", "manifest_sha256", "metrics_sha256", "parent", "parent_weights_sha256"}
        | {"samples", "steps", "world_size", "share_models"},
    ),
    EventType.EXPOSED: (
        frozenset({"model", "weights_sha256", "release", "exposure_sha256", "subjects", "volumes"}),
        _CONTENT | {"samples", "parent", "parent_weights_sha256", "models", "release_sha256", "content_sha256"},
    ),
    EventType.EVALUATED: (
        frozenset({"model", "release", "split"}),
        _CONTENT
        | {"weights_sha256", "release_sha256", "metrics_sha256", "report_sha256", "task", "samples", "digests"},
    ),
    EventType.PREDICTED: (
        frozenset({"model"}),
        _CONTENT | {"weights_sha256", "release", "release_sha256", "split", "format", "target", "content_sha256"},
    ),
    EventType.ACCESSED: (
        frozenset({"action", "target", "rows", "purpose"}),
        _CONTENT | {"version", "release", "split"},
    ),
    EventType.EXPORTED: (
        frozenset({"target", "rows", "purpose"}),
        _CONTENT
        | {"format", "release", "release_sha256", "model", "weights_sha256", "content_sha256", "action", "recipient"}
        | {"splits"},
    ),
    EventType.TERM_KNOWN: (
        frozenset({"licence", "licence_sha256"}),
        frozenset({"valid_from", "valid_until", "train_models", "share_models", "export", "kind", "policy_sha256"}),
    ),
    EventType.REFUSED: (
        frozenset({"action", "term"}),
        frozenset({"release", "model", "target", "day", "kind", "subjects"}),
    ),
    EventType.BREAK_GLASS: (
        frozenset({"action", "grant", "zone", "reason", "holder"}),
        frozenset({"until", "target"}),
    ),
    EventType.KEY_CHANGED: (
        frozenset({"kind", "action"}),
        frozenset({"key_sha256", "previous_key_sha256", "content_sha256", "first", "version", "files"}),
    ),
    EventType.POLICY_CHANGED: (frozenset({"policy", "policy_sha256"}), frozenset({"mode"})),
    EventType.ROLES_CHANGED: (frozenset({"action"}), frozenset({"roles_sha256"})),
    EventType.TIER_MOVED: (frozenset({"table", "tier"}), _CONTENT | {"version", "policy", "policy_sha256"}),
    EventType.WITHDRAWN: (
        frozenset({"scope", "complete"}),
        _CONTENT | {"commitment", "models", "deliveries", "tables", "findings", "report_sha256"},
    ),
    EventType.REVIEWED: (
        frozenset({"first", "last", "meaning", "exceptions"}),
        frozenset({"content_sha256", "report_sha256", "digests", "counts", "reference"}),
    ),
    EventType.MAINTAINED: (frozenset({"table", "action", "files", "version"}), frozenset({"bytes"})),
    EventType.SCRUBBED: (frozenset({"files", "bytes", "findings"}), frozenset({"counts", "tables"})),
    EventType.SCANNED: (frozenset({"kind", "findings", "bytes"}), frozenset({"deliveries", "counts"})),
    EventType.BACKED_UP: (frozenset({"files", "bytes", "manifest_sha256"}), frozenset({"tables", "counts"})),
    EventType.RESTORED: (frozenset({"files", "bytes", "manifest_sha256"}), frozenset({"tables", "counts"})),
}


def fields(type_: EventType) -> tuple[frozenset[str], frozenset[str]]:
    """Facts that an event of this type must carry, and those that it may carry besides."""
    needed, optional = _DECLARED[type_]
    return needed, (optional | _ANYWHERE) - needed


def is_phrase(text: str) -> bool:
    """Whether a text may stand in an event as a phrase, such as a purpose."""
    return _PHRASE(text)


def checked(type_: EventType, facts: Facts) -> dict[str, Any]:
    """The facts, if they are what this type of event may say; facts of value None are left out.

    Raises:
        EventError: if a field is not declared for this type, a needed one is missing, or a value is of another kind.
    """
    needed, optional = fields(type_)
    given = {name: value for name, value in facts.items() if value is not None}
    if unknown := given.keys() - needed - optional:
        raise EventError(
            f"event {type_}: found fields {sorted(unknown)} that it does not declare, needed some of "
            f"{sorted(needed | optional)}; declare a new field in lineage.ledger.events"
        )
    if missing := needed - given.keys():
        raise EventError(f"event {type_}: found no {sorted(missing)}, needed these in every such event")
    for name, value in given.items():
        accepts, wanted = _KINDS[_FIELDS[name]]
        if not accepts(value):
            raise EventError(f"event {type_}: found another kind of value in {name!r}, needed {wanted}")
    return given


def event(type_: EventType | str, facts: Facts, *, principal: str, time: str) -> str:
    """The event's canonical JSON text, which is the leaf of the Merkle log.

    Args:
        type_: what happened.
        facts: fields that this type declares.
        principal: who did it (`lineage.principal`).
        time: when, UTC, RFC 3339.

    Raises:
        EventError: if the type is unknown or the facts are not what it may say.
    """
    try:
        kind = EventType(type_)
    except ValueError:
        raise EventError(f"found an unknown type of event, needed one of {[str(t) for t in EventType]}") from None
    said = {"facts": checked(kind, facts), "principal": principal, "time": time, "type": str(kind)}
    return canonical_json(said)


def ending(type_: str, time: str) -> str:
    """How the canonical text of every event of this type and time ends.

    Keys are sorted, so time and type come last and nothing in the facts can imitate them: a column beside the event can
    be compared without parsing.
    """
    return f'"time":{canonical_json(time)},"type":{canonical_json(type_)}}}'
