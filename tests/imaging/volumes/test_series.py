"""Every instance of a series is in one volume or among the rejected, and repeated slices become the right steps."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from imaging.headers.header import Header
from imaging.volumes.series import plan
from schemas.reasons import Reason

AXIAL, CORONAL, SAGITTAL = (1.0, 0, 0, 0, 1.0, 0), (1.0, 0, 0, 0, 0, -1.0), (0, 1.0, 0, 0, 0, -1.0)
NORMALS = {AXIAL: (0, 0, 1), CORONAL: (0, 1, 0), SAGITTAL: (-1, 0, 0)}


def header(place, number=1, orientation=AXIAL, **changes):
    position = tuple(float(x) * 3 * place for x in NORMALS[orientation])
    base = Header(
        series_uid="1.2",
        sop_uid=f"1.2.{number}.{place}.{hash(orientation) % 999}",
        modality="MR",
        image_type=("ORIGINAL", "PRIMARY", "M"),
        instance_number=number,
        position=position,
        orientation=orientation,
        pixel_spacing=(1.0, 1.0),
        slice_thickness=3.0,
        rows=4,
        columns=5,
        bits_allocated=16,
        bits_stored=16,
        high_bit=15,
        photometric="MONOCHROME2",
        pixel_tag=0x7FE00010,
    )
    return replace(base, **changes)


def accounted(headers, found):
    members = [i for volume in found.volumes for i in volume.members]
    return sorted(members + [r.index for r in found.rejected]) == list(range(len(headers)))


@given(
    st.lists(
        st.builds(
            header,
            place=st.integers(0, 5),
            number=st.integers(1, 12),
            orientation=st.sampled_from([AXIAL, CORONAL, SAGITTAL]),
            echo_time=st.sampled_from([None, 10.0, 20.0]),
            image_type=st.sampled_from([("ORIGINAL", "PRIMARY", "M"), ("ORIGINAL", "PRIMARY", "P")]),
            b_value=st.sampled_from([None, 0.0, 1000.0]),
            acquisition_number=st.sampled_from([None, 1, 2]),
            frames=st.sampled_from([1, 1, 1, 2]),
            modality=st.sampled_from(["MR", "MR", "MR", "SR"]),
        ),
        max_size=40,
    )
)
@settings(max_examples=50, deadline=None)
def test_no_instance_is_lost_or_used_twice(headers):
    headers = [replace(h, sop_uid=f"1.{i // 2}") if i % 7 == 0 else h for i, h in enumerate(headers)]
    found = plan(headers)
    assert accounted(headers, found)
    for volume in found.volumes:
        filled = volume.instances[volume.instances >= 0]
        assert len(set(filled.tolist())) == filled.size
        assert (
            volume.instances[:, [k for k in range(volume.instances.shape[1]) if k not in volume.missing]] >= 0
        ).all()


NUMBERINGS = {
    "volume after volume": lambda t, z: {"number": t * 4 + z + 1},
    "slice after slice": lambda t, z: {"number": z * 3 + t + 1},
    "temporal position": lambda t, z: {"number": 7, "temporal_position": t + 1},
    "acquisition number": lambda t, z: {"number": 9 - z, "acquisition_number": t + 5},
    "acquisition time": lambda t, z: {"number": None, "acquisition_time": 100.0 + 3 * t + 0.1 * z},
}


@pytest.mark.parametrize("numbering", NUMBERINGS)
@given(random=st.randoms(use_true_random=False))
@settings(max_examples=10, deadline=None)
def test_time_points_are_ordered_whatever_numbers_them(numbering, random):
    made = [(t, z, NUMBERINGS[numbering](t, z)) for t in range(3) for z in range(4)]
    random.shuffle(made)
    headers = [header(z, sop_uid=f"{t}.{z}", **numbers) for t, z, numbers in made]
    found = plan(headers)
    (volume,) = found.volumes
    assert volume.kind == "dynamic"
    assert [[made[i][:2] for i in row] for row in volume.instances] == [[(t, z) for z in range(4)] for t in range(3)]


@pytest.mark.parametrize(
    ("clock", "expected"), [((0, 3, 6), [0, 1, 2]), ((6, 3, 0), [2, 1, 0]), ((None,) * 3, [0, 1, 2])]
)
@pytest.mark.parametrize("number", ["acquisition_number", "temporal_position"])
def test_steps_numbered_against_instances_come_in_the_order_that_two_of_three_state(number, clock, expected):
    headers = [
        header(z, t * 4 + z + 1, sop_uid=f"{t}.{z}", acquisition_time=clock[t], **{number: 3 - t})
        for t in range(3)
        for z in range(4)
    ]
    (volume,) = plan(headers).volumes
    assert [row[0] // 4 for row in volume.instances] == expected


@pytest.mark.parametrize("numbering", ["volume after volume", "slice after slice", "temporal position"])
@pytest.mark.parametrize("lost", [(0, 0), (1, 2), (2, 3)])
def test_a_lost_slice_costs_its_time_point_and_no_other(numbering, lost):
    made = [(t, z) for t in range(3) for z in range(4) if (t, z) != lost]
    headers = [header(z, sop_uid=f"{t}.{z}", **NUMBERINGS[numbering](t, z)) for t, z in made]
    found = plan(headers)
    (volume,) = found.volumes
    assert [made[row[0]][0] for row in volume.instances] == [t for t in range(3) if t != lost[0]]
    assert {made[r.index][0] for r in found.rejected} == {lost[0]}
    assert all("without all its slices" in r.message for r in found.rejected)


def test_a_lost_slice_among_steps_that_nothing_tells_apart_is_refused_not_guessed():
    headers = [header(z, number=None, sop_uid=f"{t}.{z}") for t in range(3) for z in range(4) if (t, z) != (1, 1)]
    found = plan(headers)
    assert not found.volumes
    assert {r.reason for r in found.rejected} == {Reason.GEOMETRY_INCONSISTENT}
    assert accounted(headers, found)


def test_a_slice_lost_in_all_steps_is_missing():
    found = plan([header(z, number=z + 1) for z in (0, 1, 3, 4)])
    (volume,) = found.volumes
    assert volume.missing == (2,)
    assert volume.instances.tolist() == [[0, 1, -1, 2, 3]]
    assert volume.kind == "static"


def test_one_repeated_slice_in_a_static_stack_is_rejected_alone():
    headers = [header(z, number=z + 1) for z in range(5)] + [header(2, number=9)]
    found = plan(headers)
    assert found.volumes[0].instances.tolist() == [[0, 1, 2, 3, 4]]
    assert [r.index for r in found.rejected] == [5]


def test_diffusion_steps_each_have_one_weighting_even_where_slices_are_interleaved():
    weightings = [(0.0, ()), (1000.0, (1.0, 0.0, 0.0)), (1000.0, (0.0, 1.0, 0.0))]
    headers, truth = [], []
    for z in range(4):
        for k in range(3):
            step = (k + z) % 3  # each position was acquired in another order
            b_value, gradient = weightings[step]
            headers.append(header(z, number=len(headers) + 1, b_value=b_value, gradient=gradient))
            truth.append((step, z))
    (volume,) = plan(headers).volumes
    assert volume.kind == "diffusion"
    assert [[truth[i] for i in row] for row in volume.instances] == [[(s, z) for z in range(4)] for s in range(3)]
    assert volume.bvals.tolist() == [0, 1000, 1000]
    assert volume.gradients.tolist() == [[0, 0, 0], [1, 0, 0], [0, 1, 0]]


def test_repeats_of_one_weighting_stay_separate_steps():
    b_values = (0.0, 0.0, 700.0, 700.0)
    headers = [header(z, number=t * 3 + z + 1, b_value=b) for t, b in enumerate(b_values) for z in range(3)]
    (volume,) = plan(headers).volumes
    assert volume.bvals.tolist() == list(b_values)


@pytest.mark.parametrize(
    "changes",
    [
        {"echo_time": 20.0},
        {"echo_number": 2},
        {"image_type": ("ORIGINAL", "PRIMARY", "P")},
        {"component": "PHASE"},
        {"image_type": ("DERIVED", "PRIMARY", "ADC")},
        {"rows": 8},
        {"pixel_spacing": (2.0, 2.0)},
        {"series_uid": "9.9"},
        {"protocol_name": "second"},
        {"series_description": "second"},
        {"manufacturer": "GE MEDICAL SYSTEMS"},
    ],
    ids=str,
)
def test_what_differs_in_kind_is_never_stacked_together(changes):
    headers = [header(z, z + 1, echo_time=10.0, echo_number=1) for z in range(3)]
    headers += [replace(h, sop_uid=f"x{h.sop_uid}", instance_number=h.instance_number + 3, **changes) for h in headers]
    found = plan(headers)
    assert [volume.members for volume in found.volumes] == [(0, 1, 2), (3, 4, 5)]
    assert not found.rejected


def test_a_localizer_is_split_by_plane():
    headers = [header(z, n * 3 + z + 1, o) for n, o in enumerate((AXIAL, CORONAL, SAGITTAL)) for z in range(3)]
    found = plan(headers)
    assert [volume.members for volume in found.volumes] == [(0, 1, 2), (3, 4, 5), (6, 7, 8)]


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"position": ()}, Reason.GEOMETRY_INCONSISTENT),
        ({"orientation": (1.0, 0, 0, 1.0, 0, 0)}, Reason.GEOMETRY_INCONSISTENT),
        ({"mosaic": -1}, Reason.UNSUPPORTED),
        ({"mosaic": 4, "columns": 4}, Reason.UNSUPPORTED),
        ({"mosaic": 9, "slice_spacing": 3.0}, Reason.PIXELS_INVALID),
        ({"frames": 5}, Reason.UNSUPPORTED),
        ({"sop_uid": "1.2.1.0." + str(hash(AXIAL) % 999)}, Reason.CONFLICTING_DUPLICATE),
    ],
    ids=str,
)
def test_one_unusable_instance_is_rejected_without_the_rest(changes, reason):
    headers = [header(z, z + 1) for z in range(3)]
    headers.append(replace(header(3, 4), **changes))
    found = plan(headers)
    assert found.volumes[0].members == (0, 1, 2)
    assert [(r.index, r.reason) for r in found.rejected] == [(3, reason)]


@pytest.mark.parametrize(
    ("changes", "times"),
    [
        (lambda t: {"acquisition_time": 86398.0 + t * 1.5 - (86400 if t > 1 else 0)}, [0, 1.5, 3.0]),
        (lambda t: {"acquisition_time": 5.0, "trigger_time": 100.0 * t}, [0, 0.1, 0.2]),
        (lambda t: {"scanning_sequence": ("EP",), "repetition_time": 2500.0}, [0, 2.5, 5.0]),
        (lambda t: {"scanning_sequence": ("GR",), "repetition_time": 5.0}, None),
    ],
    ids=["acquisition times over midnight", "trigger times", "echo-planar repetition", "nothing says it"],
)
def test_times_of_steps(changes, times):
    headers = [header(z, t * 2 + z + 1, **changes(t)) for t in range(3) for z in range(2)]
    (volume,) = plan(headers).volumes
    assert (None if volume.times is None else np.round(volume.times, 6).tolist()) == times


def test_twenty_thousand_slices_are_planned():
    headers = [header(i % 100, i + 1, sop_uid=str(i)) for i in range(20000)]
    (volume,) = plan(headers).volumes
    assert volume.instances.shape == (200, 100)


@pytest.mark.parametrize(
    ("stated", "extent"),
    [
        ({"slice_spacing": -3.0, "slice_thickness": 2.0}, 2.0),
        ({"slice_spacing": 4.0, "slice_thickness": 2.0}, 4.0),
        ({"slice_spacing": None, "slice_thickness": 2.0}, 2.0),
    ],
)
def test_a_single_slice_is_as_thick_as_a_positive_number_says(stated, extent):
    (volume,) = plan([header(0, **stated)]).volumes
    assert np.linalg.norm(volume.affine[:3, 2]) == pytest.approx(extent)
