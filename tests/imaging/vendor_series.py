"""Series as each vendor writes them, made up: planes, dialects of diffusion, mosaics, frames, kinds of pixels."""

import numpy as np
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from pydicom.uid import (
    EnhancedMRImageStorage,
    ExplicitVRBigEndian,
    ImplicitVRLittleEndian,
    JPEGLSLossless,
    RLELossless,
)

from imaging.phantom.dialects.csa import csa

ROWS, COLUMNS, SLICES = 18, 14, 6
WEIGHTINGS = [(0, ()), (1000, (1.0, 0.0, 0.0)), (1000, (0.0, 0.6, 0.8)), (2000, (-0.57735, 0.57735, 0.57735))]


def turned(row, column):
    """A plane's directions, turned by 12, -7 and 5 degrees about the patient's axes."""
    turns = np.eye(3)
    for axis, degrees in enumerate((12, -7, 5)):
        i, j = [(1, 2), (0, 2), (0, 1)][axis]
        turn = np.eye(3)
        turn[i, i] = turn[j, j] = np.cos(np.radians(degrees))
        turn[i, j] = -np.sin(np.radians(degrees))
        turn[j, i] = -turn[i, j]
        turns = turns @ turn
    return turns @ row, turns @ column


PLANES = {
    "axial": turned([1.0, 0, 0], [0, 1.0, 0]),
    "sagittal": turned([0, 1.0, 0], [0, 0, -1.0]),
    "coronal": turned([1.0, 0, 0], [0, 0, -1.0]),
}


def numbers(low=0, high=1000, kind="<u2", shape=(ROWS, COLUMNS), seed=[0]):  # noqa: B006
    seed[0] += 1
    random = np.random.default_rng(seed[0])
    return random.normal(size=shape).astype(kind) if "f" in kind else random.integers(low, high, shape).astype(kind)


def place(plane, k, gap=3.3):
    row, column = PLANES[plane]
    return [round(float(x), 6) for x in np.array([-30.0, -25.0, 10.0]) + k * gap * np.cross(row, column)]


def cosines(plane):
    return [round(float(x), 9) for x in np.concatenate(PLANES[plane])]


def block(dataset, group, creator, **elements):
    """Private elements: an underscore, the offset in hexadecimal, and the representation, as in _0C_IS."""
    private = dataset.private_block(group, creator, create=True)
    for name, value in elements.items():
        _, offset, representation = name.split("_")
        private.add_new(int(offset, 16), representation, value)


class Maker:
    """Makes files of one series."""

    def __init__(self, dataset, name, number):
        self.dataset, self.name, self.number = dataset, name, number
        self.made = []

    def one(self, pixels, **elements):
        """An instance."""
        count = len(self.made) + 1
        defaults = {
            "SOPInstanceUID": f"1.2.3.{self.number}.{count}", "SeriesInstanceUID": f"1.2.4.{self.number}",
            "SeriesNumber": self.number, "ProtocolName": self.name, "PatientName": "A", "PatientID": "1",
            "StudyDate": "20200101", "StudyTime": "101010", "Manufacturer": "SIEMENS", "MagneticFieldStrength": 3,
            "EchoTime": 10.0, "RepetitionTime": 500.0, "FlipAngle": 30, "EchoNumbers": 1, "ScanningSequence": "GR",
            "PatientPosition": "HFS", "PixelSpacing": [1.5, 1.25], "SliceThickness": 3.0, "InstanceNumber": count,
            "SpacingBetweenSlices": 3.3, "AcquisitionNumber": 1, "ImageType": ["ORIGINAL", "PRIMARY", "M", "ND"],
        }  # fmt: skip
        after = elements.pop("after", None)
        made = self.dataset(pixels, **defaults | elements)
        if after:
            after(made)
        self.made.append(made)
        return made

    def stack(self, plane="axial", steps=1, gap=3.3, slices=SLICES, each=lambda step, k: {}, **elements):
        """A classic series."""
        for step in range(steps):
            for k in range(slices):
                own = {
                    "ImagePositionPatient": place(plane, k, gap), "ImageOrientationPatient": cosines(plane),
                    "AcquisitionNumber": step + 1, "AcquisitionTime": f"1010{10 + 2 * step}.{k:02d}",
                    "SpacingBetweenSlices": abs(gap),
                }  # fmt: skip
                own |= elements | each(step, k)
                pixels = own.pop("pixels", None)
                self.one(numbers() if pixels is None else pixels, **own)

    def diffusion(self, maker, write, plane="axial", **elements):
        """A classic diffusion series; `write` puts the weighting of a step into an instance."""

        def each(step, k):
            b_value, direction = WEIGHTINGS[step]
            return {"after": lambda made: write(made, b_value, direction, step)}

        kind = ["ORIGINAL", "PRIMARY", "DIFFUSION", "NONE", "ND"]
        fixed = {"Manufacturer": maker, "ImageType": kind, "ScanningSequence": "EP"}
        self.stack(plane, len(WEIGHTINGS), each=each, **fixed | elements)

    def mosaic(self, plane="axial", count=7, along=1, reversed_=False):
        """A Siemens mosaic of two steps."""
        row, column = PLANES[plane]
        for step in range(2):
            pixels = numbers(shape=(ROWS * 3, COLUMNS * 3))
            for k in range(count, 9):
                pixels[k // 3 * ROWS :, k % 3 * COLUMNS : (k % 3 + 1) * COLUMNS] = 0
            corner = np.array(place(plane, 0)) - row * 1.25 * COLUMNS - column * 1.5 * ROWS
            blob = csa({
                "NumberOfImagesInMosaic": ("IS", [str(count)]),
                "SliceNormalVector": ("FD", [f"{along * x:.8f}" for x in np.cross(row, column)]),
                "ProtocolSliceNumber": ("IS", [str((count - 1) * reversed_)]),
            })  # fmt: skip
            made = self.one(
                pixels,
                ImageType=["ORIGINAL", "PRIMARY", "M", "ND", "MOSAIC"],
                ImagePositionPatient=[round(float(x), 6) for x in corner],
                ImageOrientationPatient=cosines(plane),
                AcquisitionTime=f"1010{10 + 2 * step}",
                AcquisitionNumber=step + 1,
                AcquisitionMatrix=[COLUMNS, 0, 0, ROWS],
            )
            block(made, 0x19, "SIEMENS MR HEADER", _0A_US=count)
            block(made, 0x29, "SIEMENS CSA HEADER", _10_OB=blob)

    def grid(self, plane="axial", count=5, gap=3.3):
        """A United Imaging mosaic, which states each tile's place."""
        across = int(np.ceil(np.sqrt(count)))
        down = -(-count // across)
        for step in range(2):
            made = self.one(
                numbers(shape=(ROWS * down, COLUMNS * across)),
                Manufacturer="UIH",
                ImageType=["ORIGINAL", "PRIMARY", "M", "VFRAME"],
                ImagePositionPatient=place(plane, 0, gap),
                ImageOrientationPatient=cosines(plane),
                AcquisitionNumber=step + 1,
                AcquisitionTime=f"1010{10 + 2 * step}",
                AcquisitionMatrix=[COLUMNS, 0, 0, ROWS],
            )
            tiles = [Dataset() for _ in range(count)]
            for k, tile in enumerate(tiles):
                tile.ImagePositionPatient, tile.AcquisitionTime = place(plane, k, gap), f"1010{10 + 2 * step}.{k:02d}"
            normal = [round(float(x), 8) for x in np.cross(*PLANES[plane])]
            block(made, 0x65, "Image Private Header", _14_DS=normal, _50_DS=count, _51_SQ=Sequence(tiles))

    def enhanced(self, maker, frames, plane="axial"):
        """One multi-frame instance; a frame is (slice, step, weighting or None, slope, intercept, scale)."""
        made = self.one(
            numbers(shape=(len(frames), ROWS, COLUMNS)),
            SOPClassUID=EnhancedMRImageStorage,
            Manufacturer=maker,
            NumberOfFrames=len(frames),
            AcquisitionDateTime="20200101101010",
            Rows=ROWS,
            Columns=COLUMNS,
            EchoTime=None,
            EchoNumbers=None,
            ImagePositionPatient=None,
            ImageOrientationPatient=None,
            PixelSpacing=None,
            SliceThickness=None,
            RepetitionTime=None,
            FlipAngle=None,
            ImageType=["ORIGINAL", "PRIMARY", "T1", "NONE"],
        )
        shared = Dataset()
        group(shared, "PixelMeasures", PixelSpacing=[1.5, 1.25], SliceThickness=3.0, SpacingBetweenSlices=3.3)
        made.SharedFunctionalGroupsSequence = Sequence([shared])
        made.PerFrameFunctionalGroupsSequence = Sequence([self._frame(plane, *frame) for frame in frames])

    @staticmethod
    def _frame(plane, k, step, weighting=None, slope=1.0, intercept=0.0, scale=None):
        frame = Dataset()
        group(frame, "PlanePosition", ImagePositionPatient=place(plane, k))
        group(frame, "PlaneOrientation", ImageOrientationPatient=cosines(plane))
        content = {"DimensionIndexValues": [1, k + 1, step + 1], "TemporalPositionIndex": step + 1}
        if weighting is not None:
            del content["TemporalPositionIndex"]
        group(frame, "FrameContent", StackID="1", InStackPositionNumber=k + 1, **content)
        group(frame, "MREcho", EffectiveEchoTime=10.0)
        kind = {"FrameType": ["ORIGINAL", "PRIMARY", "T1", "NONE"], "ComplexImageComponent": "MAGNITUDE"}
        group(frame, "MRImageFrameType", **kind)
        group(frame, "PixelValueTransformation", RescaleSlope=slope, RescaleIntercept=intercept, RescaleType="US")
        if weighting is not None:
            b_value, direction = weighting
            kind = "NONE" if not b_value else "DIRECTIONAL" if direction else "ISOTROPIC"
            group(frame, "MRDiffusion", DiffusionBValue=float(b_value), DiffusionDirectionality=kind)
            if direction:
                inner = frame.MRDiffusionSequence[0]
                group(inner, "DiffusionGradientDirection", DiffusionGradientOrientation=list(direction))
        if scale:
            copy = Dataset()
            block(copy, 0x2005, "Philips MR Imaging DD 001", _0E_FL=scale)
            block(frame, 0x2005, "Philips MR Imaging DD 005", _0F_SQ=Sequence([copy]))
        return frame


def group(dataset, name, **elements):
    item = Dataset()
    for keyword, value in elements.items():
        setattr(item, keyword, value)
    setattr(dataset, f"{name}Sequence", Sequence([item]))


def siemens(made, b_value, direction, step):
    block(made, 0x19, "SIEMENS MR HEADER", _0C_IS=b_value, **{"_0E_FD": list(direction)} if direction else {})


def siemens_blob(made, b_value, direction, step):
    fields = {"B_value": ("IS", [str(b_value)])}
    if direction:
        fields["DiffusionGradientDirection"] = ("FD", [f"{x:.8f}" for x in direction])
    block(made, 0x29, "SIEMENS CSA HEADER", _10_OB=csa(fields))


def ge(made, b_value, direction, step):
    made.InPlanePhaseEncodingDirection = "COL"
    block(made, 0x43, "GEMS_PARM_01", _39_IS=[b_value + 10**9 if b_value else 0, 8, 0, 0])
    x, y, z = direction or (0.0, 0.0, 0.0)
    block(made, 0x19, "GEMS_ACQU_01", _BB_DS=x, _BC_DS=y, _BD_DS=z)


def philips(made, b_value, direction, step, order=None):
    made.AcquisitionNumber, made.AcquisitionTime = 7, "101010"
    x, y, z = direction or (0.0, 0.0, 0.0)
    block(made, 0x2001, "Philips Imaging DD 001", _03_FL=float(b_value))
    block(made, 0x2005, "Philips MR Imaging DD 001", _B0_FL=x, _B1_FL=y, _B2_FL=z)
    block(made, 0x2005, "Philips MR Imaging DD 005", _12_IS=2 if b_value else 1, _13_IS=step + 1)


def philips_trace(made, b_value, direction, step):
    last = step == len(WEIGHTINGS) - 1
    philips(made, b_value, () if last else direction, step)
    made.DiffusionBValue = float(b_value)
    made.DiffusionDirectionality = "ISOTROPIC" if last else "DIRECTIONAL" if b_value else "NONE"
    if direction and not last:
        made.DiffusionGradientOrientation = list(direction)


def uih(made, b_value, direction, step):
    block(made, 0x65, "Image Private Header", _09_FD=float(b_value), _37_FD=list(direction or (0.0, 0.0, 0.0)))


def canon(made, b_value, direction, step):
    made.InPlanePhaseEncodingDirection = "COL"
    if b_value:
        made.DiffusionBValue = float(b_value)
        made.ImageComments = "b={:.0f}({:.3f},{:.3f},{:.3f})".format(b_value, *direction)


def toshiba(made, b_value, direction, step):
    if b_value:
        made.DiffusionBValue, made.DiffusionGradientOrientation = float(b_value), list(direction)


def real_world(made):
    group(made, "RealWorldValueMapping", RealWorldValueSlope=0.5, RealWorldValueIntercept=-7.0)


def pepolar(mode):
    def write(made):
        block(made, 0x19, "GEMS_ACQU_01", _9C_LO="research/ABCD/epi_pepolar", _B3_DS=float(mode))

    def each(step, k):
        return {"after": write, "TemporalPositionIdentifier": step + 1}

    fixed = {"Manufacturer": "GE MEDICAL SYSTEMS", "InPlanePhaseEncodingDirection": "COL", "ScanningSequence": "EP"}
    return lambda maker: maker.stack(steps=4, each=each, NumberOfTemporalPositions=4, **fixed)


def compressed(syntax, **elements):
    def make(maker):
        maker.stack(**elements)
        for made in maker.made:
            made.compress(syntax, generate_instance_uid=False)

    return make


def of_kind(kind, low=0, high=255, **elements):
    return lambda maker: maker.stack(each=lambda step, k: {"pixels": numbers(low, high, kind)}, **elements)


def floating(kind, tag):
    def make(maker):
        of_kind(kind)(maker)
        for made in maker.made:
            setattr(made, tag, made.PixelData)
            del made.PixelData, made.BitsStored, made.HighBit, made.PixelRepresentation

    return make


def single_bits(maker):
    for k in range(SLICES):
        packed = np.packbits(numbers(0, 2, "u1").ravel(), bitorder="little")[None]
        where = {"ImagePositionPatient": place("axial", k), "ImageOrientationPatient": cosines("axial")}
        maker.one(packed, Rows=ROWS, Columns=COLUMNS, BitsAllocated=1, BitsStored=1, HighBit=0, **where)


def enhanced(maker, weighted=False, slice_major=False, **settings):
    def make(series):
        steps = len(WEIGHTINGS) if weighted else 3
        frames = [(k, step) for step in range(steps) for k in range(SLICES)]
        if slice_major:
            frames.sort()
        series.enhanced(maker, [(k, s, WEIGHTINGS[s] if weighted else None, *settings.values()) for k, s in frames])

    return make


PHILIPS = "Philips Medical Systems"
VARIANTS = {
    **{f"{plane}-{gap}": lambda m, p=plane, g=gap: m.stack(p, gap=g) for plane in PLANES for gap in (3.3, -3.3)},
    "time": lambda m: m.stack(steps=3),
    "single slice": lambda m: m.stack(slices=1, gap=6.6),
    "single slice in time": lambda m: m.stack(slices=1, steps=3),
    "echoes": lambda m: m.stack(steps=2, each=lambda s, k: {"EchoTime": 10.0 + s * 5, "EchoNumbers": s + 1}),
    "slopes that differ": lambda m: m.stack(each=lambda s, k: {"RescaleSlope": 1 + k / 10, "RescaleIntercept": -k}),
    "inverted display": lambda m: m.stack(PhotometricInterpretation="MONOCHROME1"),
    "8 bits": of_kind("u1"),
    "12 bits signed": of_kind("<i2", -500, 500, BitsStored=12, HighBit=11),
    "overlay bits": of_kind("<u2", 0, 65535, BitsStored=12, HighBit=11),
    "32 bits signed": of_kind("<i4", -(2**31), 2**31 - 1),
    "single bits": single_bits,
    "float": floating("<f4", "FloatPixelData"),
    "double": floating("<f8", "DoubleFloatPixelData"),
    "big endian": lambda m: m.stack(TransferSyntaxUID=ExplicitVRBigEndian),
    "implicit": lambda m: m.stack(TransferSyntaxUID=ImplicitVRLittleEndian),
    "run lengths": compressed(RLELossless),
    "JPEG-LS": compressed(JPEGLSLossless),
    **{f"mosaic {plane}": lambda m, p=plane: m.mosaic(p) for plane in PLANES},
    "mosaic downwards": lambda m: m.mosaic(along=-1),
    "mosaic numbered downwards": lambda m: m.mosaic(reversed_=True),
    **{f"grid {plane}": lambda m, p=plane: m.grid(p) for plane in PLANES},
    "grid downwards": lambda m: m.grid(count=9, gap=-3.3),
    **{f"Siemens {plane}": lambda m, p=plane: m.diffusion("SIEMENS", siemens, p) for plane in PLANES},
    "Siemens CSA header": lambda m: m.diffusion("SIEMENS", siemens_blob),
    **{f"GE {plane}": lambda m, p=plane: m.diffusion("GE MEDICAL SYSTEMS", ge, p) for plane in PLANES},
    **{f"Philips {plane}": lambda m, p=plane: m.diffusion(PHILIPS, philips, p) for plane in PLANES},
    **{f"UIH {plane}": lambda m, p=plane: m.diffusion("UIH", uih, p) for plane in PLANES},
    **{f"Canon {plane}": lambda m, p=plane: m.diffusion("CANON_MEC", canon, p) for plane in PLANES},
    **{f"Toshiba {plane}": lambda m, p=plane: m.diffusion("TOSHIBA_MEC", toshiba, p) for plane in PLANES},
    "Philips trace": lambda m: m.diffusion(PHILIPS, philips_trace),
    **{f"polarities {mode}": pepolar(mode) for mode in range(4)},
    **{f"enhanced {maker}": enhanced(maker) for maker in (PHILIPS, "CANON_MEC", "UIH", "Siemens Healthineers")},
    "enhanced by slices": enhanced(PHILIPS, slice_major=True),
    **{f"enhanced diffusion {maker}": enhanced(maker, weighted=True) for maker in (PHILIPS, "CANON_MEC")},
    "enhanced diffusion by slices": enhanced(PHILIPS, weighted=True, slice_major=True),
    "Philips scale": enhanced(PHILIPS, slope=1.5, intercept=0.0, scale=0.0123),
    "Philips real world": lambda m: m.stack(Manufacturer=PHILIPS, each=lambda s, k: {"after": real_world}),
    "Philips scale with intercept": enhanced(PHILIPS, slope=1.53455, intercept=-3142.0, scale=651.74),
}
LEFT_OUT = {"Philips trace": 1, "Philips mean among weightings": 1, "GE mean among weightings": 1}
"""Volumes of dcm2niix that are no volumes of ours: the series with the trace among its weightings."""
