"""What scans of several slices and steps are made with."""

PLANES = {
    "axial": ([1, 0, 0, 0, 1, 0], 2, False),
    "axial, feet last": ([1, 0, 0, 0, -1, 0], 2, True),
    "coronal": ([1, 0, 0, 0, 0, -1], 1, True),
    "sagittal": ([0, 1, 0, 0, 0, -1], 0, False),
}
"""Rows and columns in LPS axes, the canonical axis of the slices, whether it runs against their order."""
OFFSETS = (0.0, 0.8, 0.4, 1.2, 1.6)
SIEMENS, GE, UIH = "SIEMENS", "GE MEDICAL SYSTEMS", "UIH"


def clock(step, offset):
    return f"{101500 + 2 * step + offset:013.6f}"


def by_acquisition_time(image, step, place):
    image.AcquisitionTime = clock(step, OFFSETS[place])


def private(group, creator, **elements):
    """Adds private elements, as `x1C=("IS", 1)`; a value may be a function of step and place."""

    def vary(image, step, place):
        block = image.private_block(group, creator, create=True)
        for name, (vr, value) in elements.items():
            block.add_new(int(name[1:], 16), vr, value(step, place) if callable(value) else value)

    return vary
