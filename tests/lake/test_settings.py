"""Settings come from arguments, environment or larmor.yaml, in this order, and say what they cannot be."""

import pytest
from pydantic import ValidationError

from lake.errors import NotLocal
from lake.settings import Settings
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
    with pytest.raises(ValidationError):
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
    with pytest.raises(ValidationError, match="needed a local folder or s3://bucket/prefix"):
        Settings(curated=uri)
