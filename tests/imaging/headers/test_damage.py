"""Damaged files end in a volume or in a reason for quarantine, never in any other exception."""

import contextlib

import nibabel as nib
import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom.uid import ExplicitVRBigEndian, ExplicitVRLittleEndian, ImplicitVRLittleEndian

from imaging.errors import ImagingError
from imaging.headers.reading import read_header
from imaging.kinds.classify import classify
from imaging.nifti import nifti
from imaging.volumes.normalize import assemble
from imaging.volumes.pixels import stored_pixels
from imaging.volumes.series import plan

DAMAGE = st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(0, 255)), min_size=1, max_size=12)


def damaged(data, changes, first):
    broken = bytearray(data)
    for place, value in changes:
        broken[first + int(place * (len(data) - first))] = value
    return bytes(broken)


@given(DAMAGE, st.sampled_from([ExplicitVRLittleEndian, ImplicitVRLittleEndian, ExplicitVRBigEndian]))
@settings(max_examples=50, deadline=None)
def test_a_damaged_instance_gives_a_volume_or_a_reason(instance, changes, syntax):
    data = damaged(instance(TransferSyntaxUID=syntax, EchoTime=10, RepetitionTime=500), changes, 132)
    with contextlib.suppress(ImagingError):
        header = read_header(data)
        classify([header])
        found = plan([header])
        assert len(found.volumes) + len(found.rejected) == 1
        for volume in found.volumes:
            assemble(volume, [stored_pixels(data, header)])


@given(DAMAGE)
@settings(max_examples=50, deadline=None)
def test_a_damaged_nifti_header_gives_a_volume_or_a_reason(changes):
    made = nib.Nifti1Image(np.arange(24, dtype=np.int16).reshape(2, 3, 4), np.eye(4)).to_bytes()
    with contextlib.suppress(ImagingError):
        nifti.read(damaged(made[:352], changes, 0) + made[352:])
