"""The pages of this room: one way to fill their templates.

Belongs here: the template environment. What a page says is in the module named after it.
"""

from functools import cache

from jinja2 import Environment, PackageLoader, StrictUndefined

from lineage.evidence.links import cite, digest, link, number, to, value


@cache
def environment() -> Environment:
    """Templates of `lineage/evidence/templates`: values are escaped, and a name that is not there is an error.

    Compiling a page takes longer than filling it, so a process does it once.
    """
    made = Environment(
        loader=PackageLoader("lineage.evidence"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters |= {
        "number": number,
        "value": value,
        "digest": digest,
        "cite": cite,
        "link": link,
        "to": to,
        "yes": lambda flag: "yes" if flag else "no",
        "day": lambda time: str(time)[:10],
        "minute": lambda time: str(time)[:16].replace("T", " "),
    }
    return made
