"""`larmor doctor` and `larmor doctor policy`; its other verbs are in `_keeping`, `_scanning` and `_upkeep`."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

import click

from orchestration.verbs._keeping import backup, scrub
from orchestration.verbs._scanning import scan
from orchestration.verbs._shared import answer, as_json, configured, table
from orchestration.verbs._upkeep import history, optimize, vacuum
from orchestration.verbs._vault import vault

if TYPE_CHECKING:
    from deid.explain import Change, Row
    from schemas.policy import Policy


@click.group("doctor", invoke_without_command=True, epilog="Example: larmor doctor")
@as_json
@click.pass_context
def command(context: click.Context, json_: bool) -> int:
    """Check the installation and the lake; each line says what was found and, where it is not well, what to do."""
    if context.invoked_subcommand:
        return 0
    from orchestration.doctor import examine

    findings = examine(configured(context))
    text = "\n".join(
        f"{'ok  ' if f.ok else 'LOOK'}  {f.what}: {f.found}{'' if f.ok else f' -> {f.remedy}'}" for f in findings
    )
    wrong = [finding for finding in findings if not finding.ok and finding.needed]
    filled = any(finding.what == "tables" and "volumes" in finding.found for finding in findings)
    following = "larmor look, or larmor ingest PATH" if filled else "larmor demo, or larmor ingest PATH"
    answer(json_, [f.__dict__ for f in findings], text, "" if wrong else following)
    return 1 if wrong else 0


command.add_command(backup)
command.add_command(scrub)
command.add_command(scan)
command.add_command(history)
command.add_command(optimize)
command.add_command(vacuum)
command.add_command(vault)


@command.command("policy", epilog="Example: larmor doctor policy site-a.yaml --against safe_harbor")
@click.argument("name_or_path", required=False)
@click.option("--against", metavar="NAME_OR_PATH", help="Show what changed against this policy instead.")
@as_json
@click.pass_context
def policy(context: click.Context, name_or_path: str | None, against: str | None, json_: bool) -> None:
    """Explain what a de-identification policy keeps, row by row; without NAME_OR_PATH the one in use.

    NAME_OR_PATH is the name of a policy that ships or the path of a YAML document.
    """
    from deid.explain import changes, explain, options
    from deid.policy import load_policy

    chosen = load_policy(name_or_path or str(configured(context).policy))
    rows = explain(chosen)
    head = {"name": chosen.name, "version": chosen.version, "title": chosen.title, "digest": chosen.digest}
    if against:
        other = load_policy(against)
        found = changes(chosen, other)
        answered = {**head, "against": other.name, "changes": [change.json() for change in found]}
        answer(json_, answered, _changed(chosen, other, found))
        return
    claimed = options(chosen)
    answered = {**head, "options": claimed, "rows": [row.json() for row in rows]}
    next_step = f"larmor doctor policy {name_or_path or chosen.name} --against NAME_OR_PATH"
    answer(json_, answered, _explained(chosen, rows, claimed), next_step)


def _explained(chosen: "Policy", rows: list["Row"], claimed: Mapping[str, str]) -> str:
    parts = [
        f"Policy {chosen.name}, version {chosen.version}: {chosen.title}",
        f"{chosen.edition}; digest {chosen.digest[:16]}",
        f"Text in pixels: {chosen.burned_in}; faces: {chosen.faces}",
        "Outputs claim, of PS3.15:",
        *(f"  {code} {meaning}" for code, meaning in claimed.items()),
        f"{len(rows)} elements leave as said below. What is not listed does not leave, at any depth.",
        "BASIC is what the Basic Profile of PS3.15 asks for, OPTION the option that lets the element leave.",
    ]
    for rule in dict.fromkeys(row.rule for row in rows):
        of_rule = [row for row in rows if row.rule == rule]
        shown = [dict(zip(_COLUMNS, _cells(row), strict=True)) for row in of_rule]
        parts += ["", f"{rule}: {of_rule[0].reason}", _indented(table(shown, _COLUMNS))]
    return "\n".join(parts)


_COLUMNS = ("TAG", "KEYWORD", "WHAT HAPPENS", "BASIC", "OPTION")


def _cells(row: "Row") -> tuple[str, ...]:
    return row.tag, row.keyword, row.happens, row.basic, row.option


def _changed(chosen: "Policy", other: "Policy", found: list["Change"]) -> str:
    if not found:
        return f"{chosen.name} keeps what {other.name} keeps, and treats it alike."
    shown = [
        {"WHAT": change.what, other.name.upper(): change.before or "-", chosen.name.upper(): change.now or "-"}
        for change in found
    ]
    head = f"{len(found)} differences of {chosen.name} against {other.name}; '-': does not leave."
    return f"{head}\n{_indented(table(shown, list(shown[0])))}"


def _indented(text: str) -> str:
    return "\n".join(f"  {line}" for line in text.splitlines())
