"""What becomes of each element: the rules of a policy applied to one dataset, for one subject's study.

Belongs here: the allow-list itself. An element that no rule names is not copied, at whatever depth it stands. What a
rule does to a value is `deid.headers.manners`; whole files, marks and pixels are `deid.headers.headers`.

Files of a study repeat each other, so what became of an element is remembered by its tag, value representation and
value, and what became of a sequence by its bytes: most elements cost one look-up.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

from deid.decisions import (
    CHECK,
    POLICY,
    UNNAMED,
    VAULT,
    Decision,
    Ledger,
    kind_of_value,
    private_place,
    standard_place,
)
from deid.headers import codes, content, encoding, vendor
from deid.headers.drafts import Draft, Fact, Found, Known, More, Place, Space
from deid.headers.elements import items_of
from deid.headers.manners import Manners, Treated, dropped, kept
from deid.headers.parsed import Dataset, Element, Items, text_of
from deid.policy import Rules, Treat, Treatment
from deid.text.identifiers import Identifiers
from deid.text.text import TextCleaner
from deid.vault import Subject

__all__ = ["CHECK", "POLICY", "UNNAMED", "VAULT", "Decision", "Output", "Treater", "private_place", "standard_place"]

MEMO = 1 << 16
"""Elements that are remembered."""
_LONGEST_MEMO = 512
"""Bytes of the longest value that is remembered; longer ones hardly ever repeat."""
_LONGEST_SEQUENCE = 4096
_CREATORS = range(0x10, 0x100)
_CHARACTERS = frozenset({"CS", "SH", "LO", "ST", "LT", "UT", "UC", "DS", "IS", "AS"})
_PSEUDONYMS = {0x00100010: ("PN", "name"), 0x00100020: ("LO", "id")}
"""Elements whose value is the subject's code: value representation and kind."""


@dataclass(slots=True)
class Output:
    """What leaves of one dataset.

    Attributes:
        encoded: encoded elements by tag.
        decisions: what was decided, and how often; nested elements included.
        facts: first value of each tag that leaves, nested ones included.
        private: whether a private element leaves.
    """

    encoded: dict[int, bytes] = field(default_factory=dict)
    decisions: Counter[Decision] = field(default_factory=Counter)
    facts: dict[int, Fact] = field(default_factory=dict)
    private: bool = False


class Treater:
    """The rules for one study of one subject, remembering what it decided about each value."""

    def __init__(self, rules: Rules, cleaner: TextCleaner, subject: Subject, ids: Identifiers, study: str) -> None:
        """Prepare for a study, given by its original UID."""
        self._rules, self._subject = rules, subject
        self._manners = Manners(rules.policy, cleaner, subject, ids, study)
        self._known_creators = frozenset(creator for creator, _ in rules.private)
        self._forget()

    def _forget(self) -> None:
        self._ledger, self._remembered = Ledger(), 0
        self._spaces: dict[tuple[str, tuple[str, ...], bool, tuple[Element, ...]], Space] = {}

    def dataset(self, dataset: Dataset, signed: bool = False) -> Output:
        """What leaves of a file's dataset.

        Args:
            dataset: its elements.
            signed: whether Pixel Representation makes US-or-SS elements signed where the file leaves it open.
        """
        if self._ledger.full or self._remembered > MEMO:
            self._forget()
        draft = self._draft(dataset, "", signed)
        counted = self._ledger.counted(self._ledger.merged(draft.numbers))
        return Output(draft.encoded, counted, draft.facts, draft.private)

    def _draft(self, dataset: Dataset, path: str, signed: bool) -> Draft:
        draft = Draft()
        space = self._space(dataset, path, signed)
        memo, encoded, facts, count = space.memo, draft.encoded, draft.facts, draft.numbers.append
        last = None
        for element in dataset.elements:
            _, vr, value = element
            known = memo.get(element) if vr != "SQ" and len(value) <= _LONGEST_MEMO else None  # type: ignore[arg-type]
            number, target, leaves, fact, more = known or self._learnt(space, element)
            count(number)
            if fact is not None:
                encoded[target] = leaves  # type: ignore[assignment]
                facts[target] = fact  # an element of a sequence that came before says less
            elif leaves is not None:
                encoded.setdefault(target, leaves)  # a creator that reserves two blocks gives an element once
            if more is not last and more is not None:
                draft.add(more, value)
            last = more  # elements of one private block bring the same, one after the other
        if draft.blobs:
            self._derive(space, draft)
        return draft

    def _space(self, dataset: Dataset, path: str, signed: bool) -> Space:
        reserving = tuple([e for e in dataset.elements if e[0] & 0x1FF00 == 0x10000 and e[1] != "SQ"])
        key = (path, dataset.encodings, signed, reserving)
        space = self._spaces.get(key)
        if space is None:
            creators = {
                tag >> 8 & 0xFFFF00 | tag & 0xFF: text_of(value, dataset.encodings).strip(" \0")
                for tag, _, value in reserving
                if _reserves(tag) and not isinstance(value, list)
            }
            space = self._spaces[key] = Space(path, dataset.encodings, signed, creators)
            self._remembered += 1
        return space

    def _learnt(self, space: Space, element: Element) -> Known:
        """What becomes of an element that was not seen before, or is too long to be remembered whole."""
        tag, vr, value = element
        key = (tag, vr, value.raw if isinstance(value, Items) else value)
        whole = isinstance(key[2], bytes) and 0 < len(key[2]) <= (_LONGEST_SEQUENCE if vr == "SQ" else _LONGEST_MEMO)
        known = space.memo.get((tag, vr)) or (space.memo.get(key) if whole else None)  # type: ignore[arg-type]
        if known is None:
            known, always = self._decided(space, element)
            if always:
                space.memo[tag, vr] = known
        if whole and self._remembered <= MEMO:
            space.memo[key] = known  # type: ignore[index]
            self._remembered += 1
        return known

    def _decided(self, space: Space, element: Element) -> tuple[Known, bool]:
        """What becomes of an element, and whether that is so whatever its value is."""
        tag, vr, value = element
        if tag & 0x10000:
            return self._private(space, element)
        if tag in _PSEUDONYMS and not space.path and not isinstance(value, list):
            return self._pseudonym(tag), True
        place, treatment = space.path + standard_place(tag), self._rules.standard.get(tag)
        if treatment is None:
            more = More(blob=("", tag)) if ("", tag) in vendor.BLOBS and not space.path else None
            return Known(self._ledger.number(dropped(place, UNNAMED, vr, POLICY).decisions), tag, more=more), True
        if isinstance(value, list):
            return self._sequence(space, tag, treatment, value), False
        representation = _representation(treatment, vr, space.signed)
        if representation is None:
            treated = dropped(place, treatment.rule, vr, CHECK)
        else:
            treated = self._manners.treat(place, treatment, representation, value, space.encodings)
        treated, encoded = _encoded(tag, treated)
        return Known(self._ledger.number(treated.decisions), tag, encoded, treated.value), False

    def _pseudonym(self, tag: int) -> Known:
        vr, kind = _PSEUDONYMS[tag]
        code = self._subject.code.encode()
        decision = Decision(standard_place(tag), "pseudonym", "D", kind, VAULT, None)
        return Known(self._ledger.number((decision,)), tag, encoding.element(tag, vr, code), (vr, code))

    def named(self, output: Output) -> None:
        """Give an output the subject's code where its file had no element for it."""
        for tag in _PSEUDONYMS.keys() - output.encoded.keys():
            known = self._pseudonym(tag)
            output.encoded[tag] = known.encoded or b""
            output.decisions.update(self._ledger.counted(known.number))

    def _sequence(self, space: Space, tag: int, treatment: Treatment, items: list[Dataset]) -> Known:
        place = space.path + standard_place(tag)
        if treatment.treat is Treat.CODES:
            return self._concepts(place, tag, treatment, items)
        if treatment.treat is not Treat.SEQUENCE:
            return Known(self._ledger.number(dropped(place, treatment.rule, "SQ", POLICY).decisions), tag)
        numbers = [self._ledger.number((Decision(place, treatment.rule, "K", "sequence", POLICY, None),))]
        bodies: list[bytes] = []
        facts: dict[int, Fact] = {}
        private = False
        for item in items:
            judged = content.judged(tag, item, self._rules.policy.age_cap)
            inner = self._draft(judged.item, f"{place}>", space.signed)
            for given, (vr, value) in judged.given.items():
                inner.encoded[given] = encoding.element(given, vr, value)
                inner_place = f"{place}>{standard_place(given)}"
                decision = Decision(inner_place, content.RULE, "D", kind_of_value(vr), CHECK, None)
                inner.numbers.append(self._ledger.number((decision,)))
            bodies.append(inner.body())
            numbers.append(self._ledger.merged(inner.numbers))
            facts.update((fact, inner.facts[fact]) for fact in inner.facts.keys() - facts.keys())
            private = private or inner.private
        more = More(facts=facts, private=private)
        return Known(self._ledger.merged(numbers), tag, encoding.sequence(tag, bodies), None, more)

    def _concepts(self, place: str, tag: int, treatment: Treatment, items: list[Dataset]) -> Known:
        bodies = [body for item in items if (body := codes.concept(item, treatment.instead)) is not None]
        action, detector = ("K", POLICY) if all(map(codes.known, items)) else ("C", CHECK)
        number = self._ledger.number((Decision(place, treatment.rule, action, "code", detector, None),))
        return Known(number, tag, None if items and not bodies else encoding.sequence(tag, bodies))

    def _private(self, space: Space, element: Element) -> tuple[Known, bool]:
        tag, vr, value = element
        group, number = tag >> 16, tag & 0xFFFF
        creator = space.creators.get(group << 8 | number >> 8, "")
        key = (creator, group << 8 | number & 0xFF)
        treatment = self._rules.private.get(key) if number >= _CREATORS.start << 8 else None
        place = space.path + private_place(group, number, creator, self._known_creators)
        if treatment is None:
            more = More(blob=key) if key in vendor.BLOBS and not isinstance(value, list) else None
            decisions = dropped(place, UNNAMED, vr, POLICY).decisions
            return Known(self._ledger.number(decisions), tag, more=more), True
        representation = _representation(treatment, vr, signed=False)
        numbers: list[int] = []
        if representation == "SQ" and isinstance(value, bytes):
            value = items_of(value, space.encodings) or value
        if representation is None or isinstance(value, list) != (treatment.treat is Treat.SEQUENCE):
            treated = dropped(place, treatment.rule, vr, CHECK)
        elif isinstance(value, list):
            treated = self._private_items(space, place, treatment, value, numbers)
        else:
            treated = self._manners.treat(place, treatment, representation, value, ())
        block = space.blocks[group, creator]
        target = group << 16 | block << 8 | number & 0xFF
        treated, encoded = _encoded(target, treated)
        number = self._ledger.merged([*numbers, self._ledger.number(treated.decisions)])
        more = None if encoded is None else space.reserving(group, block, creator)
        return Known(number, target, encoded, None, more), False

    def _private_items(
        self, space: Space, place: str, treatment: Treatment, items: list[Dataset], numbers: list[int]
    ) -> Treated:
        """A private sequence; what its items say of an object counts less than what the standard's elements say."""
        inner = [self._draft(item, f"{place}>", space.signed) for item in items]
        numbers.extend(number for draft in inner for number in draft.numbers)
        bodies = [draft.body() for draft in inner]
        if not any(bodies):
            return dropped(place, treatment.rule, "SQ", POLICY)
        value = encoding.sequence(0, bodies)[encoding.LONG_HEAD :]
        return kept(place, treatment.rule, "K", "sequence", POLICY, ("SQ", value))

    def _derive(self, space: Space, draft: Draft) -> None:
        """Numbers of blobs that do not leave, where the policy keeps such and the file does not carry them itself."""
        made: dict[Place, dict[int, Fact]] = {}
        for found in vendor.derived(draft.blobs):
            if not found.creator:
                self._derive_standard(space, draft, found)
                continue
            group, offset = found.place >> 8, found.place & 0xFF
            block = space.blocks.get((group, found.creator))
            if block and group << 16 | block << 8 | offset in draft.encoded:
                continue
            known = space.derived.get(found)
            if known is None:
                known = space.derived[found] = self._found(space, found)
                self._remembered += 1
            if known.number is not None:
                draft.numbers.append(known.number)
            if known.fact is not None:
                made.setdefault((group, found.creator), {})[offset] = known.fact
        self._place(space, draft, made)

    def _found(self, space: Space, found: vendor.Derived) -> Found:
        treatment = self._rules.private.get((found.creator, found.place))
        if treatment is None:
            return Found()
        number = found.place & 0xFF | _CREATORS.start << 8
        place = space.path + private_place(found.place >> 8, number, found.creator, self._known_creators)
        treated = self._manners.treat(place, treatment, found.vr, found.value, ())
        return Found(self._ledger.number(tuple(d._replace(action="D") for d in treated.decisions)), treated.value)

    def _derive_standard(self, space: Space, draft: Draft, found: vendor.Derived) -> None:
        """A number of a blob for which the standard has an element; only where the blob stands at the top."""
        treatment = self._rules.standard.get(found.place)
        if treatment is None or space.path or found.place in draft.encoded:
            return
        treated = self._manners.treat(standard_place(found.place), treatment, found.vr, found.value, ())
        draft.numbers.append(self._ledger.number(tuple(d._replace(action="D") for d in treated.decisions)))
        if treated.value is not None:
            draft.encoded[found.place] = encoding.element(found.place, *treated.value)
            draft.facts.setdefault(found.place, treated.value)

    @staticmethod
    def _place(space: Space, draft: Draft, made: Mapping[Place, Mapping[int, Fact]]) -> None:
        """Put derived elements into their creator's block, or a free one."""
        if not made:
            return
        taken = {(tag >> 16, tag & 0xFF) for tag in draft.encoded if tag & 0x1FF00 == 0x10000}
        taken |= {(group, space.blocks[group, creator]) for group, creator in made if (group, creator) in space.blocks}
        for (group, creator), elements in sorted(made.items()):
            block = space.blocks.get((group, creator)) or next(
                b for b in (vendor.USUAL_BLOCKS.get(creator, 0x10), *_CREATORS) if (group, b) not in taken
            )
            taken.add((group, block))
            draft.add(space.reserving(group, block, creator), b"")
            for offset, (vr, value) in elements.items():
                tag = group << 16 | block << 8 | offset
                draft.encoded[tag] = encoding.element(tag, vr, value)


def _reserves(tag: int) -> bool:
    """Whether the element reserves a private block."""
    return tag & 0x1FF00 == 0x10000 and tag & 0xFF in _CREATORS


def _representation(treatment: Treatment, vr: str, signed: bool) -> str | None:
    """The value representation to read a value by; None if what the file says contradicts the standard."""
    if vr in treatment.vrs:
        return "SS" if signed and vr == "US" and "SS" in treatment.vrs else vr
    if vr == "UN" or {vr, treatment.vrs[0]} <= _CHARACTERS:
        return treatment.vrs[0]
    return None


def _encoded(tag: int, treated: Treated) -> tuple[Treated, bytes | None]:
    """The treated value as an element; dropped if it is too long to be one."""
    if treated.value is None:
        return treated, None
    vr, value = treated.value
    try:
        return treated, encoding.element(tag, vr, value)
    except ValueError:
        return Treated(None, tuple(d._replace(action="X", detector=CHECK) for d in treated.decisions)), None
