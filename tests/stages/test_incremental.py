"""However a study comes, split, resent, corrected, in any order: one truth, all versions kept, nothing done twice."""

import datetime as dt
import hashlib
import io
import random

import numpy as np
import pytest
from pydicom import dcmread

from imaging.phantom import BodyPart, PhantomConfig, generate
from lake.tables.table import LakeTable
from lake.voxels import payload
from lake.voxels.volumes import Volumes
from lake.zones import Lake
from schemas.delivery import MANIFEST_NAME, Delivery
from schemas.release import ReleaseSpec, Splits
from schemas.tables import COPIES, IDENTIFIERS, INSTANCES, LABELS, RECEIVED, SERIES, VOLUMES
from stages import received as received_station
from stages.export.media import write as write_media
from stages.instances import deidentify
from stages.received import receive
from stages.release import freeze
from stages.second_look.canaries import Flight
from stages.series import describe
from stages.standing import counting_volumes, standing
from stages.upkeep.reconcile import balance, volume_balance
from stages.versions import astray, leaning, neighbours, version_of
from stages.volumes import normalize
from tests.stages.intake.test_intake import known, licence

pytestmark = pytest.mark.usefixtures("no_faces", "no_canaries")


@pytest.fixture
def no_canaries(monkeypatch):
    """Nobody plants canaries, which takes most of the time of a small delivery, in stations of this process."""
    monkeypatch.setattr(Flight, "fly", lambda *_: None)


@pytest.fixture(scope="module")
def originals(tmp_path_factory):
    """Files of two series of one study: SOP Instance UID to bytes."""
    folder = tmp_path_factory.mktemp("originals")
    config = PhantomConfig(
        "p", seed=11, subjects=1, matrix=32, slices=8, labelled=0.0, faults=False, body_parts=(BodyPart.KNEE,)
    )
    generate(folder / "p", folder / "answers", config)
    found = {}
    for path in sorted((folder / "p").rglob("*")):
        data = path.read_bytes() if path.is_file() else b""
        if data[128:132] == b"DICM" and path.name != "DICOMDIR":
            one = dcmread(io.BytesIO(data), stop_before_pixels=True)
            if one.get("ImagePositionPatient"):
                found.setdefault(str(one.SeriesInstanceUID), {})[str(one.SOPInstanceUID)] = data
    small = sorted(found.values(), key=len)[:2]
    return {uid: data for series in small for uid, data in series.items()}


def corrected(data, by=1, **elements):
    """A file with other pixels under the same SOP Instance UID."""
    one = dcmread(io.BytesIO(data))
    pixels = bytearray(one.PixelData)
    pixels[:2] = (int.from_bytes(pixels[:2], "little") ^ by).to_bytes(2, "little")
    one.PixelData = bytes(pixels)
    for name, value in elements.items():
        setattr(one, name, value)
    return saved(one)


def saved(one):
    written = io.BytesIO()
    one.save_as(written)
    return written.getvalue()


def land(lake, name, files, day=1, terms="l"):
    """A delivery of some files, received on a day."""
    folder = lake.landing / name
    folder.mkdir(parents=True, exist_ok=True)
    for data in files:
        (folder / f"{hashlib.sha256(data).hexdigest()[:16]}.dcm").write_bytes(data)
    Delivery(
        name=name, licensor=f"{terms}-licensor", licence=terms, received=dt.date(2026, 1, day),
        arrived=dt.datetime(2026, 1, day, tzinfo=dt.UTC),
    ).write(folder / MANIFEST_NAME)  # fmt: skip


def run(lake, name):
    outcome = receive(lake, name)
    deidentify(lake, name)
    normalize(lake, name)
    describe(lake, name)
    assert balance(lake, name).balanced
    assert volume_balance(lake, name).balanced
    return outcome


@pytest.fixture
def fresh(tmp_path):
    """A function that gives an empty lake with two licences."""

    def make(name):
        lake = Lake.open(tmp_path / name, workers=1)
        for terms in ("l", "m"):
            known(lake, licence(id=terms, licensor=f"{terms}-licensor"))
        return lake

    return make


def counting(lake):
    """Volumes that count: their voxels, grid and number of instances, in any order."""
    table = lake.table(VOLUMES).read([c.name for c in VOLUMES.columns if c.name not in ("voxels", "preview")])
    rows, behind = counting_volumes(lake, table)
    assert behind == 0
    volumes = Volumes(lake, VOLUMES)
    return sorted(
        (hashlib.sha256(volumes.array(row["volume"]).tobytes()).hexdigest(), row["affine"], row["instances"])
        for row in rows.to_pylist()
    )


def alone(fresh, files):
    """What counts if these files came at once."""
    lake = fresh("reference")
    land(lake, "all", files)
    run(lake, "all")
    return counting(lake)


@pytest.mark.parametrize("seed", range(3))
def test_random_splits_orders_and_resends_give_one_truth(fresh, originals, seed):
    chance = random.Random(seed)
    uids = sorted(originals)
    versions = {uid: [originals[uid]] for uid in uids}
    for uid in chance.sample(uids, 3):
        versions[uid].append(corrected(originals[uid]))
    parts = chance.randint(2, 3)
    sent = {f"part-{n}": [] for n in range(parts)}
    for uid in uids:
        sent[f"part-{chance.randrange(parts)}"].append(versions[uid][0])
    # received later: corrections, and a resend of some of everything that came before
    sent["corrections"] = [found[1] for found in versions.values() if len(found) > 1]
    earlier = [data for found in versions.values() for data in found]
    sent["resend"] = [*chance.sample([originals[uid] for uid in uids], 5), chance.choice(sent["corrections"])]
    days = {name: day for day, name in enumerate(sent, 1)}
    lake = fresh("lake")
    for name in sorted(sent, key=lambda _: chance.random()):
        files = sent[name]
        if files:
            # one version of an instance a delivery: two would be held, and a person asked
            land(lake, name, {dcm_uid(data): data for data in files}.values(), days[name])
            run(lake, name)
    kept = [row for row in lake.table(RECEIVED).rows() if row["outcome"] == "kept"]
    assert len({row["version"] for row in kept}) == len(kept) == len({version(data) for data in earlier})
    assert counting(lake) == alone(fresh, [found[-1] for found in versions.values()])
    # whoever runs something again changes nothing
    for name in chance.sample(sorted(sent), 2):
        if sent[name]:
            run(lake, name)
    assert counting(lake) == alone(fresh, [found[-1] for found in versions.values()])


def dcm_uid(data):
    return str(dcmread(io.BytesIO(data), stop_before_pixels=True).SOPInstanceUID)


def version(data):
    syntax = str(dcmread(io.BytesIO(data), stop_before_pixels=True).file_meta.TransferSyntaxUID)
    return version_of(data, "", syntax)


def truth_rows(lake, table, columns):
    return sorted(tuple(str(row[name]) for name in columns) for row in lake.table(table).rows())


def test_a_delivery_that_grew_is_as_if_it_had_come_at_once(fresh, originals):
    files = list(originals.values())
    grown, whole = fresh("grown"), fresh("whole")
    land(grown, "a", files[:-2])
    run(grown, "a")
    land(grown, "a", files[-2:])
    run(grown, "a")
    land(whole, "a", files)
    run(whole, "a")
    columns = ("path", "sha256", "version", "outcome", "sop_uid", "moment")
    assert truth_rows(grown, RECEIVED, columns) == truth_rows(whole, RECEIVED, columns)
    assert counting(grown) == counting(whole)
    assert len(counting(grown)) == len(grown.table(VOLUMES).rows(["volume"]))


def test_a_late_slice_joins_its_series_and_only_that(fresh, originals):
    files = list(originals.values())
    lake = fresh("lake")
    land(lake, "a", files[:-1])
    run(lake, "a")
    land(lake, "b", files[-1:], 2)
    run(lake, "b")
    assert len({row["series"] for row in lake.table(SERIES).rows(["delivery", "series"], {"delivery": "b"})}) == 1
    (made,) = lake.table(VOLUMES).rows(["source_deliveries", "sources"], {"delivery": "b"})
    assert sorted(set(made["source_deliveries"])) == ["a", "b"]
    assert made["source_deliveries"].count("b") == 1
    assert len(lake.table(INSTANCES).rows(["instance"], {"delivery": "b"})) == 1
    assert counting(lake) == alone(fresh, files)


def test_bytes_that_another_delivery_keeps_are_named_and_not_treated_again(fresh, originals):
    files, lake = list(originals.values()), fresh("lake")
    land(lake, "a", files)
    run(lake, "a")
    land(lake, "b", files[:3], 2, terms="m")
    outcome = run(lake, "b")
    assert (outcome.kept, outcome.duplicates, outcome.details["kept_by_other_deliveries"]) == (0, 3, 3)
    rows = lake.table(RECEIVED).rows(None, {"delivery": "b"})
    paths = {row["path"] for row in lake.table(RECEIVED).rows(None, {"delivery": "a"})}
    assert all(row["duplicate_in"] == "a" and row["duplicate_of"] in paths for row in rows)
    assert lake.table(INSTANCES).rows(["instance"], {"delivery": "b"}) == []
    # both licences are known of it, under the names that it is kept by
    copies = lake.table(COPIES).rows()
    assert {(row["licence"], row["kept_in"]) for row in copies} == {("m", "a")}
    assert {row["instance"] for row in copies} <= {row["instance"] for row in lake.table(INSTANCES).rows(["instance"])}


def test_a_file_that_only_its_header_tells_apart_is_the_same(fresh, originals):
    data = next(iter(originals.values()))
    other = dcmread(io.BytesIO(data))
    other.file_meta.SourceApplicationEntityTitle = "PACS"
    lake = fresh("lake")
    land(lake, "a", [data])
    land(lake, "b", [saved(other)], 2)
    assert saved(other) != data
    assert (receive(lake, "a").kept, receive(lake, "b").duplicates) == (1, 1)


def test_a_correction_by_another_licensor_counts_once_and_both_versions_stay(fresh, originals):
    files = list(originals.values())
    changed = [corrected(data, 2, PatientID="SOMEBODY-ELSE") for data in files]
    lake = fresh("lake")
    land(lake, "a", files)
    land(lake, "b", changed, 2, terms="m")
    for name in ("b", "a"):
        run(lake, name)
    assert counting(lake) == alone(fresh, changed)
    assert len(lake.table(INSTANCES).rows(["instance"])) == 2 * len(files)
    now = standing(lake)
    assert sum(row["counts"] for row in now.rows) == len(files)
    assert {row["delivery"] for row in now.rows if row["counts"]} == {"b"}


def test_known_bytes_that_come_again_do_not_undo_a_correction(fresh, originals):
    files = list(originals.values())
    changed = [corrected(files[0]), *files[1:]]
    lake = fresh("lake")
    for day, (name, sent) in enumerate({"a": files, "b": changed[:1], "c": files[:1]}.items(), 1):
        land(lake, name, sent, day)
        run(lake, name)
    assert counting(lake) == alone(fresh, changed)


def withdraw(lake, name):
    for table in (RECEIVED, IDENTIFIERS, INSTANCES, COPIES, VOLUMES, SERIES):
        lake.table(table).replace({"delivery": name}, [])
    for path in (lake.landing / name).iterdir():
        path.unlink()


def test_what_leaned_on_a_withdrawn_delivery_is_told_and_stands_alone_after(fresh, originals):
    files, lake = list(originals.values()), fresh("lake")
    for day, (name, sent) in enumerate({"a": files, "b": files[:3]}.items(), 1):
        land(lake, name, sent, day)
        run(lake, name)
    assert leaning(lake, "a") == []
    others = neighbours(lake, "a")
    withdraw(lake, "a")
    assert leaning(lake, "a", others) == ["b"]
    assert astray(lake, "b") == 3
    assert counting(lake) == []
    run(lake, "b")
    assert (astray(lake, "b"), leaning(lake, "a", others)) == (0, [])
    assert counting(lake) == alone(fresh, files[:3])


def test_a_volume_that_holds_something_withdrawn_stands_in_for_none(fresh, originals):
    files, lake = list(originals.values()), fresh("lake")
    land(lake, "a", files[:-1])
    land(lake, "b", files[-1:], 2)
    for name in ("a", "b"):
        run(lake, name)
    withdraw(lake, "a")
    columns = [c.name for c in VOLUMES.columns if c.name not in ("voxels", "preview")]
    rows, behind = counting_volumes(lake, lake.table(VOLUMES).read(columns))
    assert (rows.num_rows, behind) == (0, 1)
    run(lake, "b")
    assert counting(lake) == alone(fresh, files[-1:])


def test_a_file_that_its_keeper_lost_is_told_when_the_keeper_runs_again(fresh, originals):
    files, lake = list(originals.values()), fresh("lake")
    land(lake, "a", files)
    land(lake, "b", files[:1], 2)
    run(lake, "a")
    run(lake, "b")
    (lake.landing / "a" / f"{hashlib.sha256(files[0]).hexdigest()[:16]}.dcm").unlink()
    assert run(lake, "a").details["deliveries_to_run_again"] == "b"
    assert run(lake, "b").kept == 1
    assert "deliveries_to_run_again" not in run(lake, "a").details
    assert counting(lake) == alone(fresh, files)


def test_two_deliveries_at_once_both_keep_a_file_that_counts_once_and_never_lose_it(fresh, originals, monkeypatch):
    files, lake = list(originals.values()), fresh("lake")
    for day, name in enumerate(("a", "b"), 1):
        land(lake, name, files, day)
    with monkeypatch.context() as blind:
        # neither has committed when the other looks
        blind.setattr(received_station, "neighbours", lambda *_: [])
        receive(lake, "a")
        receive(lake, "b")
    for name in ("b", "a"):
        deidentify(lake, name)
        normalize(lake, name)
        describe(lake, name)
    assert counting(lake) == alone(fresh, files)
    # both are received again, each as it was before the other: the earlier goes on keeping, the later leaves it
    assert receive(lake, "a").kept == len(files)
    assert receive(lake, "b").duplicates == len(files)
    assert receive(lake, "a").kept == len(files)


def test_a_release_takes_what_counts_under_every_licence_and_gives_back_the_right_files(fresh, originals, tmp_path):
    files = list(originals.values())
    changed = corrected(files[0])
    lake = fresh("lake")
    for day, (name, sent, terms) in enumerate([("a", files, "l"), ("b", [changed], "l"), ("c", files[1:2], "m")], 1):
        land(lake, name, sent, day, terms)
        run(lake, name)
    spec = ReleaseSpec(name="r", purpose="research", splits=Splits(train=1.0))
    release = freeze(lake, spec)
    members = release.members("train")
    assert len(members) == len(alone(fresh, files))
    assert sorted(release.manifest.licences) == ["l", "m"]
    assert {member.delivery for member in members} == {"a", "b"}
    write_media(lake, release, members, tmp_path / "out", lambda _: None)
    out = [dcmread(path) for path in (tmp_path / "out").rglob("IM*") if path.is_file()]
    assert len(out) == len(files)
    pixels = {hashlib.sha256(one.PixelData).hexdigest() for one in out}
    wanted = {hashlib.sha256(dcmread(io.BytesIO(data)).PixelData).hexdigest() for data in [changed, *files[1:]]}
    assert pixels == wanted


def test_a_label_stays_with_its_voxels_when_a_later_delivery_makes_their_volume(fresh, originals):
    files, lake = list(originals.values()), fresh("lake")
    # a correction that leaves the voxels as they were
    renamed = dcmread(io.BytesIO(files[0]))
    renamed.SeriesDescription = "corrected"
    land(lake, "a", files)
    run(lake, "a")
    received = lake.table(RECEIVED).rows(["series", "sop_uid"])
    series = next(row["series"] for row in received if row["sop_uid"] == renamed.SOPInstanceUID)
    drawn = next(row for row in lake.table(VOLUMES).rows() if row["series"] == series)
    draw(lake, drawn)
    for name, sent in (("b", [saved(renamed)]), ("c", [corrected(files[0], 4)])):
        land(lake, name, sent, 2 if name == "b" else 3)
        run(lake, name)
        spec = ReleaseSpec(name=name, purpose="research", splits=Splits(train=1.0), label_task="knee")
        members = freeze(lake, spec).members("train")
        labels = {member.label for member in members if member.series == series}
        assert labels == ({"one"} if name == "b" else {None})


def draw(lake, volume):
    """A label map of nothing on a volume."""
    shape = volume["shape"][:3]
    row = {name: volume[name] for name in ("subject", "study", "series", "volume", "licence")}
    frame = payload.encode(np.zeros(shape, np.uint8))
    row |= {"label": "one", "task": "knee", "shape": shape, "affine": volume["affine"], "voxels": frame}
    row |= {
        column.name: _nothing(column) for column in LABELS.columns if column.name not in row and not column.nullable
    }
    row |= {"voxels_bytes": len(frame)}
    row.pop("delivery", None)
    lake.table(LABELS).replace({"delivery": "a"}, [lake.table(LABELS).write([row], {"delivery": "a"})])


def _nothing(column):
    return {"string": "{}", "int64": 0, "double": 0.0}.get(str(column.type), [])


def test_a_delivery_reads_those_that_share_a_study_and_no_other(fresh, originals, monkeypatch):
    files, lake = list(originals.values()), fresh("lake")
    table = lake.table(RECEIVED)
    land(lake, "a", files[:2])
    receive(lake, "a")
    (row, _) = table.rows()
    for number in range(30):
        other = row | {"study_uid": f"1.2.{number}", "delivery": f"other-{number}"}
        table.replace({"delivery": f"other-{number}"}, [table.write([other], {"delivery": f"other-{number}"})])
    land(lake, "b", files, 2)
    read, asked = LakeTable.read, []

    def watching(self, columns=None, partition=None, version=None):
        if self.contract.name == RECEIVED.name:
            asked.append((partition or {}).get("delivery"))
        return read(self, columns, partition, version)

    monkeypatch.setattr(LakeTable, "read", watching)
    assert receive(lake, "b").duplicates == 2
    assert set(asked) == {"a", "b"}
