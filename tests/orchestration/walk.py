"""A data engineer's day in the Dagster UI, station by station, on a lake of phantoms.

`tests.orchestration.test_walk` walks it; `python -m tests.orchestration.walk` walks it and leaves the pictures that the
documentation shows in docs/images.
"""

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

from assets.partitions import DELIVERIES_NAME
from imaging.phantom import BodyPart, PhantomConfig, generate
from lake.zones import Lake
from orchestration.demo import licence
from orchestration.headless import run_delivery
from orchestration.instance import instance
from tests.browser import page

PROJECT = Path(__file__).parents[2]
IMAGES = PROJECT / "docs" / "images"
DONE, WAITING = "site-a-2026-11", "site-b-2026-11"
"""A delivery that was run, and one that has just landed and lacks a file."""

PATIENCE_MS = 120_000
"""A busy machine starts a run in half a minute; it judges no speed."""


def prepared(root):
    """A lake with a delivery that was run and one that waits, which has fewer files than its licensor says."""
    lake = Lake.open(root)
    lake.licences.mkdir(parents=True)
    licence().model_copy(update={"deliveries": ["site-*"]}).write(lake.licences / "phantom-licence.yaml")
    for seed, name in enumerate((DONE, WAITING)):
        config = PhantomConfig(name, seed=seed, subjects=1, matrix=32, slices=8, body_parts=(BodyPart.HEAD,))
        generate(lake.landing / name, Path(root).parent / f"{name}.answers", config)
    files = (path for path in sorted((lake.landing / WAITING).rglob("*")) if path.is_file())
    next(path for path in files if path.read_bytes()[128:132] == b"DICM").unlink()
    run_delivery(lake.settings, DONE)
    with instance(lake.settings) as opened:
        opened.add_dynamic_partitions(DELIVERIES_NAME, [WAITING])
    return lake


@contextlib.contextmanager
def served(root, *options):
    """The UI of a lake as `larmor dev` starts it, ended with all its processes; gives its address."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "orchestration.cli", "--root", root, "dev", "--port", str(port), *options]
    with (Path(root).parent / f"ui-{port}.log").open("wb") as log:
        started = subprocess.Popen(command, stdout=log, stderr=log, cwd=PROJECT, start_new_session=True)
    try:
        address = f"http://127.0.0.1:{port}"
        _until_loaded(address, started)
        yield address
    finally:
        started.send_signal(signal.SIGINT)
        with contextlib.suppress(subprocess.TimeoutExpired):
            started.wait(30)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(started.pid, signal.SIGKILL)
        started.wait()


def asked(address, query, **variables):
    """The answer of the UI's GraphQL interface."""
    body = json.dumps({"query": query, "variables": variables}).encode()
    request = urllib.request.Request(f"{address}/graphql", body, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=60) as answer:
        return json.load(answer)["data"]


def _until_loaded(address, started):
    deadline = time.monotonic() + 2 * PATIENCE_MS / 1000
    while time.monotonic() < deadline:
        assert started.poll() is None, "the UI ended before it began"
        with contextlib.suppress(OSError):
            found = asked(address, "{repositoriesOrError {... on RepositoryConnection {nodes {name}}}}")
            if found["repositoriesOrError"].get("nodes"):
                return
        time.sleep(0.5)
    raise AssertionError("the UI did not load the definitions")


def graph(ui, address):
    """The whole lake in one look: groups from intake to governance."""
    ui.goto(f"{address}/asset-groups")
    for group in ("intake", "deidentify", "curate", "quarantine", "release", "train", "govern"):
        ui.get_by_text(group, exact=True).first.wait_for(timeout=PATIENCE_MS)


def table(ui, address):
    """A table's columns with type, meaning and PHI class, its owner, its rows."""
    ui.goto(f"{address}/assets/curated/volumes?view=overview")
    ui.get_by_text("phi: pseudonym").first.wait_for(timeout=PATIENCE_MS)
    ui.get_by_text("Pseudonymous person, random code of the vault").first.wait_for()
    ui.get_by_text("data-engineering", exact=True).first.wait_for()
    ui.get_by_text("Row count").first.wait_for()


def partition(ui, address):
    """Deliveries as partitions: which were made, which wait."""
    ui.goto(f"{address}/assets/restricted/received?view=partitions&partition={DONE}")
    ui.get_by_text(WAITING, exact=True).first.wait_for(timeout=PATIENCE_MS)
    ui.get_by_text("Missing (1)").first.wait_for()
    ui.get_by_text("quarantined", exact=True).first.wait_for()


def materialize(ui, address):
    """The delivery that waits is registered by a click."""
    ui.goto(f"{address}/assets/restricted/received?view=partitions&partition={WAITING}")
    ui.get_by_text(WAITING, exact=True).first.wait_for(timeout=PATIENCE_MS)
    ui.locator("button", has_text="Materialize").first.click(timeout=PATIENCE_MS)
    ui.locator("button", has_text="Launch 1 run").click(timeout=PATIENCE_MS)
    ui.get_by_text("Launched run").first.wait_for(timeout=PATIENCE_MS)
    ui.goto(f"{address}/assets/restricted/received?view=partitions&partition={WAITING}")
    ui.get_by_text("Materialized (2)").first.wait_for(timeout=PATIENCE_MS)
    ui.reload()  # what is shown of a partition is asked for once
    ui.get_by_text("dagster/row_count").first.wait_for(timeout=PATIENCE_MS)


def failed_check(ui, address):
    """The check says that the delivery has fewer files than its licensor says, and what to do."""
    ui.goto(f"{address}/assets/restricted/received?view=checks&checkDetail=complete")
    ui.get_by_text("The delivery has as many files as its licensor says.").first.wait_for(timeout=PATIENCE_MS)
    ui.get_by_text(WAITING, exact=True).first.wait_for(timeout=PATIENCE_MS)
    ui.get_by_text("expected", exact=True).first.wait_for()
    ui.get_by_text("ask the licensor which ones differ").first.wait_for()


def preview(ui, address):
    """Pictures of the volumes that were made."""
    ui.goto(f"{address}/assets/curated/volumes?view=partitions&partition={DONE}")
    ui.get_by_text("[Show Markdown]").first.click(timeout=PATIENCE_MS)
    ui.locator("img[src^='data:image/png']").first.wait_for(timeout=PATIENCE_MS)


def quarantine(ui, address):
    """What is held back: reasons, counts, what to do, and no path."""
    ui.goto(f"{address}/assets/restricted/quarantine?view=partitions&partition={DONE}")
    ui.get_by_text("[Show Markdown]").first.click(timeout=PATIENCE_MS)
    ui.get_by_text("larmor run --retry-quarantine").first.wait_for(timeout=PATIENCE_MS)
    ui.get_by_text("ask the licensor for the file again").first.wait_for()
    assert "IM0" not in ui.get_by_role("dialog").inner_text()


def lineage(ui, address):
    """What the volumes rest on, and what rests on them."""
    ui.goto(f"{address}/assets/curated/volumes?view=lineage&lineageScope=neighbors")
    for name in ("instances", "volumes", "series", "labels"):
        ui.get_by_text(name, exact=True).first.wait_for(timeout=PATIENCE_MS)


def automation(ui, address):
    """What Dagster may do by itself, all of it off until somebody turns it on."""
    ui.goto(f"{address}/automation")
    for name in ("landing", "following", "seal", "scrub", "tiers"):
        ui.get_by_text(name, exact=True).first.wait_for(timeout=PATIENCE_MS)


STATIONS = (graph, table, partition, materialize, failed_check, preview, quarantine, lineage, automation)
"""In the order of a day; a delivery is materialized before its check is looked at."""


def main():
    """Walk and leave the pictures."""
    with tempfile.TemporaryDirectory(prefix="larmor-walk-") as folder:
        root = prepared(Path(folder) / "lake").settings.root
        IMAGES.mkdir(parents=True, exist_ok=True)
        with served(root) as address, page(address, width=1280, height=800, quiet=False) as ui:
            for station in STATIONS:
                station(ui, address)
                ui.wait_for_timeout(1500)  # what slides in has come to rest
                ui.screenshot(path=IMAGES / f"{station.__name__.replace('_', '-')}.png")
                print(station.__name__)


if __name__ == "__main__":
    main()
