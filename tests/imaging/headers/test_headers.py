"""Headers that are remembered are those that would have been read."""

import pytest

from imaging.errors import ImagingError
from imaging.headers.headers import HeaderReader
from imaging.headers.reading import read_header


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
