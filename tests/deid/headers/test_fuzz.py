"""Broken and hostile files: each is cleaned or refused with a typed reason, none crashes, hangs or leaks."""

import io
import random
import struct
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

import pytest

from deid.headers.elements import parse, text_of
from deid.headers.headers import Deidentifier
from deid.policy import load_policy
from deid.refusals import Refused
from deid.text.identifiers import Identifiers, gather
from deid.vault import Subject
from schemas.reasons import Reason
from tests.documents import OBJECTS
from tests.encodings import PLAIN, encoded
from tests.objects import IMAGES, Identity

SUBJECT = Subject("SABCDEFGHIJKL", bytes(range(32)))
WHO = Identity()
QUICK, FULL, PARTS = 500, 20_000, 2
SPLICE, INSERT, SHORTEST = 64, 16, 160
LENGTHS = (0, 1, 2, 3, 0x7FFF, 0xFFFE, 0xFFFF, 0x7FFFFFFF, 0xFFFFFFFE, 0xFFFFFFFF)


def base_files():
    """Small objects of every kind, and images in every plain encoding."""
    files = [encoded(OBJECTS[kind](WHO)) for kind in OBJECTS]
    return files + [encoded(OBJECTS[kind](WHO), syntax) for kind in IMAGES for syntax in PLAIN.values()]


@pytest.fixture(scope="module")
def bases():
    return base_files()


def mutated(rng, bases):
    """A base file with one to three wounds behind its prefix."""
    data = bytearray(rng.choice(bases))
    for _ in range(rng.choice((1, 1, 1, 2, 3))):
        if len(data) > SHORTEST:
            _wound(rng, data, rng.randrange(132, len(data) - 4), bases)
    return bytes(data)


def _wound(rng, data, at, bases):
    match rng.randrange(9):
        case 0 | 1:
            data[at] ^= 1 << rng.randrange(8)
        case 2 | 3:
            data[at] = rng.randrange(256)
        case 4:
            del data[at : at + rng.randint(1, INSERT)]
        case 5:
            data[at:at] = rng.randbytes(rng.randint(1, INSERT))
        case 6:
            del data[at:]
        case 7:
            width = rng.choice((2, 4))
            data[at : at + width] = rng.choice(LENGTHS).to_bytes(4, "little")[:width]
        case 8:
            _splice(rng, data, at, rng.choice(bases))


def _splice(rng, data, at, other):
    """Some bytes of another file, half of the times as many as they replace, so that lengths may still fit."""
    start, length = rng.randrange(132, len(other)), rng.randrange(SPLICE)
    replaced = length if rng.randrange(2) else rng.randrange(SPLICE)
    data[at : at + replaced] = other[start : start + length]


def outcome(deidentifier, data, known):
    """The cleaned file without its pixels: bytes that are spliced in there are values of pixels and nothing else."""
    try:
        cleaned = deidentifier.clean(data, SUBJECT, known)
        return cleaned.data.replace(bytes(cleaned.pixels), b"") if cleaned.pixels else cleaned.data
    except Refused as refused:
        assert isinstance(refused.reason, Reason)
        return b""


@pytest.mark.parametrize("count", [QUICK, pytest.param(FULL, marks=pytest.mark.slow)])
def test_no_wound_makes_a_file_crash_or_leak(bases, count):
    parts = [(bases, seed, count // PARTS) for seed in range(PARTS)]
    with ProcessPoolExecutor(PARTS, get_context("fork")) as pool:
        cleaned = sum(pool.map(wounded, *zip(*parts, strict=True)))
    assert 0 < cleaned < count


def wounded(bases, seed, count):
    """How many of so many mutated files are cleaned; none may crash or leak."""
    rng = random.Random(20_000 + seed)
    deidentifier = Deidentifier(load_policy("safe_harbor"))
    known = Identifiers.of(pair for data in bases for pair in gather(parse(data).dataset))
    tokens = [token.lower().encode() for token in WHO.tokens()]
    cleaned = 0
    for number in range(count):
        out = outcome(deidentifier, mutated(rng, bases), known).lower()
        cleaned += bool(out)
        leaked = [token for token in tokens if token in out]
        assert not leaked, f"mutation {number} of seed {seed} leaks"
    return cleaned


ITEM, OPEN = 0xFFFEE000, 0xFFFFFFFF
STRUCTURES = {
    "only a prefix": (bytes(128) + b"DICM", {Reason.UNSUPPORTED, Reason.UNREADABLE}),
    "nothing": (b"", {Reason.UNREADABLE}),
    "no preamble": (b"\x08\0\x05\0CS\x0a\0ISO_IR 100", {Reason.UNREADABLE}),
    "text": (b"this is no image" * 20, {Reason.UNREADABLE}),
}


@pytest.mark.parametrize("name", STRUCTURES)
def test_what_is_no_part_10_file_is_refused(deidentifiers, name):
    data, reasons = STRUCTURES[name]
    with pytest.raises(Refused) as refused:
        deidentifiers["safe_harbor"].clean(data, SUBJECT, Identifiers())
    assert refused.value.reason in reasons


def test_a_file_without_meta_information_is_refused(deidentifiers):
    data = encoded(OBJECTS["image"](WHO))
    start = data.index(b"\x08\0\x05\0CS")
    for stripped in (data[:132] + data[start:], data[start:]):
        with pytest.raises(Refused) as refused:
            deidentifiers["safe_harbor"].clean(stripped, SUBJECT, Identifiers())
        assert refused.value.reason in {Reason.UNSUPPORTED, Reason.UNREADABLE}


def test_every_cut_is_refused_or_clean(deidentifiers):
    data = encoded(OBJECTS["image"](WHO))
    known = Identifiers.of(gather(parse(data).dataset))
    tokens = [token.lower().encode() for token in WHO.tokens()]
    for end in range(0, len(data), 3):
        out = outcome(deidentifiers["safe_harbor"], data[:end], known).lower()
        assert not [token for token in tokens if token in out]


NAMES = {
    "latin": ("ISO_IR 100", "Müller^Jörg".encode("latin-1")),
    "japanese": ("\\ISO 2022 IR 87", b"Yamada^Tarou=\x1b$B;3ED\x1b(B^\x1b$BB@O:\x1b(B"),
    "korean": ("\\ISO 2022 IR 149", b"Hong^Gildong=\x1b$)C\xfb\xf3^\x1b$)C\xd1\xce\xd4\xd7"),
    "gb18030": ("GB18030", "王^小东".encode("gb18030")),
    "utf-8 said to be latin": ("ISO_IR 100", "Müller^Jörg".encode()),
    "latin said to be utf-8": ("ISO_IR 192", "Müller^Jörg".encode("latin-1")),
    "a character set that is none": ("ISO_IR 999", "Müller^Jörg".encode("latin-1")),
    "an escape without end": ("\\ISO 2022 IR 87", b"Yamada^\x1b$B;3E"),
}


@pytest.mark.parametrize("case", NAMES)
def test_names_in_odd_character_sets_do_not_leave(deidentifiers, written, mr_image, case):
    character_set, name = NAMES[case]
    data = written(mr_image)
    at = data.index(b"\x08\0\x05\0CS")
    end = at + 8 + struct.unpack_from("<H", data, at + 6)[0]
    said = character_set.encode() + b" " * (len(character_set) % 2)
    padded = name + b" " * (len(name) % 2)
    data = data[:at] + element(0x00080005, b"CS", said) + data[end:]
    for tag, vr, old in ((0x00100010, b"PN", b"Doe^Jane"), (0x0008103E, b"LO", b"ep2d_diff_b1000_p2")):
        data = data.replace(element(tag, vr, old), element(tag, vr, padded))
    assert data.count(padded) == 2
    known = Identifiers.of(gather(parse(data, pixels=False).dataset))
    out = deidentifiers["safe_harbor"].clean(data, SUBJECT, known).data
    read = text_of(name, parse(data, pixels=False).dataset.encodings)
    for part in read.replace("=", "^").split("^"):
        assert name not in out
        assert part.encode() not in out


def element(tag, vr, value):
    return struct.pack("<HH2sH", tag >> 16, tag & 0xFFFF, vr, len(value)) + value


def _image(written, mr_image):
    data = written(mr_image)
    return data, data.index(b"\x10\0\x10\0PN")


@pytest.mark.parametrize(
    "planted",
    [
        element(0x00100010, b"PN", b"Sentinel^Name "),
        element(0x00100010, b"PN", b"Sentinel^Name ") * 2,
        element(0x00080070, b"LO", b"Sentinel"),
        element(0x00100000, b"UL", bytes(4)) + element(0x00104000, b"LT", b"Sentinel"),
        element(0x00100000, b"LO", b"Sentinel"),
        element(0x00091001, b"LO", b"Sentinel"),
        element(0x00090010, b"LO", b"") + element(0x00091001, b"LO", b"Sentinel"),
        element(0x00104000, b"??", b"Sentinel"),
        element(0x00104000, b"\0\0", b"Sentinel"),
        element(0x00181030, b"US", b"Sentinel"),
        element(0x00181030, b"SH", b"Sentinel"),
        element(0x00280010, b"LO", b"Sentinel"),
        struct.pack("<HH2sHI", 0x0010, 0x4001, b"UN", 0, 8) + b"Sentinel",
        struct.pack("<HH2sHI", 0x0010, 0x4001, b"OB", 0, OPEN) + b"Sentinel" + struct.pack("<HHI", 0xFFFE, 0xE0DD, 0),
        struct.pack("<HH2sHI", 0x0008, 0x1140, b"SQ", 0, 16) + struct.pack("<HHI", 0xFFFE, 0xE000, OPEN) + b"Sentinel",
        struct.pack("<HH2sHI", 0x0008, 0x1140, b"SQ", 0, 0xFFFFFFF0) + b"Sentinel",
        struct.pack("<HH2sHI", 0x0010, 0x4001, b"UT", 0, 0xFFFFFFFE) + b"Sentinel",
        struct.pack("<HHI", 0xFFFE, 0xE00D, 0) + element(0x00104000, b"LT", b"Sentinel"),
        struct.pack("<HHI", 0xFFFE, 0xE0DD, 0) + element(0x00104000, b"LT", b"Sentinel"),
    ],
)
def test_odd_elements_are_cleaned_or_refused(deidentifiers, written, mr_image, planted):
    data, at = _image(written, mr_image)
    known = Identifiers.of(gather(parse(data, pixels=False).dataset))
    out = outcome(deidentifiers["safe_harbor"], data[:at] + planted + data[at:], known)
    assert b"entinel" not in out


def test_work_grows_with_the_file_and_not_faster(deidentifiers):
    """Many items, many fragments, many private blocks: counted by calls, because clocks judge nothing here."""
    item = struct.pack("<HHI", 0xFFFE, 0xE000, 8) + element(0x00080100, b"SH", b"")

    def calls(count):
        nested = item * count
        data = encoded(OBJECTS["image"](WHO))
        at = data.index(b"\x08\0\x60\0CS")
        sequence = struct.pack("<HH2sHI", 0x0008, 0x0051, b"SQ", 0, len(nested)) + nested
        return counted(lambda: outcome(deidentifiers["safe_harbor"], data[:at] + sequence + data[at:], Identifiers()))

    calls(10)
    assert calls(2000) < 15 * calls(200)


def counted(work):
    """Function calls that some work takes."""
    import cProfile
    import pstats

    profile = cProfile.Profile()
    profile.runcall(work)
    return pstats.Stats(profile, stream=io.StringIO()).total_calls
