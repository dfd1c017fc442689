"""Text that is left in pixels is a finding, also where the headers are clean; other series are not read."""

import io

import numpy as np
import pytest
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, MRImageStorage, generate_uid

from deid.text.identifiers import Identifiers
from lake.zones import Lake
from schemas.tables import DECISIONS, INSTANCES
from stages.second_look.pixel_text import shown, suspicious
from stages.second_look.residual import scan
from tests.synthetic import fill, put


def image(pixels):
    file = Dataset()
    file.SOPClassUID, file.SOPInstanceUID = MRImageStorage, generate_uid()
    file.Rows, file.Columns = pixels.shape
    file.BitsAllocated, file.BitsStored, file.HighBit, file.PixelRepresentation = 16, 12, 11, 0
    file.SamplesPerPixel, file.PhotometricInterpretation = 1, "MONOCHROME2"
    file.PixelData = pixels.astype("<u2").tobytes()
    file.file_meta = FileMetaDataset()
    file.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    buffer = io.BytesIO()
    file.save_as(buffer, enforce_file_format=True)
    return buffer.getvalue()


def disc(text=""):
    from PIL import Image, ImageDraw, ImageFont

    y, x = np.mgrid[:192, :192]
    picture = Image.fromarray((((x - 96) ** 2 + (y - 96) ** 2 < 70**2) * 90).astype(np.uint8))
    if text:
        ImageDraw.Draw(picture).text((6, 6), text, fill=255, font=ImageFont.load_default(16))
    return np.asarray(picture).astype(np.uint16) * 8


def test_text_is_read_and_only_its_kind_comes_back():
    files = [image(disc("QUENNELBY OSBERTA")) for _ in range(3)]
    kinds = shown(files, Identifiers.of([("name", "Quennelby^Osberta")]))
    assert kinds
    assert "quennelby" not in " ".join(kinds).lower()
    assert shown([image(disc()) for _ in range(3)], Identifiers.of([])) == []


@pytest.fixture
def lake(tmp_path):
    lake = Lake.open(tmp_path / "lake", principal="tester", workers=1)
    fill(lake, {"d": ["S1", "S2"]}, contrasts=("T1",))
    rows = lake.table(DECISIONS).rows()
    rows[0] |= {"rule": "burned-in-text", "action": "C", "kind": "text in pixels"}
    rows[1] |= {"rule": "burned-in-text", "action": "K", "kind": "text in pixels"}
    put(lake, DECISIONS, "d", rows)
    return lake


def test_a_series_in_which_text_was_blanked_is_read_again(lake):
    blanked = lake.table(DECISIONS).rows()[0]["series"]
    assert suspicious(lake, "d") == {blanked}
    rows = lake.table(INSTANCES).rows([c.name for c in INSTANCES.columns])
    put(lake, INSTANCES, "d", [r | {"sop_class": "1.2.840.10008.5.1.4.1.1.7.2"} for r in rows])
    assert len(suspicious(lake, "d")) == 2


def test_text_that_is_left_is_a_finding(lake):
    from schemas.tables import IDENTIFIERS

    put(lake, IDENTIFIERS, "d", [{"subject": "S1", "kind": "name", "value": "Doe^Jane"}])
    read = []
    residue = scan(lake, "d", lambda files, _: read.append(len(files)) or ["name"])
    assert read == [1]
    assert residue.findings == {"name in text in pixels": 1}
    assert residue.examples == (lake.table(DECISIONS).rows()[0]["series"],)
