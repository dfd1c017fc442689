"""Settings come from arguments, environment or larmor.yaml, in this order, and say what they cannot be."""

import pickle

import pytest

from lake.errors import NotLocal
from lake.settings import Settings, SettingsError
from lake.stores.aws import Access
from lake.zones import Lake
from schemas.contract import Zone


def test_arguments_win_over_the_environment_and_the_environment_over_the_file(monkeypatch, tmp_path):
    (tmp_path / "larmor.yaml").write_text("policy: from-file\nworkers: 3\nroot: file-root\n")
    monkeypatch.setenv("LARMOR_WORKERS", "5")
    settings = Settings(root=tmp_path / "mine")
    assert (settings.policy, settings.workers, settings.root) == ("from-file", 5, tmp_path / "mine")


def test_zones_lie_below_the_root_unless_set(tmp_path):
    lake = Lake.open(tmp_path, audit=tmp_path / "elsewhere")
    assert lake.location(Zone.AUDIT, "ledger").path == tmp_path / "elsewhere" / "ledger"
    assert lake.location(Zone.RESTRICTED, "vault").path == tmp_path / "restricted" / "vault"
    assert lake.location(Zone.RESTRICTED).private
    assert not lake.location(Zone.CURATED).private


def test_the_default_root_does_not_move_with_the_working_directory(monkeypatch, tmp_path):
    settings = Settings()
    monkeypatch.chdir("/")
    assert settings.root == tmp_path / "larmor-data"


@pytest.mark.parametrize("values", [{"root": "s3://bucket/lake"}, {"workers": 0}, {"engine": "dask"}])
def test_what_is_not_supported_is_refused(values):
    with pytest.raises(SettingsError, match=f"LARMOR_{next(iter(values)).upper()}"):
        Settings(**values)


def test_a_zone_may_lie_on_s3_with_a_caller_and_a_key_of_its_own(monkeypatch, tmp_path):
    (tmp_path / "larmor.yaml").write_text("audit: s3://audits/larmor/\naudit_access: {profile: audit}\n")
    monkeypatch.setenv("LARMOR_CURATED", "s3://research")
    monkeypatch.setenv("LARMOR_CURATED_ACCESS", '{"role": "arn:aws:iam::1:role/r", "kms_key": "alias/k"}')
    lake = Lake.open(tmp_path)
    assert lake.location(Zone.AUDIT, "ledger").uri == "s3://audits/larmor/ledger"
    assert lake.location(Zone.AUDIT).access == Access(profile="audit")
    assert lake.location(Zone.CURATED, "volumes").uri == "s3://research/volumes"
    assert lake.location(Zone.CURATED).access == Access(role="arn:aws:iam::1:role/r", kms_key="alias/k")
    assert lake.location(Zone.RESTRICTED).local
    with pytest.raises(NotLocal, match="LARMOR_CURATED: found s3://research"):
        lake.settings.folder("curated")


@pytest.mark.parametrize("uri", ["gs://bucket/x", "s3://", "s3:///", "file:///x"])
def test_another_kind_of_uri_is_no_zone(uri):
    with pytest.raises(SettingsError, match="needed a local folder or s3://bucket/prefix"):
        Settings(curated=uri)


@pytest.mark.parametrize("name", ["a%20b", "what?", "two\nlines", "back\\slash", "\udcff"])
@pytest.mark.parametrize("zone", ["root", "curated"])
def test_a_folder_that_a_library_takes_for_another_is_refused(zone, name, tmp_path):
    """Delta keeps a table of `a%20b` in `a b`, and of `what?` in `what`."""
    with pytest.raises(SettingsError, match="needed one without"):
        Settings(**{zone: tmp_path / name})


@pytest.mark.parametrize("name", ["a b", "ünï", "it's #1 [new]", "100*"])
def test_other_names_of_folders_are_as_good_as_any(name, tmp_path):
    assert Settings(root=tmp_path / name).root == tmp_path / name


@pytest.mark.parametrize(
    ("variable", "value", "said"),
    [
        ("LARMOR_WORKERS", "many", "LARMOR_WORKERS"),
        ("LARMOR_SPARK_CONF", "a=b", "LARMOR_SPARK_CONF: found a value that is no JSON"),
        ("LARMOR_CURATED_ACCESS", '{"rolle": "many"}', r"LARMOR_CURATED_ACCESS\.rolle"),
        ("LARMOR_ROLE", "many", "needed LARMOR_ROLES"),
    ],
)
def test_a_variable_that_is_wrong_or_misspelt_is_named_without_its_value(variable, value, said, monkeypatch):
    monkeypatch.setenv(variable, value)
    with pytest.raises(SettingsError, match=said) as error:
        Settings()
    assert "many" not in str(error.value)


def test_a_variable_that_an_installation_has_for_itself_is_none_of_ours(monkeypatch):
    monkeypatch.setenv("LARMOR_DAGSTER_LOGS_BUCKET", "logs")
    assert Settings().policy == "safe_harbor"


@pytest.mark.parametrize(
    ("written", "said"),
    [
        (b"policy: [", "no valid YAML in line"),
        (b"- policy", "no mapping in YAML"),
        (b"\xff\xfe", "save it in UTF-8"),
        (b"polcy: mine", "needed policy"),
        (b"colour: red", r"colour .* needed one of docs/reference/settings\.md"),
        (b"scrub_rounds: many", r"scrub_rounds in larmor\.yaml"),
    ],
)
def test_a_file_that_is_wrong_says_where(written, said, tmp_path):
    (tmp_path / "larmor.yaml").write_bytes(written)
    with pytest.raises(SettingsError, match=said):
        Settings()


def test_an_empty_file_says_nothing_and_a_misspelt_argument_is_an_error(tmp_path):
    (tmp_path / "larmor.yaml").touch()
    assert Settings() == pickle.loads(pickle.dumps(Settings()))  # our own, as it goes to a worker
    with pytest.raises(SettingsError, match="needed workers"):
        Lake.open(tmp_path, wrokers=2)
