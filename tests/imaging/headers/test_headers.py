"""Headers that are remembered are those that would have been read."""

import pickle
from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from imaging.errors import ImagingError
from imaging.headers.headers import HeaderReader
from imaging.headers.reading import read_header
from tests.imaging.conftest import make_dataset, to_bytes
from tests.imaging.vendor_series import VARIANTS, Maker


def series(instance):
    """Slices of two echoes, their own elements and a text that changes."""
    for k in range(12):
        yield instance(
            EchoTime=10 + k % 2,
            InstanceNumber=k,
            ImagePositionPatient=[0, 0, k // 2],
            AcquisitionTime=f"1015{k:02d}",
            TriggerTime=k,
            SOPInstanceUID=f"1.2.3.{k}",
            SeriesDescription="a" * (k % 3 + 1),
            ImageComments="b" * k,
        )


def test_a_series_reads_the_same_as_file_by_file(instance):
    reader = HeaderReader()
    for data in series(instance):
        assert reader.read(data) == read_header(data)
        assert reader.read(data) == read_header(data)


def test_a_bad_element_of_a_slice_is_found_though_the_rest_is_known(instance):
    reader = HeaderReader()
    reader.read(instance(InstanceNumber=1))
    with pytest.raises(ImagingError, match=r"\(0020,0032\)"):
        reader.read(instance(InstanceNumber=2, ImagePositionPatient=[1, 2]))


@pytest.mark.data
@pytest.mark.parametrize("folder", ["dcm_qa_nih", "dcm_qa_enh", "dcm_qa_ts"])
def test_real_files_read_the_same(shared_data, folder):
    paths = sorted(path for path in (shared_data / folder / "In").rglob("*") if path.is_file())
    if not paths:
        pytest.skip(f"../shared/data/{folder} is not there")
    reader = HeaderReader()
    for path in paths:
        data = path.read_bytes()
        try:
            expected = read_header(data)
        except ImagingError:
            continue
        assert reader.read(data) == expected


@cache
def vendor_files(name):
    """Two series of a vendor's dialect, which differ in their numbers only."""
    series = [Maker(make_dataset, name, number) for number in (3, 4)]
    for one in series:
        VARIANTS[name](one)
    return [to_bytes(made) for one in series for made in one.made]


def outcome(read, data):
    try:
        return read(data)
    except ImagingError as error:
        return error.reason, str(error)


@given(st.sampled_from(sorted(VARIANTS)), st.integers(0, 2**32))
@settings(deadline=None, max_examples=120)
def test_damaged_instances_of_every_dialect_read_as_they_would_alone(name, seed):
    """Where what is known of others is used, and where it must not be."""
    random = np.random.default_rng(seed)
    files, reader = vendor_files(name), HeaderReader()
    for data in files:
        assert reader.read(data) == read_header(data)
    damaged = bytearray(files[int(random.integers(0, len(files)))])
    for _ in range(int(random.integers(1, 4))):
        damaged[int(random.integers(132, len(damaged)))] = int(random.integers(0, 256))
    if random.random() < 0.2:
        del damaged[int(random.integers(132, len(damaged))) :]
    for data in (bytes(damaged), files[0], bytes(damaged)):
        assert outcome(reader.read, data) == outcome(read_header, data)


def test_a_header_made_of_known_fields_is_one_like_any_other(instance):
    reader = HeaderReader()
    first, second = (reader.read(instance(InstanceNumber=n, SOPInstanceUID=f"1.2.{n}")) for n in (1, 2))
    assert pickle.loads(pickle.dumps(second)) == second
    assert hash(replace(second, instance_number=1, sop_uid="1.2.1")) == hash(first)
    assert (first.instance_number, second.instance_number) == (1, 2)
    with pytest.raises(AttributeError):
        second.rows = 3
