"""Documents of terms: what they must say, which kind is read as what, and digests that outlive new fields."""

from pathlib import Path

import pytest

from schemas.agreement import parsed, read
from schemas.document import DocumentError
from schemas.licence import Licence
from schemas.roles import Roles
from tests.lineage.terms.documents import document

OLD = {
    "id": "example", "title": "Example", "licensor": "Consortium", "valid_from": "2020-01-01",
    "purposes": ["research"], "train_models": True,
}  # fmt: skip


def test_a_document_without_a_kind_is_a_licence_with_the_digest_that_it_always_had():
    licence = parsed(OLD, "example")
    assert isinstance(licence, Licence)
    # as digested before there were other kinds and fields
    assert licence.digest == "781a4c8626ddf41769dcd1aacc86cca73cb83025f0658fdfad239f9af673d551"
    assert licence.model_copy(update={"requires": ["dua"]}).digest != licence.digest


def test_a_document_is_what_it_was_after_it_is_written_and_read(tmp_path):
    for number, kind in enumerate(("licence", "data-use-agreement", "ethics-approval", "expert-determination")):
        given = document(f"d{number}", kind, contact="office@example.org")
        given.write(tmp_path / "d.yaml")
        assert read(tmp_path / "d.yaml") == given
    form = document("form", "consent", subjects=["S1"], withdrawn=["S2"], at_end="destroy", territory=["DE"])
    form.write(tmp_path / "d.yaml")
    assert read(tmp_path / "d.yaml") == form


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (OLD | {"kind": "promise"}, "found another kind of document, needed one of licence, data-use-agreement"),
        (OLD | {"teritory": ["DE"]}, "teritory"),
        (OLD | {"territory": ["Germany"]}, "two capital letters"),
        (OLD | {"id": "consent"}, "found an id that is the name of a kind"),
        (OLD | {"valid_until": "2019-01-01"}, "valid_until before valid_from"),
        (OLD | {"purposes": []}, "purposes"),
        (OLD | {"kind": "consent", "subjects": ["S1"], "withdrawn": ["S1"]}, "needed each in one of them"),
        (["a list"], "example"),
    ],
)
def test_a_wrong_document_says_what_is_needed(content, said):
    with pytest.raises(DocumentError, match=said):
        parsed(content, "example")


def test_a_file_that_is_none_says_so(tmp_path):
    with pytest.raises(DocumentError, match="found no file"):
        read(tmp_path / "missing.yaml")
    (tmp_path / "broken.yaml").write_text("{")
    with pytest.raises(DocumentError, match="no valid YAML"):
        read(tmp_path / "broken.yaml")


def test_the_last_day_is_the_earlier_of_end_and_revocation():
    ends = document("d", valid_until="2026-12-31", revoked="2026-05-01")
    assert str(ends.last_day) == "2026-04-30"
    assert document("d", valid_until=None).last_day is None


def test_roles_give_nothing_that_they_do_not_say():
    roles = Roles.model_validate({"roles": {"reader": {"members": ["*@example.org"], "zones": ["curated"]}}})
    assert roles.allows("a@example.org", "curated")
    assert not roles.allows("a@example.org", "restricted")
    assert not roles.allows("a@example.com", "curated")
    assert not roles.approves("a@example.org")


def test_examples_are_valid_documents():
    folder = Path(__file__).parent.parent.parent / "docs" / "examples"
    kinds = {name: read(folder / f"{name}.yaml").kind for name in ("data-use-agreement", "consent", "determination")}
    assert kinds == {
        "data-use-agreement": "data-use-agreement", "consent": "consent", "determination": "expert-determination",
    }  # fmt: skip
    assert Roles.read(folder / "roles.yaml").approves("officer@example.org")
