"""Volumes of made-up series of several slices and steps."""

import numpy as np
import pytest

from imaging.headers.reading import read_header
from imaging.volumes.normalize import assemble
from imaging.volumes.pixels import stored_pixels
from imaging.volumes.series import plan
from tests.imaging.volumes.scans import PLANES, clock


@pytest.fixture
def volumes(dataset, file_of):
    """Makes the volumes of a series; `vary` changes an image by its step and place in the stack."""

    def make(orientation=PLANES["axial"][0], depth=5, steps=3, vary=lambda image, step, place: None, **elements):
        normal = np.cross(orientation[:3], orientation[3:])
        files = []
        for step in range(steps):
            for place in range(depth):
                stated = {
                    "ImageOrientationPatient": orientation,
                    "ImagePositionPatient": [float(x) for x in normal * 3 * place],
                    "InstanceNumber": step * depth + place + 1,
                    "AcquisitionNumber": step + 1,
                    "AcquisitionTime": clock(step, 0.0),
                    "ScanningSequence": ["EP", "GR"],
                    "MRAcquisitionType": "2D",
                    "RepetitionTime": 2000,
                    "EchoTime": 30,
                    "FlipAngle": 70,
                }
                image = dataset(np.full((8, 8), 10 * step + place, np.uint16), **(stated | elements))
                vary(image, step, place)
                files.append(file_of(image))
        headers = [read_header(data) for data in files]
        found = plan(headers)
        assert not found.rejected
        return [assemble(volume, lambda i: stored_pixels(files[i], headers[i])) for volume in found.volumes]

    return make
