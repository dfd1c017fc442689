"""Building many small records without the garbage collector in between.

Belongs here: the pause alone. Records of ten thousand checkpoints are a hundred thousand tuples that no cycle connects;
looking for cycles among them again and again took a quarter of the time of an answer (1.08 s and 0.81 s).
"""

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def uncollected() -> Iterator[None]:
    """Nothing is searched for cycles meanwhile; also a decorator. What is no longer used is freed as ever."""
    collecting = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collecting:
            gc.enable()
