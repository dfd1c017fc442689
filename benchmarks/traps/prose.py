"""Free text that repeats identifiers in every spelling, in headers and in reports.

Belongs here: spellings of names, ids and dates. A spelling is a trap of its own: each is made of a fresh name.
"""

from collections.abc import Callable, Iterator

from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from benchmarks.traps.objects import code, content, item, reference
from benchmarks.traps.plant import Plant

Spelling = Callable[[str, str], str]

SPELLINGS: dict[str, Spelling] = {
    "family name first": lambda f, g: f"{f}, {g}",
    "given name first": lambda f, g: f"{g} {f}",
    "upper case": lambda f, g: f"{f.upper()} {g.upper()}",
    "lower case": lambda f, g: f"{g.lower()} {f.lower()}",
    "with carets": lambda f, g: f"{f}^{g}",
    "with underscores": lambda f, g: f"t1_{f.lower()}_sag",
    "with digits": lambda f, g: f"{f.lower()}2",
    "camel case": lambda f, g: f"{f}{g}",
    "camel case with protocol words": lambda f, g: f"T1Brain{f}",
    "possessive": lambda f, g: f"{f}'s brain",
    "with a title": lambda f, g: f"Mrs. {f}",
    "with a dash": lambda f, g: f"{f.lower()}-brain",
    "with a zero-width space": lambda f, g: f"{f[:3]}\u200b{f[3:]}",
    "glued to protocol words": lambda f, g: f"ax{f.lower()}t2",
}
"""Of a patient's family and given name, as a header text repeats them."""

DATES = (
    "%d.%m.%Y", "%m/%d/%Y", "%Y-%m-%d", "%d %B %Y", "%B %d, %Y", "%d-%b-%Y", "%Y%m%d", "%d/%m/%y", "%b %d %Y", "%d%b%Y",
)  # fmt: skip
_NUMBERS = {
    "MRN": "MRN 00{}", "accession": "acc# {}", "phone": "tel (615) 555-{:.4}", "SSN": "SSN 219-09-{:.4}",
    "e-mail": "{}@hospital.example", "URL": "http://{}.example/p", "IP address": "10.{:.2}.44.201", "room": "Room {}-B",
}  # fmt: skip


def headers(plant: Plant) -> Iterator[tuple[str, str]]:
    """Carrier and text for texts of one line; the patient gets a name of each spelling."""
    names = []
    for name, spelling in SPELLINGS.items():
        family, given = plant.mint.word(), plant.mint.word()
        names.append(f"{family}^{given}")
        text = spelling(family, given)
        seen = (family,) if family.lower() in text.lower() else (family, text)
        for needle in seen:
            plant.note("spelling in header text", name, needle)
        yield name, text
    for name, text in _hard(plant, names):
        yield name, text
    plant.dataset.OtherPatientNames = names


def _hard(plant: Plant, names: list[str]) -> Iterator[tuple[str, str]]:
    """Spellings that bytes alone would not find by the name."""
    family = plant.mint.word()
    names.append(f"{family}^{plant.mint.word()}")
    spaced = " ".join(family.upper())
    plant.note("spelling in header text", "spaced letters", spaced)
    yield "spaced letters", f"T1 {spaced} SAG"
    initials = plant.mint.initials()
    names.append(f"{initials[0]}uorst^{initials[1]}anthe^{initials[2]}eb")
    plant.note("spelling in header text", "initials", initials, exact=True)
    yield "initials", f"T2 {initials} AX"
    bare = plant.mint.word()
    names.append(f"{bare}^Jo")
    accented = bare.replace("a", "á").replace("e", "é").replace("i", "í").replace("o", "ö").replace("u", "ü")
    plant.note("spelling in header text", "accents", accented)
    plant.note("spelling in header text", "accents, folded", bare)
    yield "accents", f"Schädel {accented}"
    wide = plant.mint.word()
    names.append(f"{wide}^Jo")
    plant.note("spelling in header text", "full-width letters", "".join(chr(ord(c) + 0xFEE0) for c in wide))
    plant.note("spelling in header text", "full-width letters, folded", wide)
    yield "full-width letters", "".join(chr(ord(c) + 0xFEE0) for c in wide)


def dates(plant: Plant) -> Iterator[tuple[str, str]]:
    """Carrier and text with a date in every style."""
    for style in DATES:
        text = plant.mint.date().strftime(style)
        plant.note("date in text", style, text)
        yield style, f"T1 SAG {text}"


def numbers(plant: Plant) -> Iterator[tuple[str, str]]:
    """Carrier and text with numbers and addresses that identify."""
    for name, pattern in _NUMBERS.items():
        made = plant.mint.word().lower() if name in {"e-mail", "URL"} else plant.mint.code()
        text = pattern.format(made)
        needle = text if ":." in pattern else made
        plant.note("number in text", name, needle)
        yield name, f"T2 AX {text}"


def in_headers(plant: Plant) -> None:
    """Descriptions, protocol names and derived texts of many items, each with one spelling."""
    texts = [*headers(plant), *dates(plant), *numbers(plant)]
    keywords = ("SeriesDescription", "ProtocolName", "StudyDescription", "SequenceName", "ContrastBolusAgent")
    for keyword, (_, text) in zip(keywords, texts, strict=False):
        setattr(plant.dataset, keyword, text)
    rest = texts[len(keywords) :]
    items = []
    for place, (_, text) in enumerate(rest):
        items.append(item(**{("SeriesDescription", "ProtocolName", "DerivationDescription")[place % 3]: text}))
    # in a sequence that is kept, so that the text is judged and not its place
    plant.dataset.SourceImageSequence = Sequence(items)
    plant.dataset.SpecificCharacterSet = "ISO_IR 192"


def in_report(plant: Plant) -> list[Dataset]:
    """Content items with sentences about the patient, relatives, colleagues and places."""
    made = []
    for name, family, given in _people(plant):
        sentence = _SENTENCES[name].format(f=family, g=given, F=family.upper(), l=family.lower(), h=given.lower())
        made.append(content("TEXT", TextValue=sentence))
    for style in DATES:
        text = plant.mint.date().strftime(style)
        plant.note("report text", f"date, {style}", text)
        made.append(content("TEXT", TextValue=f"Comparison with the examination of {text}."))
    for name, text in numbers(plant):
        made.append(content("TEXT", TextValue=f"Please call about {text} ({name})."))
    made.extend(_items(plant))
    return made


_SENTENCES = {
    "patient, family name": "{f} presented with headache.",
    "patient, lower case": "The patient {h} {l} has no acute finding.",
    "patient, upper case": "COMPARISON: {F} PRIOR MRI.",
    "patient, camel case": "Images stored under {f}{g} on the console.",
    "patient, possessive": "{f}'s brain is normal.",
    "clinician, title": "Discussed with Dr. {g} {f} by phone.",
    "clinician, lower case title": "seen by dr {l} today",
    "clinician, signature": "Electronically signed by: {g} {f}, MD",
    "relative": "Her husband {g} {f} reports seizures.",
    "place": "Transferred from {f} Regional Hospital.",
    "street": "Lives at 14 {f} Road.",
    "town": "Resident of {f}, Tennessee.",
}


def _people(plant: Plant) -> Iterator[tuple[str, str, str]]:
    patients = []
    for name, sentence in _SENTENCES.items():
        family, given = plant.mint.word(), plant.mint.word()
        if name.startswith("patient"):
            patients.append(f"{family}^{given}")
        plant.note("report text", name, family)
        if "{g}" in sentence or "{h}" in sentence:
            plant.note("report text", f"{name}, given name", given)
        yield name, family, given
    plant.dataset.OtherPatientNames = patients


def _items(plant: Plant) -> Iterator[Dataset]:
    """Items that are no text: persons, dates, UIDs, references, codes with free meanings."""
    yield content("PNAME", PersonName=plant.word("report item", "PNAME") + "^Rae")
    yield content("DATE", Date=plant.day("report item", "DATE", recent=True))
    yield content("DATETIME", DateTime=plant.day("report item", "DATETIME", recent=True) + "101500")
    yield content("UIDREF", UID=plant.uid("report item", "UIDREF"))
    yield content(
        "CODE",
        ConceptCodeSequence=[
            code("C" + plant.code("report item", "CODE value"), "99LOCAL", plant.word("report item", "CODE meaning"))
        ],
    )
    image = content(
        "IMAGE", ReferencedSOPSequence=[reference("1.2.840.10008.5.1.4.1.1.4", plant.uid("report item", "IMAGE"))]
    )
    del image.ConceptNameCodeSequence
    yield image
    inner = content("TEXT", TextValue=f"Reviewed with {plant.word('report item', 'TEXT, 3 deep')} Regional staff.")
    yield content("CONTAINER", ContentSequence=[content("CONTAINER", ContentSequence=[inner])])
    heading = content("TEXT", TextValue="Normal.")
    heading.ConceptNameCodeSequence = Sequence([code("L1", "99LOCAL", plant.word("report item", "concept name"))])
    yield heading


def pdf_document(plant: Plant) -> bytes:
    """A small PDF with text in a plain and in a deflated stream, and facts about its author."""
    import zlib

    plain, packed = plant.word("PDF", "plain text"), plant.word("PDF", "deflated text")
    author, title = plant.word("PDF", "author"), plant.word("PDF", "title")
    streams = [
        f"BT /F1 12 Tf 72 700 Td (Patient {plain}) Tj ET".encode(),
        zlib.compress(f"BT (Seen by {packed}) Tj ET".encode()),
    ]
    parts = [
        b"%PDF-1.4\n1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj\n2 0 obj<</Type/Pages/Kids[3 0 R]/Count 1>>endobj\n"
    ]
    parts.append(b"3 0 obj<</Type/Page/Parent 2 0 R/MediaBox[0 0 612 792]/Contents[4 0 R 5 0 R]>>endobj\n")
    for number, (stream, filters) in enumerate(zip(streams, (b"", b"/Filter/FlateDecode"), strict=True), 4):
        parts.append(b"%d 0 obj<</Length %d%b>>stream\n%b\nendstream endobj\n" % (number, len(stream), filters, stream))
    parts.append(
        f"6 0 obj<</Author({author})/Title({title})>>endobj\ntrailer<</Root 1 0 R/Info 6 0 R>>\n%%EOF\n".encode()
    )
    return b"".join(parts)
