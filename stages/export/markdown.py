"""Cards as Markdown: templates whose cells show values as they are.

Belongs here: what data cards and model cards share.
"""

from jinja2 import Environment, PackageLoader, StrictUndefined

_MARKUP = "\\|<>*_`[]"
_BAR = 20
"""Letters of the longest bar."""


def environment(package: str) -> Environment:
    """Templates of a room; `cell` makes a value plain, `bar` draws a number against a total."""
    made = Environment(
        loader=PackageLoader(package),
        autoescape=False,  # noqa: S701 - this is no HTML, `cell` escapes what Markdown would read as such
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters |= {"cell": cell, "bar": _bar}
    return made


def cell(value: object) -> str:
    """A value as text of one line that is neither markup nor the end of a cell."""
    text = " ".join(str(value).split())
    return "".join(f"\\{letter}" if letter in _MARKUP else letter for letter in text)


def _bar(number: int, of: int) -> str:
    return "\N{FULL BLOCK}" * max(round(_BAR * number / max(of, 1)), int(number > 0))
