"""The pages of this room: one way to fill their templates.

Belongs here: the template environment. What a page says is `lineage.evidence.report` and
`lineage.evidence.certificates`.
"""

from jinja2 import Environment, PackageLoader, StrictUndefined


def environment() -> Environment:
    """Templates of `lineage/evidence/templates`: values are escaped, and a name that is not there is an error."""
    return Environment(
        loader=PackageLoader("lineage.evidence"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
