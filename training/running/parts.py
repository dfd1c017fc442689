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
    """Windows that must stay together, in their order: those of a sample, and of all samples that share a study."""
    samples = windows.samples or range(len(windows))
    first: dict[int, int] = {}
    leader: dict[int, int] = {}
    for sample, study in zip(samples, windows.studies or samples, strict=True):
        head = first.setdefault(study, sample)
        leader.setdefault(sample, leader.get(head, head))
    groups: dict[int, list[int]] = {}
    for place, sample in enumerate(samples):
        groups.setdefault(leader[sample], []).append(place)
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
        numbers = {sample: number for number, sample in enumerate(dict.fromkeys(taken.samples))}
        parts.append(replace(taken, samples=tuple(numbers[sample] for sample in taken.samples)))
    return parts
