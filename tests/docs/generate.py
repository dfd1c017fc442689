"""Writes the generated parts of the reference: `python -m tests.docs.generate`.

Belongs here: from contracts and settings to Markdown. A test fails when a page is not what this would write.
"""

import inspect
import re
from pathlib import Path

from lake.settings import Settings
from schemas.policy import Policy, PrivateElement, PrivateRule, Rule
from schemas.tables import TABLES

REFERENCE = Path(__file__).parent.parent.parent / "docs" / "reference"


def tables() -> str:
    """Every table with its columns."""
    parts = []
    for table in TABLES:
        rows = [
            f"| `{c.name}` | {c.type} | {c.meaning}{f' [{c.unit}]' if c.unit else ''} | {c.phi} |"
            for c in table.columns
        ]
        head = f"## {table.path}\n{table.meaning}. Key: {', '.join(table.key)}.\n"
        parts.append("\n".join([head, "| column | type | meaning | says of a person |", "|---|---|---|---|", *rows]))
    return "\n\n".join(parts)


def settings() -> str:
    """Every setting with its default and meaning, from the docstrings under the fields."""
    source = inspect.getsource(Settings)
    rows = ["| variable | default | meaning |", "|---|---|---|"]
    for name, field in Settings.model_fields.items():
        match = re.search(rf'\n    {name}: .*?\n    """(.*?)"""', source, re.DOTALL)
        assert match, name
        default = "number of cores" if field.default_factory else field.default
        rows.append(
            f"| `LARMOR_{name.upper()}` | {'' if default is None else default} | {' '.join(match[1].split())} |"
        )
    return "\n".join(rows)


def policies() -> str:
    """Every field of a policy document with its default and meaning, from the docstrings under the fields."""
    parts = []
    for document in (Policy, Rule, PrivateRule, PrivateElement):
        source = inspect.getsource(document)
        rows = ["| field | default | meaning |", "|---|---|---|"]
        for name, field in document.model_fields.items():
            match = re.search(rf'\n    {name}: .*?\n    """(.*?)"""', source, re.DOTALL)
            assert match, name
            default = "needed" if field.is_required() else field.get_default(call_default_factory=True)
            rows.append(f"| `{name}` | {default or 'none'} | {' '.join(match[1].split())} |")
        parts.append("\n".join([f"## {document.__name__}\n{inspect.getdoc(document)}\n", *rows]))
    return "\n\n".join(parts)


def with_part(text: str, name: str, content: str) -> str:
    """The page with its generated part replaced."""
    pattern = rf"(<!-- {name}:begin -->\n).*?(<!-- {name}:end -->)"
    return re.sub(pattern, lambda m: f"{m[1]}{content}\n{m[2]}", text, flags=re.DOTALL)


PARTS = {"tables": tables, "settings": settings, "policies": policies}


def main() -> None:
    """Write the pages."""
    for name, make in PARTS.items():
        path = REFERENCE / f"{name}.md"
        path.write_text(with_part(path.read_text(encoding="utf-8"), name, make()), encoding="utf-8")


if __name__ == "__main__":
    main()
