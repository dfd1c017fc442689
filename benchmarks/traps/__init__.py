"""An answer key: files with a unique identifying value in every place that can hold one, and the search for them.

Belongs here: planting, searching and judging, with pydicom alone, so that any tool's output can be held against it.
Nothing here knows Larmor. Every name, number and date is invented by `benchmarks.traps.mint`.
"""
