"""A DICOM file in, a de-identified DICOM file out, with every decision on the way.

Belongs here: the order of the steps. What becomes of an element is `deid.treatment`, whether an object may pass
`deid.suspicion`, what the output claims `deid.marks`. The output is built from nothing: what is not put in is not in.
"""

from collections import Counter, OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass

from pydicom.uid import UID

from deid import encoding, facts, marks, pixels, suspicion, values
from deid.elements import PIXEL_DATA, Dataset, Parsed, parse, text_of
from deid.identifiers import Identifiers
from deid.policy import Rules, Treat, compile_policy
from deid.refusals import Refused
from deid.text import TextCleaner
from deid.treatment import Decision, Output, Treater, standard_place
from deid.vault import Subject
from schemas.policy import Policy
from schemas.reasons import Reason

_SOP_CLASS, _SOP_INSTANCE, _STUDY, _SERIES = 0x00080016, 0x00080018, 0x0020000D, 0x0020000E
_NAME, _ID, _BIRTH, _AGE, _STUDY_DATE = 0x00100010, 0x00100020, 0x00100030, 0x00101010, 0x00080020
_SIGNED = 0x00280103
_ESSENTIAL = (0x00280010, 0x00280011, 0x00280100, _SOP_CLASS, _SOP_INSTANCE, _STUDY, _SERIES)
_STUDIES = 64
"""Studies whose memos are kept: deliveries come study by study."""


@dataclass(frozen=True)
class Cleaned:
    """A de-identified file.

    Attributes:
        data: the Part 10 file; explicit VR little endian, or compressed as it came.
        decisions: what was done, and how often.
        header: the columns of `schemas.tables.INSTANCES` that come from the header, and `subject`.
    """

    data: bytes
    decisions: Counter[Decision]
    header: Mapping[str, object]


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
        self._marks = {kept: marks.marks(policy, kept) for kept in (False, True)}

    @property
    def policy(self) -> Policy:
        """The policy it works by."""
        return self._rules.policy

    def clean(self, data: bytes, subject: Subject, identifiers: Identifiers) -> Cleaned:
        """The de-identified file; the same bytes for the same input, subject, identifiers and policy.

        Args:
            data: a Part 10 file.
            subject: whose it is.
            identifiers: what else identifies the subject, for text; see `deid.identifiers.gather`.

        Raises:
            Refused: if the file may not pass or cannot be read; the reason says why, nothing quotes a value.
        """
        parsed = parse(data)
        top = {tag: value for tag, _, value in parsed.dataset.elements if isinstance(value, bytes)}
        suspicion.check(top, PIXEL_DATA in top, self._suspect)
        treater = self._treater(subject, identifiers, top[_STUDY].decode("ascii", "replace").strip(" \0"))
        body = Dataset([e for e in parsed.dataset.elements if e[0] != PIXEL_DATA], parsed.dataset.encodings)
        output = treater.dataset(body, signed=top.get(_SIGNED, b"\0\0") == b"\1\0")
        if not all(output.facts.get(tag, ("", b""))[1] for tag in _ESSENTIAL):
            raise Refused(Reason.HEADER_INVALID)
        self._name(output, subject)
        self._fill(output)
        self._derive_age(output, top, parsed.dataset.encodings)
        output.encoded.extend(self._marks[output.private])
        return self._assemble(parsed, top, output, subject)

    def _treater(self, subject: Subject, identifiers: Identifiers, study: str) -> Treater:
        key = (subject.code, identifiers.digest, study)
        if key not in self._treaters:
            self._treaters[key] = Treater(self._rules, self._cleaner, subject, identifiers, study)
            if len(self._treaters) > _STUDIES:
                self._treaters.popitem(last=False)
        self._treaters.move_to_end(key)
        return self._treaters[key]

    def _name(self, output: Output, subject: Subject) -> None:
        code = subject.code.encode()
        for tag, vr, kind in ((_NAME, "PN", "name"), (_ID, "LO", "id")):
            place = standard_place(tag)
            output.decisions = [d for d in output.decisions if d.element != place]
            output.decisions.append(Decision(place, "pseudonym", "D", kind, "vault", None))
            output.encoded.append((tag, encoding.element(tag, vr, code)))

    def _fill(self, output: Output) -> None:
        """Elements that an image must have, where the input had none."""
        present = {tag for tag, _ in output.encoded}
        for tag, treatment in self._rules.standard.items():
            if treatment.treat is Treat.EMPTY and tag not in present:
                output.encoded.append((tag, encoding.element(tag, treatment.vrs[0], b"")))

    def _derive_age(self, output: Output, top: Mapping[int, bytes], encodings: tuple[str, ...]) -> None:
        """The age at the study where only the date of birth was given, if the policy keeps ages."""
        if _AGE not in self._rules.standard or output.facts.get(_AGE, ("", b""))[1]:
            return
        birth, study = (text_of(top.get(tag, b""), encodings).strip(" \0") for tag in (_BIRTH, _STUDY_DATE))
        age = values.age_at(birth, study, self.policy.age_cap)
        if age is None:
            return
        output.encoded = [pair for pair in output.encoded if pair[0] != _AGE]
        output.encoded.append((_AGE, encoding.element(_AGE, "AS", age.encode())))
        output.facts[_AGE] = ("AS", age.encode())
        rule = self._rules.standard[_AGE].rule
        output.decisions.append(Decision(standard_place(_AGE), rule, "D", "number", "policy", None))

    def _assemble(self, parsed: Parsed, top: dict[int, bytes], output: Output, subject: Subject) -> Cleaned:
        syntax = parsed.transfer_syntax
        if UID(syntax).is_encapsulated:
            pieces, cut = pixels.encapsulated(top[PIXEL_DATA]), False
        else:
            pieces, cut = pixels.native(top, top[PIXEL_DATA])
            syntax = encoding.EXPLICIT_LITTLE
        action, detector = ("C", "value check") if cut else ("K", "policy")
        output.decisions.append(Decision(standard_place(PIXEL_DATA), "pixel-data", action, "pixels", detector, None))
        meta = {
            0x00020002: ("UI", output.facts[_SOP_CLASS][1]),
            0x00020003: ("UI", output.facts[_SOP_INSTANCE][1]),
            0x00020010: ("UI", syntax.encode()),
        }
        header = facts.columns(output.facts, syntax)
        header["subject"] = subject.code
        return Cleaned(encoding.part10(meta, [*output.body(), *pieces]), Counter(output.decisions), header)
