"""What every run measures: speed, padding, waiting, utilisation, memory, device-hours.

Belongs here: the clocks of a process and the numbers that all processes together report. Who is told is
`training.running.watch`.
"""

import time
from collections.abc import Mapping, Sequence
from typing import Any

from training.config.schedule import Schedule
from training.running import hardware, process
from training.running.flops import FlopMeter
from training.running.learner import Tally


class Meters:
    """Clocks and counts of this process since the last report."""

    def __init__(self, config: Schedule, flops: FlopMeter) -> None:
        """Make meters; the device's peak is measured where it is not known."""
        self._config, self._flops = config, flops
        self._bf16 = config.precision == "bf16"
        self._peak = hardware.peak(self._bf16)
        self._since = self._ready = 0.0
        self._waited = 0.0

    def start(self) -> None:
        """Start the clocks."""
        self._since = self._ready = time.perf_counter()
        self._waited = 0.0

    def served(self) -> None:
        """The next batch is here: what passed since the last step's end was spent waiting for it."""
        self._waited += time.perf_counter() - self._ready

    def stepped(self) -> None:
        """A step and what hangs on it is done."""
        self._ready = time.perf_counter()

    def read(self, tally: Tally, step: int) -> dict[str, Any]:
        """The report of all processes since the last one; all must ask.

        Args:
            tally: what this process did.
            step: steps done.

        Returns:
            A plain event. Data-wait is what the host waited: where a GPU still computes meanwhile, less was lost.
        """
        now = time.perf_counter()
        # where it is measured: a busy machine shows less than it can, so the best that was ever seen counts
        self._peak = max(self._peak, hardware.peak(self._bf16))
        own = {
            "loss": tally.total(),
            "samples": tally.samples,
            "computed": tally.computed,
            "padded": tally.padded,
            "seconds": now - self._since,
            "waited": self._waited,
            "flops": self._flops.taken(),
            "possible": self._peak * (now - self._since),
        }
        every = process.told((own, hardware.memory_gib(), tally.sums()))
        self._since, self._waited = now, 0.0
        total = {name: sum(sums[name] for sums, _, _ in every) for name in own}
        elapsed = total["seconds"] / len(every)
        return {
            "event": "step",
            "step": step,
            "steps": self._config.steps,
            "loss": total["loss"] / total["samples"],
            "seconds": elapsed,
            "samples": total["samples"],
            "tokens": total["computed"],
            "samples_per_s": total["samples"] / elapsed,
            "tokens_per_s": total["computed"] / elapsed,
            "padding": total["padded"] / max(1, total["computed"]),
            "data_wait": total["waited"] / total["seconds"],
            "mfu": total["flops"] / total["possible"],
            "memory_gib": max(memory for _, memory, _ in every),
            "device_hours": total["seconds"] / 3600,
            "monitors": means([shown for _, _, shown in every]),
        }


def means(shown: Sequence[Mapping[str, tuple[float, int]]]) -> dict[str, float]:
    """Means over the samples of all processes; a process may lack a name that it had no sample for."""
    names = sorted({name for one in shown for name in one})
    sums = {name: [one[name] for one in shown if name in one] for name in names}
    return {name: sum(t for t, _ in found) / max(1, sum(n for _, n in found)) for name, found in sums.items()}
