"""Series in the forms that the releases of each vendor's software write them in, made up: orders, scales, kinds.

They go with `vendor_series`, which has the planes, dialects and kinds of pixels.
"""

import random
from itertools import product

import numpy as np
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from pydicom.uid import EnhancedMRImageStorage

from imaging.phantom.dialects.csa import csa
from tests.imaging.vendor_series import (
    COLUMNS,
    PHILIPS,
    PLANES,
    ROWS,
    SLICES,
    WEIGHTINGS,
    block,
    canon,
    cosines,
    ge,
    group,
    numbers,
    philips,
    place,
    real_world,
    siemens,
    siemens_blob,
    uih,
)

GE = "GE MEDICAL SYSTEMS"
STACK, POSITION, TEMPORAL, B_VALUE, DIRECTION = 0x00209056, 0x00209057, 0x00209128, 0x00189087, 0x00189089
LABELS = ("CONTROL", "LABEL")
SHELLS = [*WEIGHTINGS[:3], (1000, WEIGHTINGS[3][1]), (0.001, (0.0, 0.0, 1.0)), (0.002, (0.0, 0.0, 1.0))]
NUMBERS = [(1, 1), (2, 2), (2, 3), (2, 4), (3, 1), (4, 1)]
"""Numbers of b-value and direction of each."""
ACQUIRED = [1, 2, 4, 6, 3, 5]
"""Place of each in the order of acquisition."""


def own(made, imaging=None, scale=None, numbers=None, order=None):
    """Philips' private elements in the blocks in which its scanners put them."""
    for k in range(1, 7):
        made.private_block(0x2005, f"Philips MR Imaging DD 00{k}", create=True)
    if imaging:
        block(made, 0x2001, "Philips Imaging DD 001", **imaging)
    if scale:
        block(made, 0x2005, "Philips MR Imaging DD 001", _0E_FL=scale)
    if numbers:
        block(made, 0x2005, "Philips MR Imaging DD 005", **numbers)
    if order:
        block(made, 0x2005, "Philips MR Imaging DD 006", _96_IS=order)


def mixed(count, seed=1):
    """Instance numbers in no order."""
    found = list(range(1, count + 1))
    random.Random(seed).shuffle(found)
    return found


def classic(steps, write, **fixed):
    """A classic series of Philips; `write` gives the elements of a step, and what to do with its instances."""

    def make(maker):
        instances = mixed(len(steps) * SLICES)

        def each(step, k):
            elements, after = write(*steps[step])
            return elements | {"InstanceNumber": instances[step * SLICES + k], "after": after}

        same = {"Manufacturer": PHILIPS, "AcquisitionNumber": 3, "AcquisitionTime": "101010"}
        maker.stack(steps=len(steps), each=each, **fixed | same)

    return make


def labelled(repeat, phase, label):
    elements = {"TemporalPositionIdentifier": repeat + 1, "NumberOfTemporalPositions": 3}
    return elements, lambda made: own(made, {"_08_IS": phase + 1}, numbers={"_29_CS": LABELS[label]})


def weighted(kind="IS", order=True):
    def write(step):
        b_value, direction = SHELLS[step]

        def after(made):
            x, y, z = direction or (0.0, 0.0, 0.0)
            given = {f"_12_{kind}": NUMBERS[step][0], f"_13_{kind}": NUMBERS[step][1]}
            own(made, {"_03_FL": float(b_value)}, numbers=given, order=ACQUIRED[step] if order else None)
            block(made, 0x2005, "Philips MR Imaging DD 001", _B0_FL=x, _B1_FL=y, _B2_FL=z)

        return {}, after

    return write


def frames(maker, every, pointers, vendor=PHILIPS, shuffled=True, **top):
    """One multi-frame instance; a frame is a dictionary: k, its dimensions, and what else differs."""
    if shuffled:
        random.Random(3).shuffle(every)
    gone = dict.fromkeys(
        ("EchoTime", "EchoNumbers", "ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing",
         "SliceThickness", "RepetitionTime", "FlipAngle", "SpacingBetweenSlices")
    )  # fmt: skip
    kind = ["ORIGINAL", "PRIMARY", "T1", "NONE"]
    defaults = {"ImageType": kind, "AcquisitionDateTime": "20200101101010", "NumberOfFrames": len(every)}
    size = {"Rows": ROWS, "Columns": COLUMNS, "SOPClassUID": EnhancedMRImageStorage, "Manufacturer": vendor}
    made = maker.one(numbers(shape=(len(every), ROWS, COLUMNS)), **gone | defaults | size | top)
    shared = Dataset()
    group(shared, "PixelMeasures", PixelSpacing=[1.5, 1.25], SliceThickness=3.0, SpacingBetweenSlices=3.3)
    made.SharedFunctionalGroupsSequence = Sequence([shared])
    items = [Dataset() for _ in pointers]
    for item, pointer in zip(items, pointers, strict=True):
        item.DimensionIndexPointer = pointer
    made.DimensionIndexSequence = Sequence(items)
    made.PerFrameFunctionalGroupsSequence = Sequence([_frame(made.ImageType, **each) for each in every])
    return made


def _frame(kind, k, dims, temporal=None, weighting=None, part="MAGNITUDE", slope=1.0, intercept=0.0, copy=None):
    frame = Dataset()
    group(frame, "PlanePosition", ImagePositionPatient=place("axial", k))
    group(frame, "PlaneOrientation", ImageOrientationPatient=cosines("axial"))
    step = {"TemporalPositionIndex": temporal} if temporal else {}
    group(frame, "FrameContent", StackID="1", InStackPositionNumber=k + 1, DimensionIndexValues=dims, **step)
    group(frame, "MREcho", EffectiveEchoTime=10.0)
    group(frame, "MRImageFrameType", FrameType=list(kind), ComplexImageComponent=part)
    group(frame, "PixelValueTransformation", RescaleSlope=slope, RescaleIntercept=intercept, RescaleType="US")
    if weighting is not None:
        b_value, direction = weighting
        directed = "DIRECTIONAL" if direction else "NONE"
        group(frame, "MRDiffusion", DiffusionBValue=float(b_value), DiffusionDirectionality=directed)
        if direction:
            inner = frame.MRDiffusionSequence[0]
            group(inner, "DiffusionGradientDirection", DiffusionGradientOrientation=list(direction))
    if copy:
        classic_ = Dataset()
        copy(classic_)
        own(frame, numbers={"_0F_SQ": Sequence([classic_])})
    return frame


def frames_weighted(release, kind="IS", copied=True):
    def make(maker):
        every = []
        for step, k in product(range(len(SHELLS)), range(SLICES)):
            b_value_number, direction_number = NUMBERS[step]

            def copy(made, step=step, k=k):
                given = {f"_12_{kind}": NUMBERS[step][0], f"_13_{kind}": NUMBERS[step][1]}
                own(made, {"_0A_IS": k + 1, "_18_SL": SLICES}, numbers=given, order=ACQUIRED[step])

            dims = [1, k + 1, direction_number, b_value_number]
            every.append({"k": k, "dims": dims, "weighting": SHELLS[step], "copy": copy if copied else None})
        pointers = [STACK, POSITION, DIRECTION, B_VALUE]
        frames(maker, every, pointers, SoftwareVersions=release, ImageType=["ORIGINAL", "PRIMARY", "DIFFUSION", "NONE"])

    return make


def frames_labelled(release, phases=2):
    def make(maker):
        every = []
        for repeat, label, phase, k in product(range(3), range(2), range(phases), range(SLICES)):

            def copy(made, repeat=repeat, label=label, phase=phase):
                own(made, {"_08_IS": phase + 1, "_18_SL": SLICES}, numbers={"_29_CS": LABELS[label]})
                made.TemporalPositionIdentifier = repeat + 1

            dims = [1, k + 1, repeat + 1, label + 1, phase + 1]
            every.append({"k": k, "dims": dims, "temporal": repeat + 1, "copy": copy})
        pointers = [STACK, POSITION, TEMPORAL, 0x00189257, 0x00209153]
        frames(maker, every, pointers, SoftwareVersions=release)

    return make


def frames_scaled(maker):
    """Each slice with a scale of its own."""
    every = [
        {"k": k, "dims": [1, k + 1, t + 1], "temporal": t + 1, "slope": 1 + k / 10, "intercept": -5.0 * k,
         "copy": lambda made, k=k: own(made, scale=0.02 / (1 + k / 10))}
        for t, k in product(range(2), range(SLICES))
    ]  # fmt: skip
    frames(maker, every, [STACK, POSITION, TEMPORAL])


def canon_frames(single):
    """In the order in which they lie; `single` with a time that is the same for all, as some releases write."""

    def make(maker):
        every = [
            {"k": k, "dims": [1, k + 1] if single else [t + 1, 1, k + 1], "temporal": 1 if single else t + 1}
            for t, k in product(range(3), range(SLICES))
        ]
        pointers = [STACK, POSITION] if single else [TEMPORAL, STACK, POSITION]
        frames(maker, every, pointers, "CANON_MEC", shuffled=False)

    return make


def siemens_xa(maker, aborted=0):
    """A volume an instance; one more, unweighted, with so many slices, where that is not 0."""
    kind = ["ORIGINAL", "PRIMARY", "DIFFUSION", "NONE"]
    volumes = [(weighting, SLICES) for weighting in WEIGHTINGS] + [(WEIGHTINGS[0], aborted)] * bool(aborted)
    for step, (weighting, depth) in enumerate(volumes, 1):
        every = [{"k": k, "dims": [1, k + 1], "temporal": step, "weighting": weighting} for k in range(depth)]
        fixed = {"SoftwareVersions": "syngo MR XA30", "AcquisitionNumber": step, "InstanceNumber": step}
        frames(maker, every, [STACK, POSITION], "Siemens Healthineers", shuffled=False, ImageType=kind, **fixed)


def mosaics(write, kind, count=7):
    def make(maker):
        row, column = PLANES["axial"]
        corner = np.array(place("axial", 0)) - row * 1.25 * COLUMNS - column * 1.5 * ROWS
        for step, (b_value, direction) in enumerate(WEIGHTINGS):
            made = maker.one(
                numbers(shape=(ROWS * 3, COLUMNS * 3)),
                ImageType=["ORIGINAL", "PRIMARY", kind, "NONE", "ND", "MOSAIC"],
                ImagePositionPatient=[round(float(x), 6) for x in corner],
                ImageOrientationPatient=cosines("axial"),
                AcquisitionNumber=step + 1,
            )
            write(made, b_value, direction, count)

    return make


def mosaic_weighted(made, b_value, direction, count):
    block(made, 0x19, "SIEMENS MR HEADER", _0A_US=count)
    siemens(made, b_value, direction, 0)
    normal = [f"{x:.8f}" for x in np.cross(*PLANES["axial"])]
    fields = {"NumberOfImagesInMosaic": ("IS", [str(count)]), "SliceNormalVector": ("FD", normal)}
    block(made, 0x29, "SIEMENS CSA HEADER", _10_OB=csa(fields))


def mosaic_timed(made, b_value, direction, count):
    block(made, 0x19, "SIEMENS MR HEADER", _29_FD=[100.0 * k for k in range(count)])


def nominal(made, b_value, direction, step):
    """A GE image of a tensor scan, of which all state its b-value."""
    ge(made, b_value or 1000, direction, step)
    block(made, 0x19, "GEMS_ACQU_01", _E0_DS="3")


def traced(maker):
    """GE's means over directions, beside unweighted images."""

    def write(made, step):
        ge(made, 900 * step, (), step)
        block(made, 0x19, "GEMS_ACQU_01", _E0_DS="0")

    def each(step, k):
        return {"after": lambda made: write(made, step)}

    maker.stack(steps=2, each=each, Manufacturer=GE, ScanningSequence="EP")


def parted(maker):
    """GE's magnitude, phase, real and imaginary images in one series."""

    def each(step, k):
        return {"after": lambda made: block(made, 0x43, "GEMS_PARM_01", _2F_SS=step)}

    maker.stack(steps=4, each=each, Manufacturer=GE, ImageType=["ORIGINAL", "PRIMARY", "OTHER"])


def both_directions(made, b_value, direction, step):
    uih(made, b_value, direction, step)
    if b_value:
        made.DiffusionBValue, made.DiffusionGradientOrientation = float(b_value), [-x for x in direction]


def commented(made, b_value, direction, step):
    canon(made, b_value, direction, step)
    if b_value:
        made.ImageComments += " NEX 1"


def noise(maker):
    def each(step, k):
        kind = ["ORIGINAL", "PRIMARY", "M", "NOISE" if step == 2 else "NORM"]
        return {"after": lambda made: block(made, 0x21, "SIEMENS MR SDI 02", _75_CS=kind)}

    maker.stack(steps=3, each=each)


def unweighted(maker):
    kind = ["ORIGINAL", "PRIMARY", "DIFFUSION", "NONE", "ND"]
    maker.stack(steps=2, ImageType=kind, each=lambda s, k: {"after": lambda made: siemens(made, 0, (), 0)})


def mapped(**scale):
    return lambda m: m.stack(
        Manufacturer=PHILIPS, RescaleSlope=1.0, RescaleIntercept=0.0,
        each=lambda s, k: {"after": lambda made: (real_world(made), own(made, **scale))},
    )  # fmt: skip


def named(element):
    """Two scans under one series UID, told apart by a name."""
    return lambda m: m.stack(steps=2, each=lambda s, k: {"ProtocolName": None, element: f"{m.name}_{s}"})


def with_mean(vendor, write):
    """Weightings, and their mean that nothing marks as one."""
    steps = [*WEIGHTINGS, (1000, ())]
    kind = ["ORIGINAL", "PRIMARY", "DIFFUSION", "NONE", "ND"]
    fixed = {"Manufacturer": vendor, "ImageType": kind, "ScanningSequence": "EP"}
    return lambda m: m.stack(
        steps=len(steps), each=lambda s, k: {"after": lambda made: write(made, *steps[s], s)}, **fixed
    )


def no_tensor(made, b_value, direction, step):
    ge(made, b_value, direction, step)
    block(made, 0x19, "GEMS_ACQU_01", _E0_DS="0")


def called_mosaic(frames_=False):
    """Slices that Siemens XA took out of mosaics, one by one or as frames, and still calls by that name."""
    xa = {"SoftwareVersions": "syngo MR XA30", "ImageType": ["ORIGINAL", "PRIMARY", "M", "ND", "MOSAIC"]}
    every = [{"k": k, "dims": [1, k + 1, t + 1], "temporal": t + 1} for t, k in product(range(2), range(SLICES))]
    if frames_:
        return lambda m: frames(m, every, [STACK, POSITION, TEMPORAL], "Siemens Healthineers", shuffled=False, **xa)
    return lambda m: m.stack(
        steps=2, Manufacturer="Siemens Healthineers", AcquisitionMatrix=[COLUMNS, 0, 0, ROWS], **xa
    )


def unnamed_mosaic(maker):
    """A mosaic that states its tiles, and whose image type was changed."""
    maker.mosaic("sagittal")
    for made in maker.made:
        made.ImageType = ["DERIVED", "PRIMARY", "M"]


REPEATS = list(product(range(3), range(1), range(2)))
PHASES = list(product(range(3), range(2), range(2)))
EVERY_SHELL = [(step,) for step in range(len(SHELLS))]
FORMS = {
    "Philips labelled": classic(REPEATS, labelled),
    "Philips labelled in phases": classic(PHASES, labelled),
    "Philips in time": classic([(t,) for t in range(4)], lambda t: ({"TemporalPositionIdentifier": t + 1}, own)),
    "Philips weighted, release 5": classic(EVERY_SHELL, weighted(), SoftwareVersions="5.7.1\\5.7.1.2"),
    "Philips weighted, release 3": classic(EVERY_SHELL, weighted(order=False), SoftwareVersions="3.2.1\\3.2.1.1"),
    "Philips weighted, release 11": classic(EVERY_SHELL, weighted("SL"), SoftwareVersions="11.1\\11.1.0"),
    "Philips weighted frames, release 5": frames_weighted("5.7.1\\5.7.1.2"),
    "Philips weighted frames, release 11": frames_weighted("11.1\\11.1.0", "SL"),
    "Philips weighted frames without copies": frames_weighted("5.1.7\\5.1.7.2", copied=False),
    "Philips labelled frames, release 5": frames_labelled("5.7.1\\5.7.1.2"),
    "Philips labelled frames, release 11": frames_labelled("11.1\\11.1.0"),
    "Philips frames with scales of their own": frames_scaled,
    "Philips real world beside a rescale of 1": mapped(),
    "Philips real world beside a scale slope": mapped(scale=0.02),
    "Canon frames, time first": canon_frames(single=False),
    "Canon frames, one time": canon_frames(single=True),
    "Canon comment with more text": lambda m: m.diffusion("CANON_MEC", commented),
    "Siemens XA weighted": siemens_xa,
    "Siemens XA aborted": lambda m: siemens_xa(m, aborted=SLICES - 2),
    "Siemens weighted mosaics": mosaics(mosaic_weighted, "DIFFUSION"),
    "Siemens mosaics by slice times": mosaics(mosaic_timed, "M"),
    "Siemens both headers": lambda m: m.diffusion("SIEMENS", lambda *a: (siemens(*a), siemens_blob(*a))),
    "Siemens unweighted": unweighted,
    "Siemens noise": noise,
    "Siemens XA series of thousands": lambda m: m.stack(
        steps=2, each=lambda s, k: {"SeriesNumber": 16001 + s}, SoftwareVersions="syngo MR XA30"
    ),
    "GE tensor": lambda m: m.diffusion(GE, nominal),
    "GE trace": traced,
    "GE parts": parted,
    "names of protocols that differ": named("ProtocolName"),
    "descriptions that differ": named("SeriesDescription"),
    "makers that differ": lambda m: m.stack(steps=2, each=lambda s, k: {"Manufacturer": (GE, PHILIPS)[s]}),
    "acquisitions numbered downwards": lambda m: m.stack(steps=3, each=lambda s, k: {"AcquisitionNumber": 3 - s}),
    "GE mean among weightings": with_mean(GE, no_tensor),
    "Philips mean among weightings": with_mean(PHILIPS, philips),
    "Siemens XA slices called mosaic": called_mosaic(),
    "Siemens XA frames called mosaic": called_mosaic(frames_=True),
    "Siemens mosaic not called one": unnamed_mosaic,
    "United Imaging, two directions": lambda m: m.diffusion("UIH", both_directions),
}
