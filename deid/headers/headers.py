"""A DICOM file in, a de-identified DICOM file out, with every decision on the way.

Belongs here: the order of the steps. What becomes of an element is `deid.headers.treatment`, whether an object may pass
`deid.headers.objects`, what the output claims `deid.headers.marks`, what its pixels show `deid.pixels.series`. The
output is built from nothing: what is not put in is not in.
"""

from collections import OrderedDict
from collections.abc import Mapping
from functools import cache, partial
from typing import cast

from pydicom.uid import UID

from deid.headers import encoding, facts, marks, objects, values
from deid.headers.cleaned import Bulk, Cleaned
from deid.headers.elements import Dataset, Element, Parsed, parse, text_of
from deid.headers.treatment import Decision, Output, Treater, standard_place
from deid.pixels import pixels, spectra, suspicion
from deid.policy import Rules, Treat, compile_policy
from deid.refusals import Refused
from deid.text.identifiers import Identifiers
from deid.text.text import TextCleaner
from deid.vault import Subject
from schemas.policy import Policy
from schemas.reasons import Reason

_SOP_CLASS, _SOP_INSTANCE, _STUDY, _SERIES = 0x00080016, 0x00080018, 0x0020000D, 0x0020000E
_BIRTH, _AGE, _STUDY_DATE = 0x00100030, 0x00101010, 0x00080020
_SIGNED = 0x00280103
_IDENTITY = (_SOP_CLASS, _SOP_INSTANCE, _STUDY, _SERIES)
_STUDIES = 64
"""Studies whose memos are kept: deliveries come study by study."""


class Deidentifier:
    """De-identifies files by a policy. One a process: it remembers what it decided about repeated values."""

    def __init__(self, policy: Policy) -> None:
        """Compile the policy.

        Raises:
            DocumentError: if the policy contradicts the DICOM data dictionary or itself.
        """
        self._rules: Rules = compile_policy(policy)
        self._cleaner = TextCleaner()
        self._treaters: OrderedDict[tuple[str, bytes, str], Treater] = OrderedDict()
        self._suspect = frozenset(policy.suspect_image_types)
        self._marks = cache(partial(marks.marks, policy))

    @property
    def policy(self) -> Policy:
        """The policy it works by."""
        return self._rules.policy

    def clean(self, data: bytes, subject: Subject, identifiers: Identifiers) -> Cleaned:
        """The de-identified file; the same bytes for the same input, subject, identifiers and policy.

        Args:
            data: a Part 10 file.
            subject: whose it is.
            identifiers: what else identifies the subject, for text; see `deid.text.identifiers.gather`.

        Raises:
            Refused: if the file may not pass or cannot be read; the reason says why, nothing quotes a value.
        """
        parsed = parse(data)
        top = {tag: cast(bytes, value) for tag, vr, value in parsed.dataset.elements if vr != "SQ"}
        kind = objects.admit(top)
        treater = self._treater(subject, identifiers, top[_STUDY].decode("ascii", "replace").strip(" \0"))
        body = Dataset(_without(parsed.dataset.elements, kind.bulk), parsed.dataset.encodings)
        output = treater.dataset(body, signed=top.get(_SIGNED, b"\0\0") == b"\1\0")
        if not all(output.facts.get(tag, ("", b""))[1] for tag in (*_IDENTITY, *kind.essential)):
            raise Refused(Reason.HEADER_INVALID)
        treater.named(output)
        self._fill(output, kind)
        self._derive_age(output, top, parsed.dataset.encodings)
        output.encoded.update(self._marks(output.private, kind.ran))
        bulk, syntax = _bulk(parsed, top, kind, output)
        return self._assembled(output, bulk, syntax, subject, suspicion.evidence(top, self._suspect))

    def _treater(self, subject: Subject, identifiers: Identifiers, study: str) -> Treater:
        key = (subject.code, identifiers.digest, study)
        if key not in self._treaters:
            self._treaters[key] = Treater(self._rules, self._cleaner, subject, identifiers, study)
            if len(self._treaters) > _STUDIES:
                self._treaters.popitem(last=False)
        self._treaters.move_to_end(key)
        return self._treaters[key]

    def _fill(self, output: Output, kind: objects.ObjectKind) -> None:
        """Elements that an object of its kind must have, where the input had none."""
        for tag in kind.filled:
            treatment = self._rules.standard.get(tag)
            if treatment and treatment.treat is Treat.EMPTY and tag not in output.encoded:
                output.encoded[tag] = encoding.element(tag, treatment.vrs[0], b"")

    def _derive_age(self, output: Output, top: Mapping[int, bytes], encodings: tuple[str, ...]) -> None:
        """The age at the study where only the date of birth was given, if the policy keeps ages."""
        if _AGE not in self._rules.standard or output.facts.get(_AGE, ("", b""))[1]:
            return
        birth, study = (text_of(top.get(tag, b""), encodings).strip(" \0") for tag in (_BIRTH, _STUDY_DATE))
        age = values.age_at(birth, study, self.policy.age_cap)
        if age is None:
            return
        output.encoded[_AGE] = encoding.element(_AGE, "AS", age.encode())
        output.facts[_AGE] = ("AS", age.encode())
        rule = self._rules.standard[_AGE].rule
        output.decisions[Decision(standard_place(_AGE), rule, "D", "number", "policy", None)] += 1

    def _assembled(
        self, output: Output, bulk: Bulk | None, syntax: str, subject: Subject, suspected: frozenset[str]
    ) -> Cleaned:
        meta = {
            0x00020002: ("UI", output.facts[_SOP_CLASS][1]),
            0x00020003: ("UI", output.facts[_SOP_INSTANCE][1]),
            0x00020010: ("UI", syntax.encode()),
        }
        return Cleaned(
            meta=meta,
            elements=output.encoded,
            bulk=bulk,
            facts=output.facts,
            decisions=output.decisions,
            header={**facts.columns(output.facts, syntax), "subject": subject.code},
            suspicion=suspected,
            private=output.private,
        )


def _without(elements: list[Element], bulk: int | None) -> list[Element]:
    """The elements but the large one, which is nearly always the last."""
    if elements and elements[-1][0] == bulk:
        return elements[:-1]
    return [element for element in elements if element[0] != bulk]


@cache
def _is_encapsulated(syntax: str) -> bool:
    return bool(UID(syntax).is_encapsulated)


def _bulk(parsed: Parsed, top: dict[int, bytes], kind: objects.ObjectKind, output: Output) -> tuple[Bulk | None, str]:
    """The large element as it leaves, and the transfer syntax that the output then has."""
    if kind.bulk is None:
        return None, encoding.EXPLICIT_LITTLE
    syntax, cut = parsed.transfer_syntax, False
    if kind.bulk == objects.SPECTRA:
        pieces, cut = spectra.native(top, top[kind.bulk])
        syntax = encoding.EXPLICIT_LITTLE
    elif _is_encapsulated(syntax):
        pieces, cut = pixels.encapsulated(top, top[kind.bulk], syntax)
    else:
        pieces, cut = pixels.native(top, top[kind.bulk], kind.bulk)
        syntax = encoding.EXPLICIT_LITTLE
    action, detector = ("C", "value check") if cut else ("K", "policy")
    output.decisions[Decision(standard_place(kind.bulk), "pixel-data", action, "pixels", detector, None)] += 1
    return Bulk(kind.bulk, tuple(pieces)), syntax
