"""The table of rules that say which contrast a series has. Read it from top to bottom: the first that holds answers.

Belongs here: rules, their confidence and the evidence they give. To extend them, pass a longer table to
`imaging.classify.classify`. Times are milliseconds, angles degrees. Limits are those of everyday protocols at 1.5 and
3 T; each rule leaves a margin and abstains between classes rather than draw a line through the middle.
"""

from collections.abc import Callable
from dataclasses import dataclass

from imaging.facts import Facts


@dataclass(frozen=True)
class Rule:
    """A contrast that follows from what was measured.

    Attributes:
        contrast: the answer.
        confidence: how often it is right where the rule holds, 0 to 1.
        evidence: what the rule looks at, for a reader.
        holds: whether it applies.
    """

    contrast: str
    confidence: float
    evidence: str
    holds: Callable[[Facts], bool]


@dataclass(frozen=True)
class NameRule:
    """A contrast that a description claims.

    Attributes:
        contrast: the answer.
        confidence: how often a description with the word is right, 0 to 1.
        evidence: what the rule looks at, for a reader.
        pattern: regular expression over the lower-case names.
    """

    contrast: str
    confidence: float
    evidence: str
    pattern: str


def _says(*words: str) -> Callable[[Facts], bool]:
    known = frozenset(words)
    return lambda f: bool(f.image_type & known)


PHYSICS_RULES: tuple[Rule, ...] = (
    # what the scanner itself says in Image Type
    Rule("localizer", 0.98, "Image Type", _says("LOCALIZER")),
    Rule("ADC", 0.97, "Image Type", _says("ADC", "ADC_UNSPECIFIED", "EADC")),
    Rule("SWI", 0.97, "Image Type", _says("SWI", "SUSCEPTIBILITY", "MNIP")),
    Rule("perfusion", 0.95, "Image Type", _says("ASL", "PERFUSION", "RCBF", "RCBV", "CBF", "CBV", "MTT", "TTP")),
    Rule("fieldmap", 0.95, "Image Type", _says("FIELD_MAP", "FIELD MAP", "B0 MAP", "B0")),
    Rule("MRA", 0.90, "Image Type", _says("TOF", "ANGIO", "PCA", "M_PCA", "P_PCA")),
    Rule("DWI", 0.95, "Image Type", _says("DIFFUSION", "TRACEW", "TRACE", "ISOTROPIC")),
    Rule("BOLD", 0.93, "Image Type", _says("FMRI")),
    # what was measured
    Rule("DWI", 0.97, "b-value above 50", lambda f: f.b_max > 50),
    Rule("localizer", 0.93, "three slice orientations in one series", lambda f: f.normals >= 3),
    Rule("MRA", 0.88, "Angio Flag", lambda f: f.angio),
    Rule(
        "perfusion",
        0.85,
        "echo-planar gradient echo, 10 or more repeats, contrast agent",
        lambda f: {"EP", "GR"} <= f.sequences and f.repeats >= 10 and f.contrast_agent,
    ),
    Rule(
        "BOLD",
        0.88,
        "echo-planar gradient echo, 8 or more repeats, TE 15 to 80",
        lambda f: _echo_planar_gradient(f) and f.repeats >= 8 and f.within("echo_time", 15, 80),
    ),
    Rule(
        "BOLD",
        0.62,
        "echo-planar gradient echo, TE 15 to 80, no b-value",
        lambda f: _echo_planar_gradient(f) and f.within("echo_time", 15, 80),
    ),
    Rule(
        "FLAIR",
        0.94,
        "inversion TI 1500 to 3200, TR above 4000, TE above 60",
        lambda f: (
            not f.sequences & {"GR", "EP"}
            and f.within("inversion_time", 1500, 3200)
            and f.within("repetition_time", 4000, 20000)
            and f.within("echo_time", 60, 700)
        ),
    ),
    Rule(
        "T1",
        0.93,
        "prepared gradient echo, TI 350 to 1300, TE below 10",
        lambda f: f.gradient_echo and f.within("inversion_time", 350, 1300) and f.within("echo_time", 0, 10),
    ),
    Rule(
        "T1",
        0.85,
        "inversion spin echo, TI 350 to 1300, TE below 35",
        lambda f: f.spin_echo and f.within("inversion_time", 350, 1300) and f.within("echo_time", 0, 35),
    ),
    Rule(
        "T2",
        0.75,
        "short-TI inversion (fat suppression), TE above 50",
        lambda f: f.spin_echo and f.within("inversion_time", 80, 300) and f.within("echo_time", 50, 300),
    ),
    Rule(
        "T2",
        0.90,
        "spin echo, TE above 65, TR above 1800, no inversion",
        lambda f: (
            f.spin_echo
            and f.inversion_time is None
            and f.within("echo_time", 65, 700)
            and f.within("repetition_time", 1800, 30000)
        ),
    ),
    Rule(
        "T1",
        0.88,
        "spin echo, TE below 30, TR below 1000, no inversion",
        lambda f: (
            f.spin_echo
            and f.inversion_time is None
            and f.within("echo_time", 0, 30)
            and f.within("repetition_time", 100, 1000)
        ),
    ),
    Rule(
        "PD",
        0.80,
        "spin echo, TE below 45, TR above 1800, no inversion",
        lambda f: (
            f.spin_echo
            and f.inversion_time is None
            and f.within("echo_time", 0, 45)
            and f.within("repetition_time", 1800, 30000)
        ),
    ),
    Rule(
        "SWI",
        0.60,
        "3D gradient echo, TE 15 to 45, TR below 80, flip below 25",
        lambda f: (
            f.gradient_echo
            and f.dimensions == "3D"
            and f.within("echo_time", 15, 45)
            and f.within("repetition_time", 15, 80)
            and f.within("flip_angle", 5, 25)
        ),
    ),
    Rule(
        "T1",
        0.62,
        "3D spoiled gradient echo, TE below 6, TR below 15, flip 8 to 40",
        lambda f: (
            f.gradient_echo
            and f.dimensions == "3D"
            and bool(f.variants & {"SP", "MP"})
            and f.within("echo_time", 0, 6)
            and f.within("repetition_time", 2, 15)
            and f.within("flip_angle", 8, 40)
        ),
    ),
    Rule(
        "T1",
        0.70,
        "2D spoiled gradient echo, TE below 8, TR 90 to 500, flip above 50",
        lambda f: (
            f.gradient_echo
            and f.dimensions == "2D"
            and f.within("echo_time", 0, 8)
            and f.within("repetition_time", 90, 500)
            and f.within("flip_angle", 50, 95)
        ),
    ),
)
"""Measured facts to contrast, first match wins."""


NAME_RULES: tuple[NameRule, ...] = (
    NameRule("localizer", 0.70, "description (localizer words)", r"localizer|localiser|scout|survey|3.?plane|\bloc\b"),
    NameRule("fieldmap", 0.70, "description (field map words)", r"field.?map|fmap|b0.?map|gre_field|topup"),
    NameRule("ADC", 0.65, "description (ADC words)", r"\badc\b|_adc|apparent.diffusion"),
    NameRule("FLAIR", 0.65, "description (FLAIR words)", r"flair|dark.?fluid|tirm"),
    NameRule("perfusion", 0.65, "description (perfusion words)", r"perf|\basl\b|pcasl|pasl|\bdsc\b|\bdce\b"),
    NameRule("SWI", 0.65, "description (susceptibility words)", r"\bswi|_swi|swan|suscept|venobold|swip"),
    NameRule("DWI", 0.65, "description (diffusion words)", r"dwi|\bdti|_dti|diff|resolve|hardi|dmri"),
    NameRule("BOLD", 0.62, "description (functional words)", r"bold|fmri|rs.?f?mri|\brest\b|resting|task.?f?mri"),
    NameRule("MRA", 0.65, "description (angiography words)", r"\btof|_tof|\bmra\b|angio|\bpca\b|inhance"),
    NameRule("PD", 0.55, "description (proton density words)", r"\bpd|_pd|proton"),
    NameRule("T1", 0.60, "description (T1 words)", r"t1|mp.?rage|spgr|bravo|vibe|lava|thrive"),
    NameRule("T2", 0.60, "description (T2 words)", r"t2(?!.?\*|.?star)"),
)
"""Words of descriptions to contrast, first match wins."""


def _echo_planar_gradient(facts: Facts) -> bool:
    """Echo-planar and not spin echo: some vendors write EP alone for gradient echo."""
    return "EP" in facts.sequences and "SE" not in facts.sequences and facts.b_max <= 50
