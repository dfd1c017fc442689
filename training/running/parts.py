"""A step's windows computed in parts that fit the device.

Belongs here: which windows go together. That the gradient does not depend on it is the promise of
`training.running.learner`.
"""

from collections.abc import Sequence
from dataclasses import replace

from training.data.batch import Windows
from training.data.packing import shared_out


def needed(tokens: Sequence[int], limit: int) -> int:
    """Least number of parts with at most `limit` tokens each; a sample that is larger is a part of its own."""
    count = max(1, min(len(tokens), -(-sum(tokens) // limit)))
    while count < len(tokens) and any(
        len(part) > 1 and sum(tokens[i] for i in part) > limit for part in shared_out(tokens, count)
    ):
        count += 1
    return count


def samples_of(windows: Windows) -> list[list[int]]:
    """Windows that must stay together: those of a sample, or of a study."""
    names = windows.samples or windows.studies or range(len(windows))
    groups: dict[int, list[int]] = {}
    for place, name in enumerate(names):
        groups.setdefault(name, []).append(place)
    return list(groups.values())


def split(windows: Windows, count: int) -> list[Windows]:
    """The windows in `count` parts of about equal tokens."""
    if count == 1:
        return [windows]
    groups = samples_of(windows)
    tokens = [sum(windows.tokens.lengths[i] for i in group) for group in groups]
    parts = []
    for part in shared_out(tokens, count):
        taken = windows.take([i for sample in part for i in groups[sample]])
        numbers = tuple(number for number, sample in enumerate(part) for _ in groups[sample])
        parts.append(replace(taken, samples=numbers) if windows.samples else taken)
    return parts
