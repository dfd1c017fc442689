"""The frames of an enhanced instance become the volumes that the same slices would give as classic instances."""

import numpy as np
import pytest
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from pydicom.uid import EnhancedMRImageStorage, ExplicitVRBigEndian, ExplicitVRLittleEndian, ImplicitVRLittleEndian

from imaging.headers.reading import read_header
from imaging.volumes.normalize import assemble
from imaging.volumes.pixels import stored_pixels
from imaging.volumes.series import plan
from schemas.reasons import Reason


def item(**elements):
    made = Dataset()
    for name, value in elements.items():
        setattr(made, name, value)
    return made


def group(**elements):
    return Sequence([item(**elements)])


def enhanced(dataset, file_of, frames, syntax=ExplicitVRLittleEndian, change=None, **elements):
    """An instance of 4 x 5 frames; `frames` holds (place, step, per-frame functional groups)."""
    pixels = np.random.default_rng(0).integers(0, 999, (len(frames), 4, 5), dtype=np.uint16)
    made = dataset(pixels[0], TransferSyntaxUID=syntax, SOPClassUID=EnhancedMRImageStorage, **elements)
    for name in ("ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing", "SliceThickness"):
        delattr(made, name)
    made.NumberOfFrames = len(frames)
    made.PixelData = pixels.astype(">u2" if syntax == ExplicitVRBigEndian else "<u2").tobytes()
    made.EchoPulseSequence, made.EchoPlanarPulseSequence = "GRADIENT", "YES"
    made.SharedFunctionalGroupsSequence = group(
        PlaneOrientationSequence=group(ImageOrientationPatient=[1, 0, 0, 0, 1, 0]),
        PixelMeasuresSequence=group(PixelSpacing=[2.0, 2.0], SliceThickness=3.0),
        MRTimingAndRelatedParametersSequence=group(RepetitionTime=2000.0, FlipAngle=70.0),
        PixelValueTransformationSequence=group(RescaleSlope=2.0, RescaleIntercept=-1.0),
    )
    made.PerFrameFunctionalGroupsSequence = Sequence(
        [
            item(
                PlanePositionSequence=group(ImagePositionPatient=[0.0, 0.0, 3.0 * place]),
                FrameContentSequence=group(
                    TemporalPositionIndex=step + 1, FrameAcquisitionDateTime=f"2020010110000{step}.5"
                ),
                **groups,
            )
            for place, step, groups in frames
        ]
    )
    if change:
        change(made)
    return file_of(made), pixels


def volumes_of(data):
    header = read_header(data)
    found = plan([header])
    return [assemble(volume, lambda _: stored_pixels(data, header)) for volume in found.volumes], found.rejected


@pytest.mark.parametrize("syntax", [ExplicitVRLittleEndian, ImplicitVRLittleEndian, ExplicitVRBigEndian], ids=str)
def test_frames_are_sorted_by_place_and_time(dataset, file_of, syntax):
    frames = [(place, step, {}) for place in (2, 0, 1) for step in (1, 0)]
    data, pixels = enhanced(dataset, file_of, frames, syntax)
    ((volume,), rejected) = volumes_of(data)
    assert not rejected
    assert (volume.kind, volume.shape, volume.slope, volume.intercept) == ("dynamic", (5, 4, 3, 2), 2.0, -1.0)
    assert volume.times.tolist() == [0, 1]
    for k, (place, step, _) in enumerate(frames):
        np.testing.assert_array_equal(volume.array[::-1, ::-1, place, step].T, pixels[k])
    header = read_header(data)
    assert header.planes[0].repetition_time == 2000
    assert header.planes[0].scanning_sequence == ("GR", "EP")


def test_diffusion_groups_give_weightings(dataset, file_of):
    def weighted(b_value, direction):
        if not direction:
            return {"MRDiffusionSequence": group(DiffusionBValue=b_value)}
        gradient = group(DiffusionGradientOrientation=direction)
        return {"MRDiffusionSequence": group(DiffusionBValue=b_value, DiffusionGradientDirectionSequence=gradient)}

    steps = [(0.0, None), (800.0, [1.0, 0.0, 0.0]), (800.0, [0.0, 0.6, 0.8])]
    frames = [(place, step, weighted(*steps[step])) for step in range(3) for place in range(3)]
    ((volume,), _) = volumes_of(enhanced(dataset, file_of, frames)[0])
    assert volume.kind == "diffusion"
    assert volume.bvals.tolist() == [0, 800, 800]
    np.testing.assert_allclose(volume.bvecs, [[0, 0, 0], [-1, 0, 0], [0, -0.6, 0.8]])  # LPS to RAS axes


def test_echoes_and_parts_of_one_instance_become_volumes_of_their_own(dataset, file_of):
    def kind(echo, part):
        return {
            "MREchoSequence": group(EffectiveEchoTime=echo),
            "MRImageFrameTypeSequence": group(
                FrameType=["ORIGINAL", "PRIMARY", "T1", "NONE"], ComplexImageComponent=part
            ),
        }

    kinds = [(5.0, "MAGNITUDE"), (5.0, "PHASE"), (10.0, "MAGNITUDE")]
    frames = [(place, 0, kind(*which)) for which in kinds for place in range(2)]
    volumes, rejected = volumes_of(enhanced(dataset, file_of, frames)[0])
    assert not rejected
    assert sorted(volume.part for volume in volumes) == ["magnitude", "magnitude", "phase"]
    assert all(volume.shape == (5, 4, 2) for volume in volumes)


def test_philips_copies_give_scale_slope_but_not_geometry(dataset, file_of):
    def copy(made):
        for frame in made.PerFrameFunctionalGroupsSequence:
            classic = item(ImagePositionPatient=[9.0, 9.0, 9.0], EchoNumbers=1)
            classic.private_block(0x2005, "Philips MR Imaging DD 001", create=True).add_new(0x0E, "FL", 0.25)
            frame.private_block(0x2005, "Philips MR Imaging DD 005", create=True).add_new(0x0F, "SQ", [classic])

    data, _ = enhanced(dataset, file_of, [(place, 0, {}) for place in range(3)], change=copy, Manufacturer="Philips")
    ((volume,), _) = volumes_of(data)
    assert (volume.slope, volume.intercept) == (4.0, -2.0)
    assert volume.affine[:3, 3].tolist() == [-8, -6, 0]


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda made: delattr(made, "PerFrameFunctionalGroupsSequence"), Reason.UNSUPPORTED),
        (lambda made: delattr(made, "SharedFunctionalGroupsSequence"), Reason.GEOMETRY_INCONSISTENT),
    ],
    ids=["no groups", "no orientation"],
)
def test_frames_without_geometry_are_refused_with_the_reason(dataset, file_of, change, reason):
    volumes, rejected = volumes_of(enhanced(dataset, file_of, [(k, 0, {}) for k in range(3)], change=change)[0])
    assert not volumes
    assert [(r.index, r.reason) for r in rejected] == [(0, reason)]


def test_a_wrong_number_of_frames_is_refused(dataset, file_of):
    def more(made):
        made.NumberOfFrames = 4

    data, _ = enhanced(dataset, file_of, [(k, 0, {}) for k in range(3)], change=more)
    with pytest.raises(ValueError, match="groups of 3 frames, needed one for each of 4"):
        read_header(data)
