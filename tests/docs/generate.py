"""Writes the generated parts of the reference: `python -m tests.docs.generate`.

Belongs here: from contracts and settings to Markdown. A test fails when a page is not what this would write.
"""

import inspect
import re
from collections.abc import Collection, Iterator
from pathlib import Path

import click
from pydantic import BaseModel

from lake.settings import Settings
from orchestration.cli import cli
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
    """Every field of a policy document with its default and meaning."""
    return "\n\n".join(fields(document) for document in (Policy, Rule, PrivateRule, PrivateElement))


def trainings() -> str:
    """Every field that a training and an evaluation can be told."""
    from training.config.augment import AugmentConfig
    from training.config.evaluate import EvaluateConfig
    from training.config.finetune import FinetuneConfig
    from training.config.model import ModelConfig
    from training.config.pretrain import ContrastiveConfig, DistillationConfig, PretrainConfig, StudyConfig
    from training.config.schedule import Schedule

    shared = set(Schedule.model_fields)
    documents = (
        PretrainConfig, DistillationConfig, ContrastiveConfig, StudyConfig, AugmentConfig, FinetuneConfig,
        EvaluateConfig, ModelConfig,
    )  # fmt: skip
    own = (fields(each, leave_out=shared if issubclass(each, Schedule) else ()) for each in documents)
    return "\n\n".join([fields(Schedule), *own])


def commands() -> str:
    """The help of `larmor` and of every verb, as `--help` prints it on a terminal of `_WIDTH` columns."""
    return "\n\n".join(f"## {context.command_path}\n```text\n{context.get_help()}\n```" for context in contexts())


def contexts(command: click.Command = cli, parent: click.Context | None = None) -> Iterator[click.Context]:
    """A command and those below it, each in the context that a call of it has, in the order of their help."""
    name = "larmor" if parent is None else command.name
    context = click.Context(
        command, parent, name, terminal_width=_WIDTH, max_content_width=_WIDTH, **command.context_settings
    )
    yield context
    if isinstance(command, click.Group):
        for each in command.list_commands(context):
            below = command.get_command(context, each)
            assert below, each
            yield from contexts(below, context)


def fields(document: type[BaseModel], leave_out: Collection[str] = ()) -> str:
    """Fields of a document with default and meaning, from the docstrings under them."""
    source = "\n".join(inspect.getsource(each) for each in document.__mro__ if each.__module__ == document.__module__)
    rows = ["| field | default | meaning |", "|---|---|---|"]
    for name, field in document.model_fields.items():
        if name in leave_out:
            continue
        match = re.search(rf'\n    {name}: .*?\n    """(.*?)"""', source, re.DOTALL)
        assert match, name
        default = "needed" if field.is_required() else field.get_default(call_default_factory=True)
        said = "its own fields" if isinstance(default, BaseModel) else str(default).replace("|", "\\|")
        rows.append(f"| `{name}` | {'none' if said in _NOTHING else said} | {' '.join(match[1].split())} |")
    return "\n".join([f"## {document.__name__}\n{inspect.getdoc(document)}\n", *rows])


def with_part(text: str, name: str, content: str) -> str:
    """The page with its generated part replaced."""
    pattern = rf"(<!-- {name}:begin -->\n).*?(<!-- {name}:end -->)"
    return re.sub(pattern, lambda m: f"{m[1]}{content}\n{m[2]}", text, flags=re.DOTALL)


_WIDTH = 110
"""Columns of the help of commands, whatever the terminal has."""

_NOTHING = ("", "None", "()", "[]", "{}")

PARTS = {
    "commands": commands,
    "tables": tables,
    "settings": settings,
    "policies": policies,
    "trainings": trainings,
}


def main() -> None:
    """Write the pages."""
    for name, make in PARTS.items():
        path = REFERENCE / f"{name}.md"
        path.write_text(with_part(path.read_text(encoding="utf-8"), name, make()), encoding="utf-8")


if __name__ == "__main__":
    main()
