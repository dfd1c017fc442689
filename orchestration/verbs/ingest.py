"""`larmor ingest`: a folder, an archive or a bucket, studies of a PACS, or what others send."""

from typing import TYPE_CHECKING, Any

import click

from orchestration.verbs._shared import LocalPath, acting, answer, as_json, opened, say
from schemas.roles import changing
from schemas.zone import Zone

if TYPE_CHECKING:
    from lake.zones import Lake
    from schemas.licence import Licence


@click.command(
    "ingest", epilog="Example: larmor ingest ./export --licence docs/examples/licence.yaml --name site-a-2026-11"
)
@click.argument("path", required=False)
@click.option(
    "--licence", required=True, help="Licence that covers it: id of a document in the licences folder, or a file."
)
@click.option("--name", required=True, help="Name of the delivery: a-z, 0-9, '.', '-', '_'.")
@click.option("--purpose", help="What it is used for; default: the licence's first purpose.")
@click.option("--contact", help="Mailbox or role to ask about it.")
@click.option("--already-deidentified", is_flag=True, help="The licensor declares it so; needed for NIfTI.")
@click.option("--body-part", help="For NIfTI: what the images show.")
@click.option("--contrast", help="For NIfTI: contrast of the images, for example T1.")
@click.option("--label-task", help="For NIfTI with labels/ beside images/: what the labels show.")
@click.option("--label", "labels", multiple=True, metavar="VALUE=NAME", help="Meaning of a label value; repeat.")
@click.option("--dicomweb", type=LocalPath(), help="Document of a PACS to pull studies from.")
@click.option("--studies", type=LocalPath(), help="With --dicomweb: list of studies, one a line.")
@click.option("--query", type=LocalPath(), help="With --dicomweb: document of a search, in their place.")
@click.option("--listen", type=click.IntRange(1, 65535), metavar="PORT", help="Receive C-STORE until stopped.")
@click.option("--from", "senders", multiple=True, metavar="AE", help="With --listen: who may send; repeat.")
@click.option("--aet", default="LARMOR", show_default=True, help="With --listen: own AE title.")
@click.option("--bind", default="127.0.0.1", show_default=True, help="With --listen: address to listen on.")
@click.option("--quiet", default=30.0, show_default=True, help="With --listen: seconds of silence that end a delivery.")
@click.option("--tls-cert", type=LocalPath(), help="With --listen: certificate, PEM.")
@click.option("--tls-key", type=LocalPath(), help="With --listen: its key, PEM.")
@click.option("--tls-ca", type=LocalPath(), help="With --listen: authorities of senders, PEM.")
@as_json
@acting(changing(Zone.RESTRICTED))
@click.pass_context
def command(
    context: click.Context,
    /,
    path: str | None,
    licence: str,
    name: str,
    purpose: str | None,
    contact: str | None,
    already_deidentified: bool,
    body_part: str | None,
    contrast: str | None,
    label_task: str | None,
    labels: tuple[str, ...],
    json_: bool,
    **ways: Any,
) -> None:
    """Bring a delivery into landing, under a licence in force.

    PATH is a folder, a zip or tar archive, or an s3:// prefix. In its place, --dicomweb pulls studies from a PACS, and
    --listen receives what a PACS or scanner sends.
    """
    from lineage.terms import terms

    if sum(way is not None for way in (path, ways["dicomweb"], ways["listen"])) != 1:
        raise click.UsageError("found none or several of PATH, --dicomweb and --listen, needed one")
    lake = opened(context)
    document = terms.install(lake, licence)
    facts = {
        "purpose": purpose,
        "contact": contact,
        "deidentified": already_deidentified or None,
        "body_part": body_part,
        "contrast": contrast,
        "label_task": label_task,
        "label_scheme": _scheme(labels) or None,
    }
    if ways["dicomweb"]:
        _pull(lake, document, name, facts, ways, json_)
    elif ways["listen"]:
        _listen(lake, document, name, facts, ways, json_)
    else:
        _bring(lake, document, name, facts, str(path), json_)


def _bring(lake: "Lake", licence: "Licence", name: str, facts: dict[str, Any], path: str, json_: bool) -> None:
    from stages.intake.intake import ingest
    from stages.intake.landed import delivered

    manifest = ingest(lake, path, name, licence, **facts)
    count = len(delivered(lake, name))
    answer(
        json_,
        manifest.model_dump(mode="json") | {"files": count},
        f"Delivery {name}: {count} files in landing, licence {licence.id} of {licence.licensor}.",
        f"larmor run {name}",
    )


def _pull(
    lake: "Lake", licence: "Licence", name: str, facts: dict[str, Any], ways: dict[str, Any], json_: bool
) -> None:
    from schemas.pacs import Pacs, StudyQuery
    from stages.intake.pacs import asked, pull

    if (ways["studies"] is None) == (ways["query"] is None):
        raise click.UsageError("found none or both of --studies and --query, needed one of them with --dicomweb")
    pacs = Pacs.read(ways["dicomweb"])
    wanted = asked(ways["studies"]) if ways["studies"] else StudyQuery.read(ways["query"])
    pulled = pull(lake, pacs, wanted, name, licence, say, **facts)
    counts = {key: value for key, value in vars(pulled).items() if key != "manifest"}
    lacking = f"; the PACS lacks {pulled.missing} of what was asked for, see missing.csv in it" * bool(pulled.missing)
    left = f" {pulled.other_modalities} series of other modalities were left there." * bool(pulled.other_modalities)
    answer(
        json_,
        pulled.manifest.model_dump(mode="json") | counts,
        f"Delivery {name}: {pulled.files} instances of {pulled.studies} studies in landing, {pulled.fetched} of them "
        f"fetched now, licence {licence.id} of {licence.licensor}{lacking}.{left}",
        f"larmor run {name}",
    )


def _listen(
    lake: "Lake", licence: "Licence", name: str, facts: dict[str, Any], ways: dict[str, Any], json_: bool
) -> None:
    import signal
    import threading

    from stages.intake.receiver import Listening, Receiver

    listening = Listening(
        port=ways["listen"],
        senders=ways["senders"],
        host=ways["bind"],
        title=ways["aet"],
        quiet_s=ways["quiet"],
        certificate=ways["tls_cert"],
        key=ways["tls_key"],
        ca_file=ways["tls_ca"],
    )
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    receiver = Receiver(lake, listening, name, licence, say, **facts)
    landed = receiver.serve(stop, lambda port: say(f"listening on {ways['bind']} port {port}; stop with Ctrl-C"))
    answer(
        json_,
        [manifest.model_dump(mode="json") for manifest in landed],
        f"{len(landed)} deliveries with {sum(m.expected_files or 0 for m in landed)} files in landing.",
        "larmor run DELIVERY, or let the sensor of landing do it" if landed else "",
    )


def _scheme(labels: tuple[str, ...]) -> dict[int, str]:
    scheme = {}
    for label in labels:
        value, _, meaning = label.partition("=")
        if not value.isdigit() or not meaning:
            raise click.BadParameter("found no VALUE=NAME, needed for example --label 1=anterior", param_hint="--label")
        scheme[int(value)] = meaning
    return scheme
