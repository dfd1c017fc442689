"""Larmor as the stations call it, on files in memory.

Belongs here: subjects, identifiers and the order of the steps, as `stages.instances` has them, without a lake.
"""

from collections import Counter, defaultdict
from pathlib import Path

from deid.headers.cleaned import Cleaned
from deid.headers.elements import parse
from deid.headers.headers import Deidentifier
from deid.headers.treatment import Decision
from deid.policy import load_policy
from deid.refusals import Refused
from deid.text.identifiers import Identifiers, Pair, gather
from deid.vault import Subject, Vault
from lake.stores.storage import Location

Files = dict[str, bytes]
_ID, _STUDY = 0x00100020, 0x0020000D
SCOPE_END = "~"
"""What stands in a file's name behind the licensor; a name without it is of one and the same licensor."""


class Cleaning:
    """De-identifies sets of files; each set starts without anything remembered of the last."""

    def __init__(self, vault: Path, policy: str, *, recorded: bool, pixels: bool) -> None:
        """Take a policy and the folder of a vault, which is made if there is none."""
        vault.mkdir(exist_ok=True)
        self._vault = Vault.open(Location(vault))
        self._policy = load_policy(policy)
        self._recorded, self._pixels = recorded, pixels
        self._known: dict[str, tuple[Subject, Identifiers]] | None = None

    def work(self, files: Files) -> tuple[Files, Counter[str]]:
        """What becomes of the files, and how many were refused, by reason."""
        if self._recorded or self._known is None:
            self._known = self._gathered(files)
        deidentifier = Deidentifier(self._policy)
        failed: Counter[str] = Counter()
        cleaned: dict[str, Cleaned] = {}
        for name, data in files.items():
            if name not in self._known:
                failed[Refused.__name__] += 1
                continue
            try:
                cleaned[name] = deidentifier.clean(data, *self._known[name])
            except Refused as refused:
                failed[refused.reason.value] += 1
        if self._pixels:
            cleaned = self._looked_at(cleaned, failed)
        if self._recorded:
            _summed(cleaned)
        return {name: one.data for name, one in cleaned.items()}, failed

    def _gathered(self, files: Files) -> dict[str, tuple[Subject, Identifiers]]:
        """Whose each file is, and what identifies that person in any of the files."""
        pairs: defaultdict[str, set[Pair]] = defaultdict(set)
        subjects: dict[str, Subject] = {}
        for name, data in files.items():
            try:
                dataset = parse(data, pixels=False).dataset
            except Refused:
                continue
            top = {tag: value for tag, _, value in dataset.elements if isinstance(value, bytes)}
            identity = top.get(_ID, b"").strip(b" \0") or top.get(_STUDY, b"").strip(b" \0") or b"unknown"
            scope = name.split(SCOPE_END)[0] if SCOPE_END in name else ""
            subjects[name] = self._vault.subject(scope, identity.decode("utf-8", "replace"))
            pairs[subjects[name].code] |= gather(dataset)
        known = {code: Identifiers.of(found) for code, found in pairs.items()}
        return {name: (subject, known[subject.code]) for name, subject in subjects.items()}

    def _looked_at(self, cleaned: dict[str, Cleaned], failed: Counter[str]) -> dict[str, Cleaned]:
        from deid.pixels.series import treat

        assert self._known is not None, "gathered before"
        series: defaultdict[object, list[str]] = defaultdict(list)
        for name, one in cleaned.items():
            series[one.header["series"]].append(name)
        passed: dict[str, Cleaned] = {}
        for names in series.values():
            treated = treat([cleaned[name] for name in names], self._known[names[0]][1], self._policy)
            for name, outcome in zip(names, treated, strict=True):
                if isinstance(outcome, Refused):
                    failed[outcome.reason.value] += 1
                else:
                    passed[name] = outcome
        return {name: passed[name] for name in cleaned if name in passed}


def _summed(cleaned: dict[str, Cleaned]) -> Counter[tuple[object, Decision]]:
    """Rows of the decisions table: one a series and decision."""
    rows: Counter[tuple[object, Decision]] = Counter()
    for one in cleaned.values():
        for decision, count in one.decisions.items():
            rows[one.header["series"], decision] += count
    return rows
