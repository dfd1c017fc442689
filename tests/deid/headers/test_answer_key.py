"""The answer key: nothing that identifies is left, everything that research needs is, and identity holds over files."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.larmor import Cleaning
from benchmarks.traps.cohort import PEOPLE, cohort, judge
from benchmarks.traps.key import answer_key
from benchmarks.traps.research import lost
from benchmarks.traps.search import leaks

ROOT = Path(__file__).parents[3]
POLICIES = ("safe_harbor", "expert_determination", "limited_data_set")
PIXELS = "safe_harbor"
FILES = 6
"""Of each person of the cohort."""
KEPT_DATES = (
    "StudyDate",
    "SeriesDate",
    "AcquisitionDate",
    "ContentDate",
    "AcquisitionDateTime",
    "FrameAcquisitionDateTime",
    "StudyDate, 4 deep",
    "DATE",
    "DATETIME",
    "verification",
)
"""What the limited data set keeps."""


@pytest.fixture(scope="module")
def key():
    return answer_key()


@pytest.fixture(scope="module")
def family():
    return cohort()


@pytest.fixture(scope="module")
def vault(tmp_path_factory):
    return tmp_path_factory.mktemp("vault")


@pytest.fixture(scope="module")
def outcomes(key, vault):
    """What each policy makes of the key, files and refusals; pixels are looked at once, because that takes seconds."""
    return {
        policy: Cleaning(vault, policy, recorded=False, pixels=policy == PIXELS).work(key.files) for policy in POLICIES
    }


def said(tokens):
    """Where tokens are, without their values."""
    return sorted(f"{token.file}: {token.category}: {token.carrier}" for token in tokens)


def test_the_key_holds_what_it_says(key):
    assert len({token.needles for token in key.tokens}) == len(key.tokens) >= 300
    assert len(key.expected) >= 60
    assert said(set(key.tokens) - set(leaks(key.tokens, key.files))) == []
    assert lost(key.expected, key.files) == []


def test_a_token_is_found_in_its_own_file_only(key):
    names = list(key.files)
    others = dict(zip(names, [*names[1:], names[0]], strict=True))
    exchanged = {name: key.files[other] for name, other in others.items()}
    assert said(leaks(key.tokens, exchanged)) == []


@pytest.mark.parametrize("policy", POLICIES)
def test_no_identifier_is_left(key, outcomes, policy):
    outputs, _ = outcomes[policy]
    left = leaks(key.tokens, outputs)
    if policy != PIXELS:
        left = [token for token in left if token.carrier != "overlay in unused bits"]
    if policy == "limited_data_set":
        left = [token for token in left if not _is_kept_date(token)]
    assert said(left) == []


def _is_kept_date(token):
    """Whether a policy that keeps dates keeps this one: dates of examinations, not of birth, and none in text."""
    return token.carrier in KEPT_DATES


@pytest.mark.parametrize("policy", POLICIES)
def test_research_keeps_what_it_needs(key, outcomes, policy):
    outputs, _ = outcomes[policy]
    gone = lost(key.expected, outputs)
    assert len(gone) <= 0.02 * len(key.expected), sorted(f"{each.file}: {each.name}" for each in gone)


def test_facts_that_only_a_vendor_blob_holds_leave_as_elements(key, outcomes):
    gone = lost(key.derived, outcomes["safe_harbor"][0])
    assert key.derived and [each.name for each in gone] == []


def test_only_what_cannot_be_cleaned_is_refused(key, outcomes):
    outputs, reasons = outcomes["safe_harbor"]
    assert set(key.files) - set(outputs) <= {"encapsulated PDF", "DICOMDIR", "MR, behind the dataset"}
    assert set(reasons) <= {"document_not_cleanable", "not_an_image", "truncated"}


def test_identity_holds_over_files(family, vault):
    outputs, _ = Cleaning(vault, "expert_determination", recorded=False, pixels=False).work(family.files)
    assert judge(family, outputs) == dict.fromkeys(judge(family, outputs), True)


@settings(max_examples=8, deadline=None)
@given(data=st.data())
def test_neither_order_nor_company_changes_a_file(data, family, vault):
    """The same bytes whichever files came before, and whether a patient's files came at once or study by study."""
    whole, _ = _cleaned(family.files, vault)
    names = data.draw(st.permutations(sorted(family.files)))
    cut = data.draw(st.integers(0, len(names)))
    parts: dict[str, bytes] = {}
    for chosen in (names[:cut], names[cut:]):
        parts |= _cleaned({name: family.files[name] for name in chosen}, vault)[0]
    assert parts == whole


@settings(max_examples=6, deadline=None)
@given(seed=st.integers(0, 2**16), policy=st.sampled_from(POLICIES))
def test_identity_holds_for_any_cohort_and_policy(seed, policy, vault):
    known = cohort(seed)
    outputs, _ = Cleaning(vault, policy, recorded=False, pixels=False).work(known.files)
    verdict = judge(known, outputs)
    if policy != "expert_determination":
        verdict.pop("interval")
    assert all(verdict.values()), verdict


def test_another_process_gives_the_same_bytes(family, vault, tmp_path):
    folder, target = tmp_path / "files", tmp_path / "out"
    folder.mkdir(), target.mkdir()
    for name, content in family.files.items():
        (folder / name).write_bytes(content)
    (tmp_path / "vault").symlink_to(vault)
    command = [sys.executable, ROOT / "benchmarks" / "runner.py", "larmor-headers", folder]
    wish = json.dumps({"to": str(target), "reverse": True}) + "\n"
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONHASHSEED": "7"}
    subprocess.run(command, input=wish, text=True, check=True, capture_output=True, env=environment, timeout=120)
    there = {path.name: path.read_bytes() for path in target.iterdir()}
    assert there == _cleaned(family.files, vault)[0]


def test_two_vaults_give_unrelated_people(family, vault, tmp_path):
    ours, _ = _cleaned(family.files, vault)
    theirs, _ = _cleaned(family.files, tmp_path / "other")
    assert all(judge(family, theirs).values())
    assert not any(ours[name] == theirs[name] for name in family.files)
    assert len(ours) == len(PEOPLE) * FILES


def _cleaned(files, vault):
    return Cleaning(vault, "expert_determination", recorded=False, pixels=False).work(files)
