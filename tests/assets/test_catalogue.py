"""The asset graph is readable: everything has a group, an owner, a description, and tables show their columns."""

import ast
import subprocess
import sys
from pathlib import Path

import dagster as dg
import pytest

from orchestration.definitions import build
from schemas.tables import TABLES

PROJECT = Path(__file__).parent.parent.parent


@pytest.fixture(scope="module")
def definitions():
    return build()


def specs(definitions):
    return {spec.key.to_user_string(): spec for spec in definitions.resolve_all_asset_specs()}


def test_the_graph_is_small_enough_for_one_look(definitions):
    assert 12 <= len(specs(definitions)) < 40


def test_every_asset_says_what_it_is_and_whose(definitions):
    for key, spec in specs(definitions).items():
        assert spec.description, key
        assert spec.group_name not in (None, "default"), key
        assert spec.owners, key
        assert spec.kinds, key


def test_tables_show_columns_with_meaning_and_phi_class(definitions):
    shown = specs(definitions)
    for table in TABLES:
        if table.path not in shown:
            continue
        schema = shown[table.path].metadata["dagster/column_schema"]
        assert [c.name for c in schema.columns] == [c.name for c in table.columns]
        assert all(c.description and c.tags["phi"] for c in schema.columns)
    assert {t.path for t in TABLES if t.path in shown} >= {"curated/volumes", "restricted/received", "audit/decisions"}


def test_nothing_hangs_in_the_air(definitions):
    keys = {spec.key for spec in definitions.resolve_all_asset_specs()}
    for spec in definitions.resolve_all_asset_specs():
        assert {dep.asset_key for dep in spec.deps} <= keys


@pytest.mark.parametrize(
    "check",
    ["curated/instances:no_residue", "curated/instances:reconciled", "curated/volumes:accounted",
     "curated/reports:no_residue_in_text", "audit/ledger:verified"],
)  # fmt: skip
def test_what_must_hold_blocks_what_comes_after(definitions, check):
    found = {}
    for checks in definitions.asset_checks or []:
        for spec in checks.check_specs:
            found[f"{spec.asset_key.to_user_string()}:{spec.name}"] = spec.blocking
    assert found[check] is True


def test_unusual_quality_warns_and_holds_nothing_back(definitions):
    specs = [s for checks in definitions.asset_checks or [] for s in checks.check_specs]
    (usual,) = (s for s in specs if s.name == "usual")
    assert usual.asset_key.to_user_string() == "curated/series"
    assert not usual.blocking


def test_heavy_libraries_stay_out_of_the_definitions():
    heavy = ["torch", "monai", "lightning", "presidio_analyzer", "deltalake", "duckdb", "pydicom", "nibabel", "scipy"]
    code = f"import sys, orchestration.definitions as d; d.build(); print([m for m in {heavy} if m in sys.modules])"
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=PROJECT)
    assert told.stdout.strip() == "[]"


@pytest.mark.parametrize("path", sorted((PROJECT / "assets").glob("*.py")), ids=lambda p: p.stem)
def test_an_asset_is_short(path):
    for node in ast.parse(path.read_text()).body:
        if isinstance(node, ast.FunctionDef) and node.decorator_list:
            first = min(d.lineno for d in node.decorator_list)
            assert node.end_lineno - first < 40, node.name


def test_only_what_a_retry_can_help_is_retried(definitions):
    policies = {}
    for asset in definitions.assets or []:
        if isinstance(asset, dg.AssetsDefinition) and asset.is_executable:
            policies |= {key.to_user_string(): asset.op.retry_policy for key in asset.keys}
    retried = {key for key, policy in policies.items() if policy}
    assert retried == {"models/pretrained", "models/finetuned"}


def test_what_fills_a_machine_or_a_gpu_has_a_pool(definitions):
    pools = {}
    for asset in definitions.assets or []:
        if isinstance(asset, dg.AssetsDefinition) and asset.is_executable:
            pools |= {key.to_user_string(): asset.op.pool for key in asset.keys}
    assert {key for key, pool in pools.items() if pool == "gpu"} == {key for key in pools if key.startswith("models/")}
    heavy = {"restricted/received", "curated/instances", "curated/volumes", "curated/series", "curated/labels"}
    assert heavy | {"curated/reports", "audit/scrub", "audit/tier_moves"} <= {k for k, p in pools.items() if p == "cpu"}
