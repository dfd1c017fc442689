"""The audit report lists the certificates that there are, and says nothing of them where there are none."""

from lineage.evidence.report import report
from schemas.tables import CERTIFICATES, DECISIONS


def put(lake, table, rows):
    handle = lake.table(table)
    handle.append([handle.write(rows, {"delivery": "hospital-1"})])


def certificate(series, faces):
    return {
        "series": series, "policy": "c" * 64, "policy_name": "safe_harbor", "policy_version": 1, "edition": "2026d",
        "code_version": "0.1.0", "instances": 1, "elements": 9, "faces": faces, "burned_in": "none found",
        "values_looked_for": 41, "bytes_read": 1000, "document": "{}", "digest": "d" * 64,
    }  # fmt: skip


def decision(series):
    return {
        "series": series, "element": "(0010,0010)", "rule": "names", "reason": "r", "action": "X", "kind": "name",
        "count": 1, "policy": "c" * 64,
    }  # fmt: skip


def test_certificates_are_summed_by_delivery(lake):
    put(lake, DECISIONS, [decision("1.1"), decision("1.2")])
    assert "Series certified" not in report(lake)
    put(lake, CERTIFICATES, [certificate("1.1", "removed"), certificate("1.2", "exempt"), certificate("1.3", "exempt")])
    html = report(lake)
    assert "Series certified" in html
    assert "removed 1" in html
    assert "exempt 2" in html
    assert "none found 3" in html
