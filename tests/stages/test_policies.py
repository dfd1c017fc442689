"""A policy that comes into use is told once, and can be read years later as it was."""

import hashlib
import json

from deid.policy import load_policy
from lineage.ledger import ledger
from schemas.contract import Zone
from schemas.policy import Policy
from stages.policies import FOLDER, told


def test_a_policy_is_told_when_it_comes_into_use_and_again_when_it_changes(lake):
    policy = load_policy("safe_harbor")
    changed = policy.model_copy(update={"age_cap": 79, "version": policy.version + 1})
    for each in (policy, policy, changed, policy):
        told(lake, each)
    facts = [json.loads(entry["event"])["facts"] for entry in ledger.entries(lake)]
    assert [each["policy_sha256"] for each in facts] == [policy.digest, changed.digest]
    assert facts[0]["policy"] == "safe_harbor"
    kept = lake.location(Zone.AUDIT, FOLDER)
    for each in (policy, changed):
        data = kept.read_bytes(f"{each.digest}.json")
        assert hashlib.sha256(data).hexdigest() == each.digest
        assert Policy.model_validate_json(data) == each
