"""Each station asks before its work, puts the decision on the record, and is refused by the term that refuses it."""

import json

import pytest

from lake.releases import Release
from lake.zones import Lake
from lineage.ledger import ledger
from lineage.terms import terms
from lineage.terms.questions import Action
from lineage.terms.refusal import Refusal
from lineage.terms.union import union
from schemas.checkpoint import CheckpointManifest
from schemas.contract import Zone
from schemas.delivery import MANIFEST_NAME
from schemas.document import DocumentError
from schemas.policy import POLICIES, read_policy
from schemas.roles import Roles
from schemas.tables import COPIES, RECEIVED, SERIES, VOLUMES
from stages.clearance import cleared
from stages.export.export import export
from stages.intake.landed import manifest_of
from stages.permission import permitted, permitted_model, permitted_release
from stages.second_look.surroundings import own_words
from tests import synthetic
from tests.lineage.terms.documents import delivery, document

LICENCE = "open-licence"


@pytest.fixture
def filled(lake):
    """Four persons of two deliveries under one licence."""
    synthetic.know(lake, synthetic.licence(share_models=True))
    synthetic.fill(lake, {"a": ["S1", "S2"], "b": ["S3", "S4"]})
    return lake


def _facts(lake, type_):
    return [json.loads(row["event"])["facts"] for row in ledger.entries(lake) if row["type"] == type_]


def _relicensed(lake, **changes):
    terms.learn(lake, synthetic.licence(**{"share_models": True} | changes))


def _model(**changes):
    return CheckpointManifest(
        name="net", kind="finetuned", task="tissue", weights_sha256="1" * 64, config_sha256="2" * 64, release="cohort",
        release_sha256="3" * 64, exposure_sha256="4" * 64, steps=1, world_size=1, code_version="0",
        created="2026-01-01T00:00:00Z", **changes,
    )  # fmt: skip


def test_a_release_records_its_decision_and_carries_the_union_of_its_documents(filled):
    _relicensed(filled, requires=["dua"], users=["*"])
    terms.learn(filled, document("dua", "data-use-agreement", share_models=False, territory=["DE"], at_end="destroy",
                                 valid_from="2020-01-01", valid_until="2090-01-01"))  # fmt: skip
    lake = Lake.open(filled.settings.root, country="DE")
    release = synthetic.frozen(lake)
    carried = release.manifest.terms
    assert set(carried.documents) == {LICENCE, "dua"}
    assert (carried.territory, carried.at_end, str(carried.valid_until)) == (["DE"], ["destroy"], "2090-01-01")
    assert (release.manifest.share_models, release.manifest.train_models) == (False, True)
    (event,) = _facts(lake, "released")
    assert len(event["terms_sha256"]) == 64
    assert event["decision"] == release.manifest.decision
    assert event["agreements"] == {"dua": carried.documents["dua"]}


def test_a_person_whose_consent_is_taken_back_stops_release_training_and_export(filled):
    release = synthetic.frozen(filled)
    for action in (Action.TRAIN, Action.EXPORT):
        permitted_release(filled, release, action)
    everybody = ["S1", "S2", "S3", "S4"]
    terms.learn(filled, document("form", "consent", valid_from="2020-01-01", valid_until=None, withdrawn=everybody))
    for action in (Action.TRAIN, Action.EXPORT):
        with pytest.raises(Refusal, match=r"consent form, withdrawn: .*larmor withdraw --subject"):
            permitted_release(filled, release, action)
    with pytest.raises(Refusal, match="whom it concerns: 4"):
        synthetic.frozen(filled, "another")
    refused = _facts(filled, "refused")
    assert [(facts["action"], facts["licence"], facts["term"]) for facts in refused] == [
        (action, "form", "withdrawn") for action in ("train", "export", "release")
    ]
    assert refused[2]["subjects"] == 4
    assert not any(subject in str(refused) for subject in everybody)


def test_body_parts_are_asked_where_a_document_names_some(filled):
    release = synthetic.frozen(filled)
    _relicensed(filled, body_parts=["knee"])
    with pytest.raises(Refusal, match=f"licence {LICENCE}, body_parts"):
        permitted_release(filled, release, Action.TRAIN)
    _relicensed(filled, body_parts=["head", "knee"])
    assert permitted_release(filled, release, Action.TRAIN).licences == (LICENCE,)


def test_the_licence_of_a_copy_in_another_delivery_is_asked_too(filled):
    row = synthetic.volume_row("a", "S1")
    copied = {name: row[name] for name in ("subject", "study", "series")} | {
        "instance": "1", "licence": "narrow", "identity": "i", "version": "v", "moment": "m", "kept_in": "a",
    }  # fmt: skip
    columns = {column.name for column in COPIES.columns}
    synthetic.put(filled, COPIES, "c", [{name: value for name, value in copied.items() if name in columns}])
    with pytest.raises(Refusal, match="licence narrow, licence: found no such licence"):
        synthetic.frozen(filled)
    terms.learn(filled, synthetic.licence("narrow", deliveries=["c"], purposes=["research"]))
    with pytest.raises(Refusal, match="licence narrow, purposes"):
        synthetic.frozen(filled)


def test_data_of_an_expert_policy_are_released_and_exported_with_its_determination_only(lake, tmp_path):
    digest = read_policy(POLICIES / "expert_determination.yaml").digest
    synthetic.know(lake, synthetic.licence())
    rows = [synthetic.volume_row("a", subject, policy=digest) for subject in ("S1", "S2", "S3", "S4")]
    synthetic.put(lake, VOLUMES, "a", rows)
    synthetic.put(lake, SERIES, "a", [synthetic.series_row(row) for row in rows])
    with pytest.raises(Refusal, match="expert-determination expert-determination, policy_sha256: found no determ"):
        synthetic.frozen(lake, labels=False)
    about = {"policy_sha256": digest, "valid_from": "2020-01-01", "valid_until": "2090-01-01"}
    terms.learn(lake, document("expert-1", "expert-determination", **about))
    synthetic.frozen(lake, labels=False)
    assert "expert-1" in _facts(lake, "released")[0]["agreements"]
    terms.learn(lake, document("expert-1", "expert-determination", **about, revoked="2026-01-01"))
    with pytest.raises(Refusal, match="expert-1, valid_until"):
        export(lake, "cohort", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_persons_of_a_delivery_are_asked_about_before_it_is_deidentified(lake):
    granted = document("hospital-2026", valid_until=None)
    rows = [synthetic._received("hospital-1", subject, "hospital-2026") for subject in ("S1", "S2")]
    synthetic.put(lake, RECEIVED, "hospital-1", rows)
    form = document("form", "consent", subjects=["S1"], withdrawn=["S2"], valid_until=None)
    terms.learn(lake, form)
    permitted(lake, granted, delivery(), Action.INTAKE)
    with pytest.raises(Refusal, match="consent form, withdrawn"):
        permitted(lake, granted, delivery(), Action.DEIDENTIFY)
    assert _facts(lake, "refused")[0]["delivery"] == "hospital-1"


def test_a_manifest_of_another_licensor_is_refused_on_the_record(lake):
    with pytest.raises(Refusal, match="licensor"):
        permitted(lake, document("hospital-2026"), delivery(licensor="Dr Roe"), Action.INTAKE)
    (facts,) = _facts(lake, "refused")
    assert (facts["term"], facts["licence"]) == ("licensor", "hospital-2026")
    assert "Roe" not in str(facts)


def test_a_manifest_cannot_borrow_the_name_that_a_licence_covers(lake):
    folder = lake.landing / "site-1"
    folder.mkdir(parents=True)
    delivery(name="hospital-1").write(folder / MANIFEST_NAME)
    with pytest.raises(DocumentError, match="needed the same, because the licence is looked up by it") as refused:
        manifest_of(lake, "site-1")
    assert "hospital-1" not in str(refused.value)


def test_a_model_is_asked_about_by_what_this_lake_knows_now(filled):
    carried = union([synthetic.licence()])
    model = _model(licences={LICENCE: "0" * 64, f"{LICENCE}@abc": "1" * 64}, terms=carried)
    assert permitted_model(filled, model, Action.PREDICT, "research").licences == (LICENCE,)
    _relicensed(filled, revoked="2026-01-01")
    with pytest.raises(Refusal, match=f"licence {LICENCE}, revoked"):
        permitted_model(filled, model, Action.PREDICT, "research")
    assert _facts(filled, "refused")[0]["model"] == "net"


def test_a_model_from_elsewhere_is_asked_about_by_what_it_carries(lake):
    licences = {"theirs": "0" * 64}
    brought = _model(licences=licences, terms=union([synthetic.licence("theirs")]))
    assert permitted_model(lake, brought, Action.PREDICT, "research").target == "net"
    with pytest.raises(Refusal, match="model net, purposes"):
        permitted_model(lake, brought, Action.PREDICT, "marketing")
    with pytest.raises(Refusal, match="licence theirs, licence: found no such licence"):
        permitted_model(lake, _model(licences=licences), Action.PREDICT, "research")


def test_a_training_asks_what_covers_its_parent(filled):
    release = synthetic.frozen(filled)
    terms.learn(filled, synthetic.licence("parents", train_models=False))
    with pytest.raises(Refusal, match="licence parents, train_models"):
        permitted_release(filled, release, Action.TRAIN, models=[_model(licences={"parents": "0" * 64})])
    permitted_release(filled, release, Action.EVALUATE, models=[_model(licences={"parents": "0" * 64})])


def test_an_evaluation_asks_what_covers_each_of_its_models(filled):
    release = synthetic.frozen(filled)
    terms.learn(filled, synthetic.licence("theirs", purposes=["teaching"]))
    carried = union([synthetic.licence("unknown", purposes=["teaching"])])
    plain, ours = _model(licences={LICENCE: "0" * 64}), _model(licences={"theirs": "0" * 64})
    brought = _model(licences={"unknown": "0" * 64}, terms=carried).model_copy(update={"name": "brought"})
    assert permitted_release(filled, release, Action.EVALUATE, models=[plain]).licences == (LICENCE,)
    with pytest.raises(Refusal, match="licence theirs, purposes"):
        permitted_release(filled, release, Action.EVALUATE, models=[plain, ours])
    with pytest.raises(Refusal, match="model brought, purposes"):
        permitted_release(filled, release, Action.EVALUATE, models=[plain, brought])


def test_a_clearance_asks_models_of_the_zone_and_those_in_folders(filled, tmp_path):
    synthetic.frozen(filled)
    terms.learn(filled, synthetic.licence("theirs", purposes=["teaching"]))
    model = _model(licences={"theirs": "0" * 64}).model_dump_json().encode()
    filled.location(Zone.MODELS, "net").write_bytes("manifest.json", model)
    (tmp_path / "brought").mkdir()
    (tmp_path / "brought" / "manifest.json").write_bytes(model)
    for asked in ("net", str(tmp_path / "brought")):
        with pytest.raises(Refusal, match="licence theirs, purposes"):
            cleared(filled, "cohort", Action.EVALUATE, [asked])
    assert cleared(filled, "cohort", Action.EVALUATE, ["nobody"]).release == "cohort"


def test_only_one_of_several_processes_records_a_refusal(filled):
    release = synthetic.frozen(filled)
    _relicensed(filled, train_models=False)
    for recorded in (False, False, True):
        with pytest.raises(Refusal):
            permitted_release(filled, Release.open(filled, release.name), Action.TRAIN, recorded=recorded)
    assert len(_facts(filled, "refused")) == 1


def test_with_roles_a_station_is_refused_to_whom_no_role_gives_its_zones(filled):
    roles = {"roles": {"scientist": {"members": ["ada"], "zones": ["curated", "models"]}}}
    Roles.model_validate(roles).write(filled.settings.root / "roles.yaml")
    with pytest.raises(Refusal, match="roles roles, curated"):
        synthetic.frozen(Lake.open(filled.settings.root, principal="eve"))
    synthetic.frozen(Lake.open(filled.settings.root, principal="ada"))


def test_with_documents_of_every_kind_an_export_still_knows_its_own_words(filled, tmp_path):
    for number, kind in enumerate(("data-use-agreement", "ethics-approval", "consent", "expert-determination")):
        terms.learn(filled, document(f"d{number}", kind, licensor=f"Board{'abcd'[number]}"))
    synthetic.frozen(filled)
    assert export(filled, "cohort", tmp_path / "out").volumes
    assert {"boarda", "boardb", "boardc", "boardd"} <= own_words(filled)
    (event,) = _facts(filled, "exported")
    assert len(event["decision"]) == 64
