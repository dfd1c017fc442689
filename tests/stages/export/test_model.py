"""A model leaves where the terms allow it, whole and on the record, and with it neither a person nor a list of them."""

import hashlib
import json

import pytest

from lineage.exposures import exposures
from lineage.ledger import ledger
from lineage.terms import terms
from lineage.terms.refusal import Refusal
from lineage.withdrawal.belonging import Kind, Scope
from lineage.withdrawal.plan import plan
from schemas.checkpoint import CheckpointManifest, Sharing
from schemas.contract import Zone
from stages.export.model import share
from stages.export.target import ExportError
from tests import synthetic
from tests.lineage.terms.documents import document

PEOPLE = {"a": ["SABCDEFGHIJK1", "SABCDEFGHIJK2"], "b": ["SABCDEFGHIJK3", "SABCDEFGHIJK4"]}
FILES = {
    "weights.safetensors": b"\x08\0\0\0\0\0\0\0{}      ",
    "config.yaml": b"kind: finetuned\n",
    "metrics.json": b'{"final_loss": 1.5}',
    "card.md": b"# net\n",
    "card.html": b"<!doctype html><title>net</title>",
}


@pytest.fixture
def filled(lake):
    synthetic.know(lake, synthetic.licence(share_models=True))
    synthetic.fill(lake, PEOPLE)
    return lake


def trained(lake, name="net", shareable=True, **files):
    """A model that was trained on the release's training set, as its zone and its record hold it."""
    release = synthetic.frozen(lake)
    members = release.members("train")
    content = FILES | {key.replace("_", "."): value for key, value in files.items()}
    served = {member.volume: 2 for member in members}
    content["exposure.json"] = json.dumps({"volumes": served, "ancestors": []}).encode()
    manifest = CheckpointManifest(
        name=name, kind="finetuned", task="tissue", weights_sha256=sha256(content["weights.safetensors"]),
        config_sha256=sha256(content["config.yaml"]), release=release.name, release_sha256=release.sha256,
        licences=release.manifest.licences, share_models=shareable, terms=release.manifest.terms,
        exposure_sha256=sha256(content["exposure.json"]), steps=1, world_size=1, code_version="0",
        created="2026-01-01T00:00:00Z",
    )  # fmt: skip
    for file, data in (content | {"manifest.json": manifest.model_dump_json().encode()}).items():
        lake.location(Zone.MODELS, name).write_bytes(file, data)
    exposures.record(lake, manifest, served, members)
    return members


def sha256(data):
    return hashlib.sha256(data).hexdigest()


def facts(lake, type_):
    return [json.loads(row["event"])["facts"] for row in ledger.entries(lake) if row["type"] == type_]


def test_a_model_leaves_whole_with_its_terms_and_without_what_it_saw(filled, tmp_path):
    members = trained(filled)
    made = share(filled, "net", tmp_path / "out", recipient="Site B", country="DE")
    there = {path.relative_to(made.folder).as_posix(): path.read_bytes() for path in made.folder.rglob("*.*")}
    assert there.keys() == {*FILES, "manifest.json", "sharing.json", "licences/open-licence.yaml"}
    assert all(there[name] == data for name, data in FILES.items())
    words = b"\n".join(there.values()).decode()
    for member in members:
        assert not [name for name in (member.subject, member.series, member.volume) if name in words]
    said = Sharing.model_validate_json(there["sharing.json"])
    assert (said.recipient, said.country, said.terms.attributions) == ("Site B", "DE", ["The Consortium"])
    for line in (made.folder / "SHA256SUMS").read_text().splitlines():
        digest, _, name = line.partition("  ")
        assert sha256(there[name]) == digest
    assert sha256((made.folder / "SHA256SUMS").read_bytes()) == made.sha256


def test_who_received_it_is_on_the_ledger_and_a_withdrawal_tells_them(filled, tmp_path):
    members = trained(filled)
    share(filled, "net", tmp_path / "out", recipient="Site B", purpose="model-training")
    (said,) = facts(filled, "exported")
    assert (said["model"], said["recipient"], said["purpose"], said["format"]) == (
        "net", "Site B", "model-training", "model",
    )  # fmt: skip
    assert said["weights_sha256"] == sha256(FILES["weights.safetensors"])
    saw = {member.subject for member in members}
    for subject in sorted({name for names in PEOPLE.values() for name in names}):
        told = plan(filled, Scope(Kind.SUBJECT, subject)).copies.notify
        assert ("recipient Site B" in told) == (subject in saw)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"share_models": False}, "licence open-licence, share_models"),
        ({"revoked": "2026-01-01"}, "licence open-licence, revoked"),
        ({"purposes": ["teaching"]}, "licence open-licence, purposes"),
        ({"territory": ["FR"]}, "licence open-licence, territory: found work in DE"),
    ],
    ids=lambda value: "-".join(value) if isinstance(value, dict) else "",
)
def test_terms_that_do_not_allow_it_keep_it_here_and_the_refusal_is_recorded(filled, tmp_path, changes, said):
    trained(filled)
    terms.learn(filled, synthetic.licence(**{"share_models": True} | changes))
    with pytest.raises(Refusal, match=said):
        share(filled, "net", tmp_path / "out", recipient="Site B", country="DE")
    assert not (tmp_path / "out").exists()
    (refused,) = facts(filled, "refused")
    assert (refused["action"], refused["model"]) == ("share", "net")
    assert not facts(filled, "exported")


def test_a_person_who_took_the_consent_back_keeps_it_here(filled, tmp_path):
    subject = trained(filled)[0].subject
    form = {"subjects": [subject], "share_models": True, "valid_until": None}
    terms.learn(filled, document("form", "consent", **form))
    share(filled, "net", tmp_path / "before", recipient="Site B")
    terms.learn(filled, document("form", "consent", **form | {"subjects": ["SOTHER"], "withdrawn": [subject]}))
    with pytest.raises(Refusal, match="consent form, withdrawn") as refused:
        share(filled, "net", tmp_path / "after", recipient="Site B")
    assert subject not in str(refused.value)


def test_a_model_that_was_trained_when_sharing_was_not_allowed_stays(filled, tmp_path):
    trained(filled, shareable=False)
    with pytest.raises(Refusal, match="model net, share_models: found false when it was trained"):
        share(filled, "net", tmp_path / "out", recipient="Site B")
    assert facts(filled, "refused")[0]["kind"] == "model"


def test_files_that_name_a_person_or_are_not_the_models_do_not_leave(filled, tmp_path):
    subject = trained(filled)[0].subject
    place = filled.location(Zone.MODELS, "net")
    place.write_bytes("metrics.json", json.dumps({"worst": subject}).encode())
    with pytest.raises(ExportError, match="pseudonyms of what it was trained on") as refused:
        share(filled, "net", tmp_path / "out", recipient="Site B")
    assert subject not in str(refused.value)
    place.write_bytes("metrics.json", FILES["metrics.json"])
    place.write_bytes("weights.safetensors", b"other")
    with pytest.raises(ExportError, match="with the digest of its manifest"):
        share(filled, "net", tmp_path / "out", recipient="Site B")
    assert list(tmp_path.glob("*out*")) == []
    assert not facts(filled, "exported")


def test_mistakes_are_told_with_what_was_needed(filled, tmp_path):
    trained(filled)
    with pytest.raises(ExportError, match="found no model of this name, needed one of: net"):
        share(filled, "nit", tmp_path / "out", recipient="Site B")
    with pytest.raises(ExportError, match="found a recipient"):
        share(filled, "net", tmp_path / "out", recipient="a@b/c")
    filled.location(Zone.MODELS, "net").write_bytes("retired.json", b"{}")
    filled.location(Zone.MODELS, "net").delete("manifest.json")
    with pytest.raises(ExportError, match="found a model that a withdrawal took out of use"):
        share(filled, "net", tmp_path / "out", recipient="Site B")
