"""With roles, whoever is not named is denied, by zone; in an emergency two persons open a zone for hours, on record."""

import datetime as dt
import json

import pytest

from lake.zones import Lake
from lineage.access import accessed
from lineage.ledger import ledger
from lineage.ledger.events import EventType
from lineage.ledger.verify import verify
from lineage.terms import emergency, terms
from lineage.terms.asking import admit, enter, permit
from lineage.terms.decisions import Decision
from lineage.terms.emergency import EmergencyError
from lineage.terms.questions import Action, Piece, Question
from lineage.terms.refusal import Refusal
from lineage.terms.roles import admitted, roles_of
from schemas.contract import Zone
from schemas.document import DocumentError
from schemas.roles import Roles, changing, reading
from tests.lineage.terms.documents import DAY, document

ROLES = {
    "roles": {
        "engineer": {"members": ["*@hospital.org"], "zones": ["restricted", "curated"]},
        "scientist": {"members": ["ada"], "zones": ["curated", "models"], "reads": ["audit"]},
        "officer": {"members": ["grace", "otto"], "zones": ["audit"], "approves": True},
    },
    "break_glass_hours": 2,
}


@pytest.fixture
def guarded(lake):
    """The lake with roles, opened by anybody."""
    lake.settings.root.mkdir(parents=True)
    Roles.model_validate(ROLES).write(lake.settings.root / "roles.yaml")
    return lambda who: Lake.open(lake.settings.root, principal=who)


def _events(lake, type_):
    return [json.loads(row["event"]) for row in ledger.entries(lake) if row["type"] == str(type_)]


def test_without_a_document_nothing_is_asked(lake):
    assert roles_of(lake) is None
    assert admitted(lake, changing(*Zone)) == ()


@pytest.mark.parametrize(
    ("who", "zones"),
    [("x@hospital.org", ["restricted", "curated"]), ("ada", ["curated", "models"]), ("grace", ["audit"]), ("eve", [])],
)
def test_every_zone_that_no_role_gives_is_denied(guarded, who, zones):
    for zone in Zone:
        if zone in zones:
            assert admitted(guarded(who), changing(zone)) == ()
        else:
            with pytest.raises(Refusal, match=f"roles roles, {zone}: .* larmor break-glass {zone}"):
                admitted(guarded(who), changing(zone))


def test_an_action_asks_for_each_of_its_zones(guarded):
    engineer = guarded("x@hospital.org")
    terms.learn(engineer, document("licence-1"))
    piece = [Piece("licence-1", "hospital-1")]
    decision = permit(engineer, Action.DEIDENTIFY, "research", piece, target="hospital-1", day=DAY)
    assert decision.question.principal == "x@hospital.org"
    with pytest.raises(Refusal, match="roles roles, models"):
        permit(engineer, Action.TRAIN, "research", piece, target="cohort", day=DAY)
    (event,) = _events(engineer, EventType.REFUSED)
    assert (event["principal"], event["facts"]["term"], event["facts"]["release"]) == (
        "x@hospital.org",
        "models",
        "cohort",
    )


def test_reading_asks_and_a_refused_access_leaves_no_row(guarded):
    assert accessed(guarded("ada"), "read", "curated/volumes", 3, "research") == 1
    with pytest.raises(Refusal):
        accessed(guarded("ada"), "read", "restricted/received", 3, "research")
    with pytest.raises(Refusal):
        accessed(guarded("eve"), "read", "cohort", 3, "research")
    assert [row["type"] for row in ledger.entries(guarded("ada"))] == [
        "roles_changed",
        "accessed",
        "refused",
        "refused",
    ]


def test_a_configured_document_that_is_not_there_or_is_broken_denies(lake, tmp_path):
    with pytest.raises(DocumentError):
        admitted(Lake.open(lake.settings.root, roles=tmp_path / "nowhere.yaml"), changing(Zone.CURATED))
    (tmp_path / "roles.yaml").write_text("roles: {a: {members: [], zones: [curated]}}")
    with pytest.raises(DocumentError, match="members"):
        admitted(Lake.open(lake.settings.root, roles=tmp_path / "roles.yaml"), changing(Zone.CURATED))


def test_glass_is_broken_by_one_and_opened_by_another_and_what_is_done_says_so(guarded):
    ada, grace = guarded("ada"), guarded("grace")
    roles = roles_of(ada)
    grant = emergency.ask(ada, Zone.RESTRICTED, "patient-safety")
    with pytest.raises(Refusal):
        admitted(ada, changing(Zone.RESTRICTED))
    opened = emergency.open_grant(grace, roles, grant.name, 1)
    assert (opened.holder, opened.second) == ("ada", "grace")
    assert admitted(ada, changing(Zone.CURATED, Zone.RESTRICTED)) == (grant.name,)
    for who, zone in (("ada", Zone.AUDIT), ("eve", Zone.RESTRICTED), ("grace", Zone.RESTRICTED)):
        with pytest.raises(Refusal):
            admitted(guarded(who), changing(zone))
    terms.learn(ada, document("licence-1"))
    decision = permit(ada, Action.INTAKE, "research", [Piece("licence-1")], day=DAY)
    assert decision.facts["grant"] == grant.name
    asked, answered = _events(ada, EventType.BREAK_GLASS)
    assert (asked["principal"], asked["facts"]["reason"], asked["facts"]["zone"]) == (
        "ada",
        "patient-safety",
        "restricted",
    )
    assert (answered["principal"], answered["facts"]["holder"], answered["facts"]["until"]) == (
        "grace",
        "ada",
        opened.until,
    )


def test_an_open_glass_ends_by_itself(guarded, monkeypatch):
    ada = guarded("ada")
    grant = emergency.ask(ada, Zone.RESTRICTED, "legal-order")
    opened = emergency.open_grant(guarded("grace"), roles_of(ada), grant.name, 2)
    last = dt.datetime.fromisoformat(opened.until)
    for moment, expected in ((last - dt.timedelta(seconds=1), grant.name), (last, None)):
        told = moment.isoformat(timespec="microseconds").replace("+00:00", "Z")
        monkeypatch.setattr(emergency, "now", lambda told=told: told)
        assert emergency.open_for(ada, "ada", Zone.RESTRICTED) == expected


@pytest.mark.parametrize(
    ("second", "hours", "said"),
    [
        ("grace", 1, "found the one who asked"),
        ("ada", 1, "found a principal whom no role lets approve"),
        ("otto", 3, "needed 1 to 2"),
    ],
)
def test_the_second_person_is_another_one_who_may(guarded, second, hours, said):
    grant = emergency.ask(guarded("grace"), Zone.RESTRICTED, "incident-response")
    with pytest.raises(EmergencyError, match=said):
        emergency.open_grant(guarded(second), roles_of(guarded(second)), grant.name, hours)
    assert emergency.open_for(guarded("grace"), "grace", Zone.RESTRICTED) is None


def test_a_grant_is_opened_once_and_only_if_it_was_asked_for(guarded):
    roles, otto = roles_of(guarded("otto")), guarded("otto")
    with pytest.raises(EmergencyError, match="no grant of this name"):
        emergency.open_grant(otto, roles, "glass-none", 1)
    grant = emergency.ask(guarded("ada"), Zone.AUDIT, "system-recovery")
    emergency.open_grant(otto, roles, grant.name, 1)
    with pytest.raises(EmergencyError, match="opened before"):
        emergency.open_grant(otto, roles, grant.name, 1)


def test_a_reason_is_of_the_list(guarded):
    with pytest.raises(ValueError, match="because I say so"):
        emergency.ask(guarded("ada"), Zone.AUDIT, "because I say so")
    assert ledger.size(guarded("ada")) == 0


def test_a_refused_act_that_is_no_matter_of_terms_is_on_the_ledger(guarded):
    with pytest.raises(Refusal):
        admit(guarded("ada"), "learn-terms", changing(Zone.AUDIT))
    (event,) = _events(guarded("ada"), EventType.REFUSED)
    assert (event["facts"]["action"], event["facts"]["term"], event["facts"]["kind"]) == (
        "learn-terms",
        "audit",
        "roles",
    )


def test_who_may_only_read_a_zone_may_not_change_it(guarded):
    ada = guarded("ada")
    assert admitted(ada, reading(Zone.AUDIT)) == ()
    assert admitted(ada, changing(Zone.MODELS, reads=[Zone.CURATED, Zone.AUDIT])) == ()
    with pytest.raises(Refusal, match="a principal whom no role gives this zone, to change it"):
        admitted(ada, changing(Zone.AUDIT, reads=[Zone.CURATED]))


def test_what_is_done_under_a_grant_and_has_no_event_of_its_own_is_told_on_the_ledger(guarded):
    ada = guarded("ada")
    grant = emergency.ask(ada, Zone.RESTRICTED, "patient-safety")
    emergency.open_grant(guarded("grace"), roles_of(ada), grant.name, 1)
    enter(ada, "quarantine", reading(Zone.RESTRICTED))
    used = _events(ada, EventType.BREAK_GLASS)[-1]
    assert (used["principal"], used["facts"]["action"], used["facts"]["target"]) == ("ada", "use", "quarantine")
    (standing,) = emergency.grants(ada)
    assert (standing.second, standing.holder) == ("grace", "ada")
    enter(ada, "look", reading(Zone.CURATED))
    assert len(_events(ada, EventType.BREAK_GLASS)) == 3


def test_a_decision_under_two_grants_names_both_in_the_order_of_zones(guarded):
    ada = guarded("ada")
    opened = {}
    for zone in (Zone.AUDIT, Zone.RESTRICTED):
        opened[zone] = emergency.ask(ada, zone, "incident-response").name
        emergency.open_grant(guarded("grace"), roles_of(ada), opened[zone], 1)
    both = (opened[Zone.RESTRICTED], opened[Zone.AUDIT])
    assert admitted(ada, changing(Zone.AUDIT, Zone.RESTRICTED)) == both
    enter(ada, "doctor", changing(Zone.AUDIT, Zone.RESTRICTED))
    used = [e["facts"]["grant"] for e in _events(ada, EventType.BREAK_GLASS) if e["facts"]["action"] == "use"]
    assert tuple(used) == both
    decision = Decision(Question(Action.INTAKE, "research", "ada", DAY), {}).resting_on({}, both)
    assert (decision.facts["grant"], decision.facts["grants"]) == (None, list(both))
    assert len({decision.resting_on({}, grants).digest for grants in ((), both[:1], both[1:], both)}) == 4


def _changes(lake):
    return [
        (e["principal"], e["facts"]["action"], e["facts"].get("roles_sha256")) for e in _events(lake, "roles_changed")
    ]


def test_a_change_of_the_roles_is_on_the_ledger_before_it_counts(guarded):
    ada, eve = guarded("ada"), guarded("eve")
    path = ada.settings.root / "roles.yaml"
    first = roles_of(ada)
    for _ in range(2):
        admitted(ada, changing(Zone.CURATED))
    assert _changes(ada) == [("ada", "set", first.digest)]
    wider = Roles.model_validate({"roles": {**ROLES["roles"], "guest": {"members": ["eve"], "zones": ["audit"]}}})
    wider.write(path)
    admitted(eve, changing(Zone.AUDIT))
    first.write(path)
    with pytest.raises(Refusal):
        admitted(eve, changing(Zone.AUDIT))
    path.unlink()
    admitted(ada, changing(Zone.AUDIT))
    assert _changes(ada)[1:] == [("eve", "set", wider.digest), ("eve", "set", first.digest), ("ada", "removed", None)]
    assert verify(ada).ok


def test_roles_that_were_changed_and_kept_from_the_ledger_are_found(guarded):
    ada = guarded("ada")
    admitted(ada, changing(Zone.CURATED))
    (kept,) = (ada.settings.root / "audit" / "roles").iterdir()
    wider = Roles.model_validate({"roles": {"guest": {"members": ["eve"], "zones": list(Zone)}}})
    wider.write(ada.settings.root / "roles.yaml")
    kept.write_text(json.dumps(wider.model_dump(mode="json"), sort_keys=True, separators=(",", ":")))
    assert admitted(guarded("eve"), changing(Zone.AUDIT)) == ()
    assert [finding.file for finding in verify(ada).findings] == ["roles"]
