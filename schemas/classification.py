"""What a rules document of classification may say: which facts of a series give which answer, and how surely.

Belongs here: the vocabulary of the document and its validation. What a fact is and how rules are applied is
`imaging.kinds.rules`; the table that ships is `imaging/kinds/rules.yaml`.
"""

import re
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from schemas.document import Document

QUESTIONS = ("body_part", "plane", "contrast", "contrast_agent", "fat_suppression", "dimensions", "part")
"""What is asked of every series; each has an answer, `unknown` among them."""

ANSWERS: dict[str, frozenset[str]] = {
    "plane": frozenset({"axial", "coronal", "sagittal", "oblique"}),
    "contrast_agent": frozenset({"given", "none"}),
    "fat_suppression": frozenset({"suppressed", "none"}),
    "dimensions": frozenset({"2D", "3D"}),
    "part": frozenset({"magnitude", "phase", "real", "imaginary"}),
}
"""Answers of the questions that have no others; body parts and contrasts may be added to."""


def _expression(text: str) -> str:
    try:
        re.compile(text)
    except re.error:
        raise ValueError("needed a regular expression of Python's re") from None
    return text


def _range(limits: tuple[float | None, float | None]) -> tuple[float | None, float | None]:
    low, high = limits
    if low is None and high is None:
        raise ValueError("needed at least one limit")
    if low is not None and high is not None and low > high:
        raise ValueError("needed the lower limit first")
    return limits


Expression = Annotated[str, Field(min_length=1), AfterValidator(_expression)]
"""Regular expression, searched for in lower-case text in which `_` and `-` are spaces."""
Range = Annotated[tuple[float | None, float | None], AfterValidator(_range)]
"""Lowest and highest value, both included; null leaves a side open. A fact that is not stated lies in no range."""
Limits = Range | Literal["absent", "stated"]
Answer = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9* -]{0,31}$")]
Identifier = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{1,47}$")]
Confidence = Annotated[float, Field(ge=0.5, le=0.99)]


class Words(Document):
    """What a set of code words must hold.

    Attributes:
        any: at least one of these is there.
        all: all of these are there.
        none: none of these is there.
    """

    any: frozenset[str] = frozenset()
    all: frozenset[str] = frozenset()
    none: frozenset[str] = frozenset()

    @model_validator(mode="after")
    def _some(self) -> Self:
        if not (self.any or self.all or self.none):
            raise ValueError("needed words under any, all or none")
        return self


class When(Document):
    """Conditions on the facts of a series, all of which must hold.

    Times are in ms, angles in degrees, lengths in mm, b-values in s/mm2, field strength in tesla.
    """

    sequence: Words | None = None
    """Scanning Sequence (0018,0020), of enhanced instances what corresponds: SE, GR, IR, EP, RM."""
    variant: Words | None = None
    """Sequence Variant (0018,0021): SK, SP, SS, MP, MTC, OSP and so on."""
    options: Words | None = None
    """Scan Options (0018,0022), and Spectrally Selected Suppression (0018,9025) and Excitation (0018,9026)."""
    image_type: Words | None = None
    """All values of Image Type (0008,0008) or Frame Type (0008,9007)."""
    acquisition_contrast: Words | None = None
    """Acquisition Contrast (0008,9209); ASL, TOF and PHASE_CONTRAST where the pulse sequence module says so."""
    vendor: Words | None = None
    """ge, siemens, philips, canon, uih or other."""
    dimensions: Literal["2D", "3D"] | None = None
    """MR Acquisition Type (0018,0023)."""
    part: Words | None = None
    """magnitude, phase, real, imaginary: those that the series holds."""
    sequence_name: Expression | None = None
    """Sequence Name (0018,0024), Pulse Sequence Name (0018,9005), or GE's internal one."""
    body_part: Expression | None = None
    """Body Part Examined (0018,0015), or the Anatomic Region's meaning."""
    names: Expression | None = None
    """Series Description and Protocol Name; a rule that needs them belongs under `named`, unless it needs more."""
    echo_time: Limits | None = None
    """The shortest."""
    echo_spacing: Limits | None = None
    """From the shortest echo time to the next one."""
    echoes: Limits | None = None
    """Distinct echo times."""
    echo_train: Limits | None = None
    """Echo Train Length."""
    repetition_time: Limits | None = None
    inversion_time: Limits | None = None
    """Zero counts as absent."""
    flip_angle: Limits | None = None
    b_value: Limits | None = None
    """The highest."""
    repeats: Limits | None = None
    """Slices at the fullest position."""
    positions: Limits | None = None
    """Distinct slice positions of an echo."""
    orientations: Limits | None = None
    """Distinct slice orientations, more than 30 degrees apart."""
    slice_thickness: Limits | None = None
    field_strength: Limits | None = None
    angio: bool | None = None
    """Angio Flag (0018,0025) is Y."""
    contrast_agent: Literal["given", "none", "absent"] | None = None
    """What elements of contrast agents say; absent where there are none."""

    @model_validator(mode="after")
    def _some(self) -> Self:
        if not self.model_fields_set:
            raise ValueError("needed at least one condition")
        return self


class Rule(Document):
    """What every rule says.

    Attributes:
        id: name of the rule, in the evidence of every series that it answers.
        answer: what it says; unknown where nobody should answer, whatever rules behind it and names say.
        confidence: how often it is right where it holds.
        also: of a measured rule, answers that the same facts allow, of which a name may choose one; of a named rule,
            answers that it does not contradict.
    """

    id: Identifier
    answer: Answer
    confidence: Confidence
    also: frozenset[Answer] = frozenset()


class Measured(Rule):
    """A rule on what was measured or stated in code words; of a question's rules the first that holds answers.

    Attributes:
        when: where it holds.
        because: why the limits are what they are, for a reader.
    """

    when: When
    because: str = Field(min_length=1)


class Named(Rule):
    """A rule on words of descriptions, which people write; alone it gives less confidence.

    Attributes:
        words: what to look for.
    """

    words: Expression


class Question(Document):
    """Rules of one question, each list in the order of trial."""

    measured: tuple[Measured, ...] = ()
    named: tuple[Named, ...] = ()

    @property
    def every(self) -> list[Rule]:
        """Rules of both kinds."""
        return [*self.measured, *self.named]


class Rules(Document):
    """A rules document.

    Attributes:
        name: what the evidence and the ledger call it.
        without: ids of shipped rules that do not count.
    """

    name: Identifier
    without: frozenset[Identifier] = frozenset()
    body_part: Question = Question()
    plane: Question = Question()
    contrast: Question = Question()
    contrast_agent: Question = Question()
    fat_suppression: Question = Question()
    dimensions: Question = Question()
    part: Question = Question()

    @property
    def questions(self) -> dict[str, Question]:
        """Rules by question."""
        return {name: getattr(self, name) for name in QUESTIONS}

    @property
    def ids(self) -> list[str]:
        """Ids of all rules."""
        return [rule.id for question in self.questions.values() for rule in question.every]

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        ids = self.ids
        if twice := sorted({id_ for id_ in ids if ids.count(id_) > 1}):
            raise ValueError(f"found rules with the same id: {', '.join(twice)}; needed one id a rule")
        for name, known in ANSWERS.items():
            if wrong := sorted(
                rule.id for rule in self.questions[name].every if rule.answer not in known | {"unknown"}
            ):
                raise ValueError(
                    f"{name}: found another answer in {', '.join(wrong)}, needed one of {', '.join(sorted(known))}"
                )
        return self
