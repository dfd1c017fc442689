"""De-identification beside other tools: identifiers left, attributes kept, identity over files, and speed.

Belongs here: what is measured and how it is laid out. All tools see the same files in one run; a speed is files a
second of processor time on one core, read from and written to memory, and a claim is a ratio of medians.
"""

import statistics
import tempfile
from collections import Counter, defaultdict
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path

from benchmarks import corpora
from benchmarks.peers import NoPeers, Peer, lay_out, peer, python
from benchmarks.traps.cohort import Cohort, cohort, judge
from benchmarks.traps.key import Key, answer_key
from benchmarks.traps.research import lost
from benchmarks.traps.search import leaks

ROUNDS = 5
DOCUMENT = Path(__file__).parent.parent / "docs" / "reference" / "measured-deidentification.md"
NAMES = {
    "floor-decoded": "pydicom, read and write, every element decoded",
    "floor": "pydicom, read and write",
    "dicognito": "dicognito 0.19.0, seeded",
    "dicom-anonymizer": "dicom-anonymizer 2.1.0",
    "larmor-headers": "Larmor, headers",
    "larmor-recorded": "Larmor, headers, identifiers gathered, decisions summed",
    "larmor-pixels": "Larmor, headers and pixels",
    "larmor-safe-harbor": "Larmor, headers and pixels, safe_harbor",
}
FOREIGN = ("dicognito", "dicom-anonymizer")
CLEANERS = (*FOREIGN, "larmor-headers", "larmor-pixels", "larmor-safe-harbor")
TIMED = ("floor-decoded", "floor", *FOREIGN, "larmor-headers", "larmor-recorded")


def run() -> str:
    """Measure, write the tables into the documentation, and give them."""
    missing = _missing()
    usable = [tool for tool in NAMES if not (missing and tool in FOREIGN)]
    parts = [missing] if missing else []
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        cleaners = [tool for tool in CLEANERS if tool in usable]
        parts.append(_left(answer_key(), cleaners, root / "key"))
        parts.append(_identity(cohort(), cleaners, root / "cohort"))
        timed = [tool for tool in TIMED if tool in usable]
        files = corpora.classic()
        parts.append(_speed(f"Speed: {len(files)} classic MR files", files, timed, root / "classic"))
        files = corpora.mixed()
        parts.append(_speed(f"Speed: {len(files)} mixed files", files, timed, root / "mixed"))
    text = "\n\n".join(parts)
    DOCUMENT.write_text(f"{_INTRODUCTION}\n{text}\n", encoding="utf-8")
    return text


_INTRODUCTION = """# Measured: de-identification beside other tools

`make bench` writes this page. The files are invented by `benchmarks/traps`; each tool runs with its defaults, dicognito
with a seed. A value counts as left if its bytes can be read anywhere in the output, in any usual encoding; a file that
a tool refuses leaves nothing and keeps nothing. Speeds are files a second of processor time on one core, from memory to
memory; the ratio of medians is the claim, because machines differ. Larmor runs the policy `expert_determination` where
no other is named; `safe_harbor` leaves only the year of a date, so it keeps no intervals by design. A set of files is
cleaned with nothing remembered of the last one.
"""


def _missing() -> str:
    try:
        python()
    except NoPeers as reason:
        return f"Other tools were not measured: {reason}."
    return ""


def _left(key: Key, tools: list[str], folder: Path) -> str:
    files = lay_out(key.files, folder)
    found: dict[str, Counter[str]] = {}
    facts = [
        "### Identifiers left and research attributes kept",
        _row("", *(NAMES[t] for t in tools)),
        _rule(len(tools)),
    ]
    kept, held = [], []
    for tool in tools:
        with peer(tool, files) as running:
            outputs = running.outputs()
            failed = running.work()["failed"]
        found[tool] = Counter(token.category for token in leaks(key.tokens, outputs))
        kept.append(len(key.expected) - len(lost(key.expected, outputs)))
        held.append(", ".join(f"{n} {reason}" for reason, n in sorted(failed.items())) or "none")
    planted = Counter(token.category for token in key.tokens)
    for category, count in sorted(planted.items()):
        facts.append(_row(f"{category} ({count})", *(found[tool][category] for tool in tools)))
    facts.append(_row(f"**all ({len(key.tokens)})**", *(f"**{found[tool].total()}**" for tool in tools)))
    facts.append(_row(f"research attributes kept ({len(key.expected)})", *kept))
    facts.append(_row(f"files not written ({len(key.files)})", *held))
    return "\n".join(facts)


def _identity(known: Cohort, tools: list[str], folder: Path) -> str:
    files = lay_out(known.files, folder)
    verdicts: defaultdict[str, list[bool]] = defaultdict(list)
    for tool in tools:
        with peer(tool, files) as running:
            first = running.outputs()
        with peer(tool, files) as running:
            second, third = running.outputs(reverse=True), running.outputs()
        holds = judge(known, first) | {
            "same bytes in another process and order": bool(first) and first == second == third
        }
        for name, verdict in holds.items():
            verdicts[name].append(verdict)
    rows = [_row(_QUESTIONS.get(name, name), *("yes" if v else "no" for v in each)) for name, each in verdicts.items()]
    return "\n".join(["### Identity over files", _row("", *(NAMES[t] for t in tools)), _rule(len(tools)), *rows])


_QUESTIONS = {
    "references": "references point to the new UIDs",
    "grouping": "studies and series stay together",
    "patient id": "patient id usable",
    "interval": "20 days between studies kept, dates changed",
    "subjects apart": "the same id at two institutions: two subjects",
}


def _speed(title: str, files: Mapping[str, bytes], tools: list[str], folder: Path) -> str:
    place = lay_out(files, folder)
    rates: defaultdict[str, list[float]] = defaultdict(list)
    failed: dict[str, Mapping[str, int]] = {}
    with ExitStack() as stack:
        running: dict[str, Peer] = {tool: stack.enter_context(peer(tool, place)) for tool in tools}
        for each in running.values():
            each.work()
        for _ in range(ROUNDS):
            for tool, each in running.items():
                answer = each.work()
                rates[tool].append(len(files) / answer["cpu"])
                failed[tool] = answer["failed"]
    base = "dicognito" if "dicognito" in tools else "floor-decoded"
    middle = {tool: statistics.median(rates[tool]) for tool in tools}
    rows = [f"### {title}", _row("", "files/s, median (min to max)", f"times {NAMES[base]}", "not written"), _rule(3)]
    for tool in tools:
        spread = f"{middle[tool]:.0f} ({min(rates[tool]):.0f} to {max(rates[tool]):.0f})"
        reasons = ", ".join(f"{n} {reason}" for reason, n in sorted(failed[tool].items())) or "none"
        rows.append(_row(NAMES[tool], spread, f"{middle[tool] / middle[base]:.1f}", reasons))
    return "\n".join(rows)


def _row(*cells: object) -> str:
    return f"| {' | '.join(map(str, cells))} |"


def _rule(columns: int) -> str:
    return "|---" * (columns + 1) + "|"
