"""`larmor dev`."""

import os
import sys
from pathlib import Path

import click

import orchestration
from orchestration.verbs._shared import configured, say


@click.command("dev", epilog="Example: larmor dev --port 3000")
@click.option("--port", default=3000, show_default=True, help="Port on the loopback interface.")
@click.option("--read-only", is_flag=True, help="To look at only: nothing can be started, stopped or deleted.")
@click.pass_context
def command(context: click.Context, port: int, read_only: bool) -> None:
    """Start the Dagster UI on this lake, on the loopback interface, with what headless runs recorded.

    With --read-only it is the officer's: it may stand beside another one on another port, and needs no daemon.
    """
    from orchestration.instance import instance, prepare

    settings = configured(context)
    environment = {
        **os.environ,
        "DAGSTER_HOME": str(prepare(settings)),
        "LARMOR_ROOT": str(settings.root),
        "DAGSTER_DISABLE_TELEMETRY": "1",
    }
    with instance(settings):
        pass  # runs that lost their process are ended now, before the UI shows them as running
    say(f"Dagster UI on http://127.0.0.1:{port}{', to look at only' if read_only else ''} (stop with Ctrl-C)")
    # the same location name as everybody else's, because saved selections and sensors' states hang on it
    workspace = Path(orchestration.__file__).parent.parent / "workspace.yaml"
    code = ["-w", str(workspace)] if workspace.is_file() else ["-m", "orchestration.definitions"]
    words = ["dagster-webserver", "--read-only"] if read_only else ["dg", "dev"]
    program = str(Path(sys.executable).parent / words[0])
    arguments = [*words[1:], *code, "--host", "127.0.0.1", "--port", str(port)]
    os.execve(program, [program, *arguments], environment)  # noqa: S606 - replaces this process by our own program
