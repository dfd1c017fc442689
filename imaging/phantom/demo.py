"""The deliveries of the demonstration: small, but with one of everything.

Belongs here: which deliveries those are.
"""

from dataclasses import replace
from pathlib import Path

from imaging.phantom.config import Part, PhantomConfig, PhantomSummary
from imaging.phantom.delivery import generate, recalled
from imaging.phantom.vocabulary import BodyPart

SPLIT_SUBJECT = 4
"""Subject of the first delivery whose first series ends in the second."""

_FOUR_HEADS_AND_A_KNEE = (BodyPart.HEAD,) * 2 + (BodyPart.KNEE,) + (BodyPart.HEAD,) * 2


def demo_configs(
    seed: int = 0, licence: str = "phantom-licence", licensor: str = "Phantom Imaging Consortium"
) -> tuple[PhantomConfig, ...]:
    """Three deliveries of five subjects: twelve heads and three knees, on scanners of three vendors."""
    common = PhantomConfig(
        "phantom",
        seed=seed,
        licence=licence,
        licensor=licensor,
        subjects=5,
        body_parts=_FOUR_HEADS_AND_A_KNEE,
        matrix=72,
        slices=20,
        labelled=0.8,
        findings=True,
    )
    return (
        replace(common, name="phantom-a", split_subject=SPLIT_SUBJECT, part=Part.FIRST, checksums=True),
        replace(common, name="phantom-b", first_subject=5, split_subject=SPLIT_SUBJECT, part=Part.REST),
        replace(common, name="phantom-c", first_subject=10),
    )


def answer_keys(root: Path) -> Path:
    """Where the answer keys of the demonstration's deliveries lie: beside the lake, since they say who is in it."""
    return root.with_name(f"{root.name}.answers")


def demo_deliveries(
    root: Path, seed: int = 0, licence: str = "phantom-licence", licensor: str = "Phantom Imaging Consortium"
) -> list[PhantomSummary]:
    """Make the demonstration's deliveries in `<root>/landing/<name>/`, their answer keys in `answer_keys(root)`.

    A delivery that is there already, made from the same configuration, is left as it is.

    Raises:
        ValueError: if a delivery of that name is there that was made from another configuration.
    """
    landing = root / "landing"
    made = []
    for config in demo_configs(seed, licence, licensor):
        folder, answers = landing / config.name, answer_keys(root) / config.name
        made.append(recalled(folder, answers, config) or generate(folder, answers, config))
    return made
