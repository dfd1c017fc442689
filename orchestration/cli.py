"""The command `larmor`: its verbs, and what happens to their errors.

Belongs here: the list of verbs and the process boundary. A verb is a file of `orchestration.verbs`, imported only when
it is asked for, so that help answers at once.
"""

import errno
import importlib
import sys
from pathlib import Path

import click
from click.shell_completion import CompletionItem

from assets.shortage import DISK_FULL, TOO_FEW_FILES, lacking
from schemas.rooms import ROOMS

VERBS = {
    "demo": "Licensed phantoms through every asset to an evaluated model and an audit report.",
    "ingest": "Make a folder or an archive a delivery.",
    "run": "Materialize a delivery or a release, headless.",
    "quarantine": "List what is held back, why, and what to do.",
    "releases": "List releases, or freeze one from a specification.",
    "train": "Pre-train or fine-tune a model on a release.",
    "evaluate": "Evaluate models against each other, with intervals and a page.",
    "predict": "Label, restore or judge an image, or many, with a fine-tuned model.",
    "export": "Write a release as NIfTI or DICOM files.",
    "look": "Look at volumes in the browser: a gallery, and each in planes and 3D.",
    "who-saw": "List the models that were trained on a subject.",
    "exposures": "List what a model was trained on.",
    "terms": "List terms in force, what covered a series, or learn a document.",
    "break-glass": "Ask for a zone in an emergency, or open it as the second person.",
    "verify": "Prove the ledger, entry by entry.",
    "prove": "Write a proof of an entry that a person without the lake can check.",
    "seal": "Sign how far the ledger has come.",
    "reconcile": "Compare the ledger with the tables and with Dagster's storage.",
    "withdraw": "Plan the withdrawal of a subject, a delivery or a licence.",
    "tiers": "Show what storage costs; plan, move and restore files between storage tiers.",
    "report": "Write the audit report, or hand evidence over as a signed bundle.",
    "review": "Sign off that entries of the ledger were examined.",
    "disclosures": "List what left of a subject, to whom and what for.",
    "doctor": "Check an installation and a lake.",
    "upgrade": "Bring the tables of an older lake forward to this version.",
    "dev": "Start the Dagster UI on this lake.",
}
"""Verb to the line that help shows; the module is `orchestration.verbs.<verb>`."""


class _Verbs(click.Group):
    """Knows its verbs without importing them."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """All verbs, in the order of a day's work."""
        return list(VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The verb, imported now."""
        if cmd_name not in VERBS:
            return None
        module = importlib.import_module(f"orchestration.verbs.{cmd_name.replace('-', '_')}")
        command: click.Command = module.command
        return command

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """Verbs that begin so, from their lines alone; `docs/how-to/complete-in-the-shell.md` says how to have it."""
        verbs = [CompletionItem(verb, help=line) for verb, line in VERBS.items() if verb.startswith(incomplete)]
        return [*verbs, *click.Command.shell_complete(self, ctx, incomplete)]

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Help of all verbs from their lines alone."""
        with formatter.section("Verbs"):
            formatter.write_dl(list(VERBS.items()))


@click.group(cls=_Verbs, context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--root", type=click.Path(path_type=Path, file_okay=False), help="Folder of the lake [LARMOR_ROOT].")
@click.version_option(package_name="larmor", prog_name="larmor")
@click.pass_context
def cli(context: click.Context, root: Path | None) -> None:
    """Larmor: an MRI data lake and foundation-model pipeline.

    Each verb says what it did and what comes next; `larmor VERB --help` shows an example.
    """
    context.obj = root


def main() -> None:
    """Run the command; a user's mistake ends in one line and exit code 1, never in a traceback."""
    try:
        code = cli.main(standalone_mode=False, prog_name="larmor")
    except click.exceptions.Abort:
        sys.exit("larmor: stopped; what was finished is kept, the same command goes on from there")
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        sys.exit("larmor: stopped; what was finished is kept, the same command goes on from there")
    except OSError as error:
        _explain_os_error(error)
    # the process boundary: what our rooms raise is written for people, anything else is a defect and shows its trace
    except Exception as error:
        if not _ours(error):
            if lacks := lacking(str(error)):
                sys.exit(f"larmor: {lacks}")
            raise
        sys.exit(f"larmor: {error}")
    sys.exit(code if isinstance(code, int) else 0)


def _ours(error: BaseException) -> bool:
    return type(error).__module__.split(".")[0] in ROOMS or type(error) is ValueError


def _explain_os_error(error: OSError) -> None:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        sys.exit(f"larmor: {DISK_FULL}")
    if error.errno == errno.EMFILE:
        sys.exit(f"larmor: {TOO_FEW_FILES}")
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS) and not _ours(error):
        sys.exit(
            "larmor: found a file or folder without permission, needed to read and write the lake; check its owner, "
            "and whether its file system is mounted for reading only"
        )
    if _ours(error):
        sys.exit(f"larmor: {error}")
    raise error


if __name__ == "__main__":
    main()
