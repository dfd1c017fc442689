"""Names and texts in other scripts, in their own character sets, and in the wrong one.

Belongs here: character sets. The character set of a file is declared by (0008,0005), rightly or not.
"""

from collections.abc import Callable
from dataclasses import dataclass

from benchmarks.traps.mint import Mint
from benchmarks.traps.plant import Plant


@dataclass(frozen=True)
class Script:
    """A character set and the names it is tried with.

    Attributes:
        declared: value of (0008,0005); empty: none.
        codec: how bytes are made of text.
        shift: what stands before the text, for sets that are designated.
        make: makes a name.
    """

    declared: tuple[str, ...]
    codec: str
    make: Callable[[Mint], str]
    shift: bytes = b""


SCRIPTS = {
    "Latin-1": Script(("ISO_IR 100",), "latin-1", Mint.accented),
    "UTF-8, Chinese": Script(("ISO_IR 192",), "utf-8", Mint.han),
    "UTF-8, accents": Script(("ISO_IR 192",), "utf-8", Mint.accented),
    "GB18030": Script(("GB18030",), "gb18030", Mint.rare_han),
    "GBK": Script(("GBK",), "gbk", Mint.han),
    "ISO 2022 Japanese": Script(("", "ISO 2022 IR 87"), "iso2022_jp", Mint.kanji),
    "Japanese, half-width": Script(("ISO_IR 13",), "shift_jis", Mint.kana),
    "ISO 2022 Korean": Script(("", "ISO 2022 IR 149"), "euc_kr", Mint.hangul, b"\x1b$)C"),
    "Cyrillic": Script(("ISO_IR 144",), "iso8859_5", Mint.cyrillic),
    "Greek": Script(("ISO_IR 126",), "iso8859_7", Mint.greek),
    "mojibake, UTF-8 as Latin-1": Script(("ISO_IR 100",), "utf-8", Mint.accented),
    "mojibake, UTF-8 undeclared": Script((), "utf-8", Mint.accented),
    "mojibake, GB18030 undeclared": Script((), "gb18030", Mint.han),
    "mojibake, Japanese as Latin-1": Script(("ISO_IR 100",), "shift_jis", Mint.kanji),
    "undeclared set": Script(("ISO_IR 999",), "latin-1", Mint.accented),
    "bytes of no set": Script(("ISO_IR 192",), "latin-1", Mint.accented),
}


def plant_script(plant: Plant, script: Script, name: str) -> None:
    """Names and free text of a script, as bytes, so that no writer mends them."""
    made = plant.dataset
    made.SpecificCharacterSet = list(script.declared) if script.declared else None
    if not script.declared:
        del made.SpecificCharacterSet
    for keyword, vr, pattern in (
        ("PatientName", "PN", "{}"),
        ("ReferringPhysicianName", "PN", "{}"),
        ("InstitutionName", "LO", "{} Hospital"),
        ("SeriesDescription", "LO", "T1 {} SAG"),
        ("ProtocolName", "LO", "{}_brain"),
        ("ImageComments", "LT", "{}"),
    ):
        word = script.make(plant.mint)
        plant.note("other script", f"{keyword}, {name}", word, script.codec)
        _misread(plant, word, script)
        content = script.shift + pattern.format(word).encode(script.codec)
        plant.raw(_TAGS[keyword], vr, content)


_TAGS = {
    "PatientName": 0x00100010, "ReferringPhysicianName": 0x00080090, "InstitutionName": 0x00080080,
    "SeriesDescription": 0x0008103E, "ProtocolName": 0x00181030, "ImageComments": 0x00204000,
}  # fmt: skip


def _misread(plant: Plant, word: str, script: Script) -> None:
    """A tool that reads the bytes in the wrong set and writes UTF-8 still shows them."""
    token = plant.tokens.pop()
    wrong = word.encode(script.codec).decode("latin-1").encode()
    plant.tokens.append(type(token)(token.file, token.category, token.carrier, (*token.needles, wrong), token.exact))
