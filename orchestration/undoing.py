"""Taking the demonstration away again, and nothing else.

Belongs here: the proof that a lake holds phantoms alone, and deleting it. Real data goes by `larmor withdraw`, which
keeps the record of what was there.
"""

import shutil
from fnmatch import fnmatch
from pathlib import Path

from imaging.phantom.demo import answer_keys
from lake.settings import Settings
from lake.zones import Lake
from lineage.terms import terms
from orchestration.demo import licence
from schemas.contract import Zone

_BESIDE = ("landing", "licences")
"""Folders beside the zones that may be set to another place."""
_OURS = (*map(str, Zone), *_BESIDE, "releases", "dagster", "pages", "scratch")
"""Folders that Larmor makes below a lake's root; what else lies there is not ours to delete."""


class NotTheDemo(ValueError):
    """A lake holds more than the demonstration, or lies elsewhere; the message says what was found and needed."""


def remove(settings: Settings) -> Path:
    """Delete a lake that holds the demonstration and nothing else, and the answer keys beside it.

    Nothing is taken in without a licence. So a lake that never learned of another than the phantoms', which covers no
    other delivery than theirs, holds nothing else.

    Returns:
        The root; it is left where something lies in it that Larmor did not make.

    Raises:
        NotTheDemo: if anything else was ever licensed or has landed, there is no demonstration, or a zone lies outside
            the root.
    """
    root, document = settings.root, licence()
    elsewhere = [name for name in (*Zone, *_BESIDE) if settings.place(name) != root / name]
    if elsewhere:
        raise NotTheDemo(
            f"found {', '.join(elsewhere)} outside {root}, needed all of the lake below it; delete its folders yourself"
        )
    learned = {entry.document.id for entry in terms.history(Lake(settings))}
    if document.id not in learned:
        raise NotTheDemo(
            f"found no demonstration in {root}, needed the folder that larmor demo made; name it by --root"
        )
    # phantoms that were being made when the demonstration was stopped have a dot in front
    names = [each.name.lstrip(".") for each in (root / "landing").glob("*")]
    landed = [name for name in names if not fnmatch(name, document.deliveries[0])]
    if learned != {document.id} or landed:
        raise NotTheDemo(
            f"found {len(learned) - 1} other documents of terms and {len(landed)} other deliveries in {root}, needed "
            "the demonstration alone; take the phantoms out with larmor withdraw --licence phantom-licence"
        )
    for folder in (*(root / name for name in _OURS), answer_keys(root)):
        shutil.rmtree(folder, ignore_errors=True)
    if not any(root.iterdir()):
        root.rmdir()
    return root
