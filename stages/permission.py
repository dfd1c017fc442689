"""Asking the terms before the work.

Belongs here: the questions that stations, trainings and predictions ask: of a delivery, of series, of a release, of a
model. What the terms say is `lineage.terms`.
"""

from collections.abc import Collection, Iterable, Mapping
from typing import Any

from lake.releases import Release
from lake.zones import Lake
from lineage.exposures.exposures import exposed
from lineage.terms.asking import permit
from lineage.terms.decisions import Decision
from lineage.terms.questions import Action, Piece
from lineage.terms.terms import Known
from schemas.agreement import AnyTerm
from schemas.checkpoint import CheckpointManifest
from schemas.delivery import Delivery
from schemas.licence import Licence
from schemas.tables import RECEIVED, VOLUMES
from schemas.union import Terms


def permitted(lake: Lake, licence: Licence, delivery: Delivery, action: Action) -> Decision:
    """The decision that a delivery may be treated today for the purpose its manifest states.

    Raises:
        Refusal: if the terms do not allow it; the refusal is on the ledger.
    """
    subjects = _subjects(lake, delivery.name) if action is not Action.INTAKE else {""}
    pieces = [Piece(licence.id, delivery.name, subject) for subject in subjects]
    return permit(lake, action, delivery.purpose, pieces, target=delivery.name, manifest=(licence, delivery))


def permitted_rows(
    lake: Lake, rows: Iterable[Mapping[str, Any]], action: Action, purpose: str, target: str | None = None
) -> Decision:
    """The decision that something may be done today with series.

    Args:
        lake: the lake.
        rows: of `curated/volumes`, with all `licences` that their series came under (`stages.standing.licences`).
        action: what is to be done.
        purpose: what for.
        target: name of the release or model.

    Raises:
        Refusal: if the terms do not allow it; the refusal is on the ledger.
    """
    pieces, policies = set(), set()
    for row in rows:
        about = (row["subject"], row["body_part"])
        pieces.add(Piece(row["licence"], row["delivery"], *about))
        # a licence that a copy came under covers it in the copy's delivery, which was asked about on its own arrival
        pieces |= {Piece(licence, "", *about) for licence in row["licences"] if licence != row["licence"]}
        policies.add(row["policy"])
    return permit(lake, action, purpose, pieces, target=target, policies=policies if action is Action.RELEASE else ())


def permitted_release(
    lake: Lake,
    release: Release,
    action: Action,
    purpose: str | None = None,
    splits: Collection[str] = ("train", "validation"),
    models: Iterable[CheckpointManifest] = (),
    *,
    recorded: bool = True,
) -> Decision:
    """The decision that something may be done today with volumes of a release, and with models that it is done with.

    Args:
        lake: the lake.
        release: the release.
        action: what is to be done.
        purpose: what for; None: what the release is for.
        splits: which volumes.
        models: the one that a training starts from, or those that are evaluated.
        recorded: whether a refusal goes on the ledger; false where several processes ask the same.

    Raises:
        Refusal: if the terms do not allow it; the refusal is on the ledger.
    """
    manifest = release.manifest
    members = [member for split in splits for member in release.members(split, sealed_ok=True)]
    parts = _body_parts(lake, release)
    pieces = {Piece(name) for name in manifest.licences} | {
        Piece(m.licence if m.licence in manifest.licences else None, m.delivery, m.subject, parts.get(m.volume, ""))
        for m in members
    }
    inherited, carried = _of_models(lake, models)
    return permit(
        lake,
        action,
        purpose or manifest.spec.purpose,
        pieces | inherited,
        target=manifest.name,
        policies=manifest.policies if action is Action.EXPORT else (),
        carried=carried,
        recorded=recorded,
    )


def permitted_model(lake: Lake, model: CheckpointManifest, action: Action, purpose: str) -> Decision:
    """The decision that something may be done today with a model.

    What is asked are the licences that its manifest names, as this lake knows them now. Of a model from elsewhere,
    whose licences it does not know, the terms that the manifest carries are asked.

    Raises:
        Refusal: if the terms do not allow it; the refusal is on the ledger.
    """
    pieces, carried = _of_models(lake, [model])
    return permit(lake, action, purpose, pieces, target=model.name, carried=carried)


def permitted_sharing(lake: Lake, model: CheckpointManifest, purpose: str, country: str | None) -> Decision:
    """The decision that a model may leave today, asked for its licences and for each person whom it was trained on.

    Args:
        lake: the lake.
        model: its manifest.
        purpose: what the recipient uses it for.
        country: where the recipient is, ISO 3166-1 alpha-2; None: where this installation is.

    Raises:
        Refusal: if the terms do not allow it; the refusal is on the ledger.
    """
    pieces, carried = _of_models(lake, [model])
    columns = ("licence", "delivery", "subject")
    persons = exposed(lake, model.weights_sha256).select(columns).to_pylist()
    pieces |= {Piece(*(row[name] for name in columns)) for row in persons}
    return permit(lake, Action.SHARE, purpose, pieces, target=model.name, carried=carried, country=country)


def covered_by(lake: Lake, decision: Decision) -> list[AnyTerm]:
    """The documents that a decision rests on, as this lake knows them."""
    known = Known.of(lake)
    return [document for name in decision.terms if (document := known.term(name))]


def _of_models(lake: Lake, models: Iterable[CheckpointManifest]) -> tuple[set[Piece], dict[str, Terms]]:
    """What covers models: their licences, and what each carries of which this lake does not know one."""
    known = Known.of(lake)
    pieces: set[Piece] = set()
    carried: dict[str, Terms] = {}
    for model in models:
        # the same licence in a second wording stands as <licence>@<digest>
        names = {name.split("@")[0] for name in model.licences}
        strange = {name for name in names if known.term(name) is None}
        if strange and model.terms:
            carried[model.name] = model.terms
            names -= strange
        pieces |= {Piece(name) for name in names}
    return pieces, carried


def _subjects(lake: Lake, delivery: str) -> set[str]:
    """Persons of a delivery; of one that names nobody, everybody."""
    rows = lake.table(RECEIVED).rows(["subject", "outcome"], {"delivery": delivery})
    return {row["subject"] for row in rows if row["outcome"] == "kept" and row["subject"]} or {""}


def _body_parts(lake: Lake, release: Release) -> dict[str, str]:
    """Body part of each volume of a release, where a document asks for it."""
    documents = Known.of(lake).documents.values()
    if not any(getattr(document, "body_parts", ()) for document in documents):
        return {}
    rows = lake.table(VOLUMES).read(["volume", "body_part"], version=release.manifest.tables[VOLUMES.path])
    return dict(zip(rows["volume"].to_pylist(), rows["body_part"].to_pylist(), strict=True))
