"""The whole key: every file, every token, every attribute that research needs.

Belongs here: which object kinds, transfer syntaxes and carriers are put together.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from pydicom.uid import ExplicitVRLittleEndian

from benchmarks.traps import carriers, files, objects, prose, research, scripts, unusual, vendors
from benchmarks.traps.mint import Mint, Token
from benchmarks.traps.plant import Plant

_VENDORS = {
    "siemens": ("SIEMENS", "Prisma_fit"),
    "ge": ("GE MEDICAL SYSTEMS", "SIGNA Premier"),
    "philips": ("Philips Medical Systems", "Ingenia"),
    "uih": ("UIH", "uMR 790"),
    "canon": ("CANON_MEC", "Vantage Galan 3T"),
}


@dataclass
class Key:
    """Files, what is planted in them, and what of them must be kept.

    Attributes:
        files: name to content.
        tokens: identifiers.
        expected: research attributes.
        derived: facts that the input has in a vendor's blob alone, and that an output should have as elements.
    """

    files: dict[str, bytes] = field(default_factory=dict)
    tokens: list[Token] = field(default_factory=list)
    expected: list[research.Expected] = field(default_factory=list)
    derived: list[research.Expected] = field(default_factory=list)

    def add(self, plant: Plant, content: bytes) -> None:
        """Take a planted file in."""
        for placeholder, value in plant.bytes_for.items():
            content = content.replace(placeholder, value)
        self.files[plant.file] = content
        self.tokens.extend(plant.tokens)


def answer_key(seed: int = 7) -> Key:
    """The key; the same for the same seed."""
    key, mint = Key(), Mint(seed)
    with files.lenient():
        for build in (
            _classic,
            _syntaxes,
            _compressed,
            _scripts,
            _prose,
            _vendors,
            _blobs,
            _enhanced,
            _derived,
            _documents,
            _unusual,
        ):
            build(key, mint)
    return key


def _start(file: str, mint: Mint, make: Callable[[tuple[str, str, str, str]], Dataset]) -> Plant:
    uids = (mint.uid(), mint.uid(), mint.uid(), mint.uid())
    plant = Plant(file, mint, make(uids))
    carriers.person(plant)
    carriers.identity(plant)
    return plant


def _classic(key: Key, mint: Mint) -> None:
    """One classic image for each family of carriers, so that one refusal does not hide the others."""
    for name, plants in {
        "listed": (carriers.listed,),
        "unlisted": (carriers.unlisted,),
        "wrong values": (carriers.wrong,),
        "nested": (carriers.nested,),
        "private": (carriers.private,),
        "graphics": (carriers.graphics,),
        "behind pixels": (carriers.behind_pixels,),
        "unused bits": (_unused_bits,),
    }.items():
        plant = _start(f"MR, {name}", mint, objects.mr)
        for carrier in plants:
            carrier(plant)
        key.add(plant, files.written(plant.dataset))
    plant = _start("MR, around the dataset", mint, objects.mr)
    preamble, meta = carriers.meta(plant)
    key.add(plant, files.written(plant.dataset, preamble=preamble, meta=meta))
    plant = _start("MR, behind the dataset", mint, objects.mr)
    key.add(plant, files.written(plant.dataset) + plant.word("around", "behind the dataset").encode())


def _unused_bits(plant: Plant) -> None:
    """A token in bit 15 of the pixels, one bit a pixel, where overlays were kept (retired in 2004)."""
    word = plant.word("graphics", "overlay in unused bits").encode()
    pixels = np.frombuffer(plant.dataset.PixelData, "<u2").copy()
    bits = np.unpackbits(np.frombuffer(word, np.uint8), bitorder="little")
    pixels[: len(bits)] |= bits.astype("<u2") << 15
    plant.dataset.PixelData = pixels.tobytes()
    plant.dataset["PixelData"].VR = "OW"
    for tag, vr, value in (
        (0x60000010, "US", objects.SIDE), (0x60000011, "US", objects.SIDE), (0x60000040, "CS", "G"),
        (0x60000050, "SS", [1, 1]), (0x60000100, "US", 16), (0x60000102, "US", 15),
    ):  # fmt: skip
        plant.dataset.add_new(tag, vr, value)


def _syntaxes(key: Key, mint: Mint) -> None:
    for name, syntax in files.NATIVE.items():
        if syntax == ExplicitVRLittleEndian:
            continue
        plant = _start(f"MR, {name}", mint, objects.mr)
        for carrier in (carriers.nested, carriers.private, carriers.graphics):
            carrier(plant)
        preamble, meta = carriers.meta(plant)
        key.add(plant, files.written(plant.dataset, syntax, preamble, meta))


def _compressed(key: Key, mint: Mint) -> None:
    for name, syntax in files.COMPRESSED.items():
        plant = _start(f"MR, {name}", mint, objects.mr)
        carriers.nested(plant)
        frame = files.frame(plant.dataset, syntax)
        comment = plant.word("compressed pixels", f"comment in the frame, {name}").encode().ljust(20, b"\0")
        offsets = plant.word("compressed pixels", f"offset table, {name}").encode().ljust(20, b"\0")
        files.compressed(plant.dataset, files.commented(frame, comment, syntax), offsets)
        key.add(plant, files.written(plant.dataset, syntax))


def _scripts(key: Key, mint: Mint) -> None:
    for name, script in scripts.SCRIPTS.items():
        plant = _start(f"MR, {name}", mint, objects.mr)
        # person() planted ASCII where the script goes
        carriers_of_script = ("patient", "listed text", "place")
        plant.tokens = [t for t in plant.tokens if t.category not in carriers_of_script or "PatientID" in t.carrier]
        scripts.plant_script(plant, script, name)
        key.add(plant, files.written(plant.dataset))


def _prose(key: Key, mint: Mint) -> None:
    plant = _start("MR, spellings", mint, objects.mr)
    plant.tokens = [t for t in plant.tokens if t.carrier != "StudyDescription"]
    prose.in_headers(plant)
    key.add(plant, files.written(plant.dataset))
    for syntax in ("explicit", "implicit"):
        plant = _start(f"SR, {syntax}", mint, lambda uids: objects.report(uids, []))
        plant.dataset.ContentSequence = Sequence(prose.in_report(plant))
        observer = objects.item(VerifyingOrganization=plant.word("report item", "verifying organization"))
        observer.VerifyingObserverName = plant.word("report item", "verifying observer") + "^Lee"
        observer.VerificationDateTime = plant.day("report item", "verification", recent=True) + "101500"
        plant.dataset.VerifyingObserverSequence = Sequence([observer])
        key.add(plant, files.written(plant.dataset, files.NATIVE[syntax]))


def _vendors(key: Key, mint: Mint) -> None:
    """Images with everything that research needs, and the patient beside it."""
    for vendor, (maker, model) in _VENDORS.items():
        plant = _start(f"MR, {vendor}", mint, objects.mr)
        plant.tokens = [t for t in plant.tokens if t.carrier != "StudyDescription"]
        changes = {"Manufacturer": maker, "ManufacturerModelName": model}
        for keyword, value in {**research.STANDARD, **changes}.items():
            setattr(plant.dataset, keyword, value)
            if vendor == "siemens" or keyword in changes:
                key.expected.append(research.Expected(plant.file, keyword, (keyword,), value))
        for group, creator, offset, vr, value, meaning in research.private(vendor):
            plant.private(group, creator, offset, vr, value)
            key.expected.append(
                research.Expected(plant.file, f"{vendor} {meaning}", ((group, creator, offset),), value)
            )
        plant.private(0x0051, "Vendor texts 01", 0x10, "LO", plant.word("private", f"text beside {vendor} values"))
        key.add(plant, files.written(plant.dataset))


def _blobs(key: Key, mint: Mint) -> None:
    """A Siemens image with facts and identifiers in its CSA header, and no element that says the same."""
    plant = _start("MR, siemens blob", mint, objects.mr)
    identifying = {name: [plant.word("private", f"CSA {name}")] for name in ("PatientName", "SequenceFileOwner")}
    blob = vendors.csa({**research.CSA, **identifying})
    plant.private(0x0029, "SIEMENS CSA HEADER", 0x10, "OB", blob + bytes(len(blob) % 2))
    key.derived = [
        research.Expected(plant.file, meaning, ((group, creator, offset),), value)
        for group, creator, offset, _, value, meaning in research.private("siemens")
        if meaning != "images in mosaic"
    ]
    key.add(plant, files.written(plant.dataset))


def _enhanced(key: Key, mint: Mint) -> None:
    plant = _start("enhanced MR", mint, objects.enhanced)
    frames = plant.dataset.PerFrameFunctionalGroupsSequence
    key.expected.extend(
        research.Expected(plant.file, f"enhanced, {name}", path, value)
        for name, (path, value) in research.ENHANCED.items()
    )
    content = frames[1].FrameContentSequence[0]
    plant.put("FrameComments", "functional groups", "{}", content)
    plant.put("FrameLabel", "functional groups", "{}", content)
    content.FrameAcquisitionDateTime = (
        plant.day("functional groups", "FrameAcquisitionDateTime", recent=True) + "101500"
    )
    content.StackID = plant.word("functional groups", "StackID")
    uid = plant.uid("functional groups", "referenced image")
    frames[2].ReferencedImageSequence = Sequence([objects.reference(objects.MR, uid)])
    plant.private(0x0021, "SIEMENS MR SDI 02", 0x59, "LO", plant.word("functional groups", "private text"), frames[3])
    inner = objects.item(ProtocolName=plant.word("functional groups", "ProtocolName in a private sequence"))
    plant.private(0x2005, "Philips MR Imaging DD 005", 0x0F, "SQ", [inner], frames[3])
    frames[3].FrameAnatomySequence = Sequence(
        [
            objects.item(
                AnatomicRegionSequence=[objects.code("T-A0100", "SRT", plant.word("functional groups", "anatomy"))]
            )
        ]
    )
    carriers.nested(plant)
    key.add(plant, files.written(plant.dataset))
    plant = _start("MR spectroscopy", mint, objects.spectroscopy)
    plant.put("VolumeLocalizationTechnique", "unlisted code", "{:.16}")
    carriers.nested(plant)
    carriers.private(plant)
    key.add(plant, files.written(plant.dataset))


def _derived(key: Key, mint: Mint) -> None:
    plant = _start("secondary capture", mint, objects.secondary_capture)
    for keyword in (
        "SecondaryCaptureDeviceID",
        "SecondaryCaptureDeviceManufacturer",
        "SecondaryCaptureDeviceSoftwareVersions",
    ):
        plant.put(keyword, "device")
    plant.dataset.DateOfSecondaryCapture = plant.day("date", "DateOfSecondaryCapture", recent=True)
    carriers.graphics(plant)
    key.add(plant, files.written(plant.dataset))
    plant = _start("segmentation", mint, objects.segmentation)
    segment = plant.dataset.SegmentSequence[0]
    plant.put("SegmentDescription", "derived object", "{}", segment)
    plant.put("SegmentLabel", "derived object", "{}", segment)
    plant.put("ContentCreatorName", "derived object", "{}^Uma")
    plant.put("ContentDescription", "derived object")
    segment.TrackingUID = plant.uid("derived object", "TrackingUID")
    segment.TrackingID = plant.code("derived object", "TrackingID", "TRK")
    key.add(plant, files.written(plant.dataset))
    plant = _start("structure set", mint, objects.structures)
    plant.put("StructureSetName", "derived object")
    plant.put("StructureSetDescription", "derived object")
    plant.put("ROIName", "derived object", "{}", plant.dataset.StructureSetROISequence[0])
    plant.put("ROIDescription", "derived object", "{}", plant.dataset.StructureSetROISequence[0])
    plant.put("ROIInterpreter", "derived object", "{}^Ira", plant.dataset.RTROIObservationsSequence[0])
    key.add(plant, files.written(plant.dataset))
    image = mint.uid()
    plant = _start("presentation state", mint, lambda uids: objects.presentation(uids, image))
    plant.note("uid", "image shown", image)
    plant.put("ContentCreatorName", "derived object", "{}^Ova")
    plant.put("ContentDescription", "derived object")
    carriers.graphics(plant)
    key.add(plant, files.written(plant.dataset))


def _documents(key: Key, mint: Mint) -> None:
    plant = _start("encapsulated PDF", mint, lambda uids: objects.pdf(uids, b"%PDF-1.4\n"))
    plant.dataset.EncapsulatedDocument = (document := prose.pdf_document(plant)) + bytes(len(document) % 2)
    plant.put("DocumentTitle", "PDF", "Report of {}")
    key.add(plant, files.written(plant.dataset))
    plant = Plant("DICOMDIR", mint, objects.directory())
    plant.put("FileSetID", "DICOMDIR", "{:.16}")
    made = []
    for kind in ("PATIENT", "STUDY", "SERIES", "IMAGE"):
        record = objects.item(DirectoryRecordType=kind, RecordInUseFlag=0xFFFF)
        record.OffsetOfTheNextDirectoryRecord = record.OffsetOfReferencedLowerLevelDirectoryEntity = 0
        made.append(record)
    plant.put("PatientName", "DICOMDIR", "{}^Moe", made[0])
    made[0].PatientID = plant.code("DICOMDIR", "PatientID", "P")
    plant.put("StudyDescription", "DICOMDIR", "{}", made[1])
    made[1].StudyInstanceUID = plant.uid("DICOMDIR", "StudyInstanceUID")
    made[1].StudyDate = plant.day("DICOMDIR", "StudyDate", recent=True)
    made[1].AccessionNumber = plant.code("DICOMDIR", "AccessionNumber", "A")
    plant.put("SeriesDescription", "DICOMDIR", "{}", made[2])
    made[3].ReferencedFileID = ["IMAGES", plant.mint.word().upper()[:8]]
    plant.note("DICOMDIR", "ReferencedFileID", str(made[3].ReferencedFileID[1]))
    made[3].ReferencedSOPInstanceUIDInFile = plant.uid("DICOMDIR", "ReferencedSOPInstanceUIDInFile")
    plant.dataset.DirectoryRecordSequence = Sequence(made)
    key.add(plant, files.written(plant.dataset))


def _unusual(key: Key, mint: Mint) -> None:
    """What is seldom written so; each person's own names and ids are part of the trap."""
    for name, carrier in {
        "unusual texts": unusual.in_headers, "split values": unusual.split, "packed numbers": unusual.numbers,
    }.items():  # fmt: skip
        plant = _start(f"MR, {name}", mint, objects.mr)
        plant.tokens = [t for t in plant.tokens if t.category in {"uid", "device"} or t.carrier == "AccessionNumber"]
        carrier(plant)
        key.add(plant, files.written(plant.dataset))
    plant = _start("SR, unusual texts", mint, lambda uids: objects.report(uids, []))
    plant.dataset.ContentSequence = Sequence(unusual.in_report(plant))
    key.add(plant, files.written(plant.dataset))
