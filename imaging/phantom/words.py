"""Words that nobody uses, so that finding one means that it leaked.

Belongs here: invented words. Who is called by them is `imaging.phantom.people`.
"""

from imaging.phantom.config import MAX_ORDINAL
from imaging.phantom.seeds import digest

WORDS_A_SUBJECT = 24
"""Words one subject may use."""

_FIRST = (
    "Zor Quil Vexa Krae Thyx Jorv Wrex Xand Bryz Glov Drax Fyrk Hzul Lyqu Myxo Nuvk Pryx Qorv Ruzk Skov Tzar Urqu "
    "Vyzh Wyxl Yzrk Zhul Aqvo Bzor Czyn Dvok Ezqu Fzol Gvyx Hqor Ixar Jzun Kvoz Lzyr Mqav Nzok"
)
_SECOND = (
    "va qui zo xe ru kly dro ny thu fyo gre jix wo bel cy mog ska puz lth vri zan qoe xul dwy fro hyk joq kem lo mur"
)
_THIRD = "thar vok zyn dril qux mox veld nyx zard kev plow ryq sunz tovk wrex yoln zeph brax crul dynz"
_POOL = len(_FIRST.split()) * len(_SECOND.split()) * len(_THIRD.split())


def word(seed: int, ordinal: int, index: int) -> str:
    """The `index`-th word of a subject, such as Zorquithar; no two of one seed are the same.

    Raises:
        ValueError: if the ordinal or the index is beyond what the words last for.
    """
    if not 0 <= ordinal < MAX_ORDINAL or not 0 <= index < WORDS_A_SUBJECT:
        raise ValueError(f"found ordinal {ordinal} and index {index}, needed below {MAX_ORDINAL} and {WORDS_A_SUBJECT}")
    start = int.from_bytes(digest(seed, "words")[:4], "big")
    # 7919 shares no factor with the pool's size (2, 3 and 5 only), so the walk visits every word once
    place = (start + 7919 * (ordinal * WORDS_A_SUBJECT + index)) % _POOL
    first, second, third = _FIRST.split(), _SECOND.split(), _THIRD.split()
    place, last = divmod(place, len(third))
    beginning, middle = divmod(place, len(second))
    return f"{first[beginning]}{second[middle]}{third[last]}"
