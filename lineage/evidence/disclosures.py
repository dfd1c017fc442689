"""The accounting of disclosures: when which data of a person left, to whom, and what for, over six years.

Belongs here: what 45 CFR 164.528 asks for, from the ledger. Exports are disclosures; trainings, evaluations and reads
inside the organisation are uses and stand beside them, because whoever asks usually wants to know both. De-identified
data and limited data sets need no accounting (164.528(a)(1)(viii), 164.514); keeping one anyway is this project's
choice.
"""

import datetime as dt
from dataclasses import dataclass

from lake.zones import Lake
from lineage.access import Access, accessed
from lineage.evidence.made import releases_in_use
from lineage.evidence.pages import environment
from lineage.evidence.past import Past, instant
from lineage.evidence.persons import Persons
from lineage.evidence.recorded import Entry, Record
from lineage.exposures.exposures import exposed
from lineage.ledger.events import EventType
from lineage.ledger.verify import verify
from lineage.principal import now
from schemas.contract import Zone

YEARS = 6
"""164.528(a)(1): six years before the date of the request."""

FOLDER = "reports"

_LEFT = (EventType.EXPORTED,)
_USED = (EventType.TRAINED, EventType.EVALUATED, EventType.ACCESSED)
_PURPOSE = "accounting of disclosures"


@dataclass(frozen=True)
class Disclosed:
    """One line of an account.

    Attributes:
        entry: the entry that says so.
        recipient: who received it, as far as it was recorded.
        what: a brief description of what it was (164.528(b)(2)(iii)).
        purpose: what for.
        certain: whether it was this person's data; False: it may have been, the entry does not say of which split.
    """

    entry: Entry
    recipient: str
    what: str
    purpose: str
    certain: bool


@dataclass(frozen=True)
class Account:
    """What left of a person, and what was used.

    Attributes:
        subject: pseudonym.
        since: first day of the account.
        until: last day.
        disclosures: what left.
        uses: what was used inside.
        undecided: exports of releases that were withdrawn or cannot be opened, of which nobody can say whose data they
            held.
        verified: whether the ledger proves itself.
    """

    subject: str
    since: dt.date
    until: dt.date
    disclosures: tuple[Disclosed, ...]
    uses: tuple[Disclosed, ...]
    undecided: tuple[Entry, ...]
    verified: bool


def account(lake: Lake, subject: str, until: dt.date | None = None, years: int = YEARS) -> Account:
    """The account of a person; making it is an access of its own.

    Args:
        lake: the lake.
        subject: pseudonym.
        until: last day; None: today.
        years: how many years back.
    """
    past = Past.of(lake)
    record, persons = Record.of(past), Persons.of(lake, releases_in_use(past))
    last = until or dt.datetime.now(dt.UTC).date()
    first = _before(last, years)
    places = record.between(*(instant(moment) for moment in (_start(first), _end(last))))
    left = [entry for entry in record.of_type(*_LEFT) if entry.sequence in places]
    used = [entry for entry in record.of_type(*_USED) if entry.sequence in places and not _shadow(entry)]
    made = Account(
        subject,
        first,
        last,
        tuple(_disclosed(persons, entry) for entry in left if _about(persons, entry, subject)),
        tuple(_disclosed(persons, entry) for entry in used if _about(persons, entry, subject)),
        tuple(entry for entry in left if "release" in entry.facts and not persons.known(entry)),
        verify(lake).ok,
    )
    accessed(lake, Access.REPORT, "audit/ledger", len(made.disclosures) + len(made.uses), _PURPOSE)
    return made


def write(lake: Lake, made: Account) -> str:
    """Write the page of an account into the audit zone and return its path or URI."""
    page = environment().get_template("disclosures.html.j2").render(a=made, created=now())
    location = lake.location(Zone.AUDIT, FOLDER)
    name = f"disclosures-{made.subject}.html"
    location.write_bytes(name, page.encode())
    return location.address(name)


def _about(persons: Persons, entry: Entry, subject: str) -> bool:
    if entry.type == EventType.EXPORTED and "model" in entry.facts:
        return subject in exposed(persons.lake, entry.facts["model"])["subject"].to_pylist()
    return any(member.subject == subject for member in persons.members(entry))


def _disclosed(persons: Persons, entry: Entry) -> Disclosed:
    facts = entry.facts
    model = facts.get("model") if entry.type == EventType.EXPORTED else None
    of = f"model {model}" if model else f"release {facts.get('release', facts.get('target'))}"
    detail = [str(facts[name]) for name in ("format", "split", "task", "action") if name in facts]
    return Disclosed(
        entry,
        str(facts.get("recipient", "not recorded" if entry.type == EventType.EXPORTED else "nobody outside")),
        ", ".join([of, *detail]),
        str(facts.get("purpose", "not recorded")),
        bool(model) or persons.certain(entry),
    )


def _shadow(entry: Entry) -> bool:
    """The access that stands beside every export, and would count it twice."""
    return entry.facts.get("action") == Access.EXPORT


def _before(day: dt.date, years: int) -> dt.date:
    try:
        return day.replace(year=day.year - years)
    except ValueError:  # the 29th of February of a year that has none
        return day.replace(year=day.year - years, day=28)


def _start(day: dt.date) -> dt.datetime:
    return dt.datetime.combine(day, dt.time.min, dt.UTC)


def _end(day: dt.date) -> dt.datetime:
    return dt.datetime.combine(day, dt.time.max, dt.UTC)
