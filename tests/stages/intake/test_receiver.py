"""What a PACS sends by C-STORE is in landing once its sender was told so: whole, as sent, from those who may send."""

import contextlib
import datetime as dt
import io
import shutil
import signal
import subprocess
import sys
import threading
import time

import pytest
from pydicom import dcmread
from pydicom.uid import DeflatedExplicitVRLittleEndian, ImplicitVRLittleEndian, RLELossless
from pynetdicom import AE

from lake.stores.storage import Location
from lineage.terms.refusal import Refusal
from stages.intake.arrival import IntakeError
from stages.intake.landed import delivered, names
from stages.intake.receiver import Listening, Receiver
from stages.received import receive
from tests.orthanc import Orthanc
from tests.stages.intake.test_intake import known, licence
from tests.stages.intake.test_pacs import header, images  # noqa: F401

MR = "1.2.840.10008.5.1.4.1.1.4"
STORESCU = shutil.which("storescu")


@contextlib.contextmanager
def listening(lake, quiet_s=0.0, told=None, senders=("SCANNER",), **changes):
    """A receiver in a thread; its port. At the end it is stopped as a signal would."""
    settings = Listening(0, senders, quiet_s=quiet_s, **changes)
    receiver = Receiver(lake, settings, "sent", known(lake, licence()), (told if told is not None else []).append)
    stop, ready, port = threading.Event(), threading.Event(), []

    def on(number):
        port.append(number)
        ready.set()

    thread = threading.Thread(target=receiver.serve, args=(stop, on))
    thread.start()
    assert ready.wait(30)
    try:
        yield port[0]
    finally:
        stop.set()
        thread.join(60)
        assert not thread.is_alive()


def send(port, files, title="SCANNER", called="LARMOR", between=lambda _: None, tls=None):
    """Send files by pynetdicom; statuses, or None where the association is rejected."""
    entity = AE(title)
    sets = [dcmread(io.BytesIO(data)) for data in files]
    for one in sets:
        entity.add_requested_context(one.SOPClassUID, one.file_meta.TransferSyntaxUID)
    association = entity.associate(
        "127.0.0.1", port, ae_title=called, **({"tls_args": (tls, "localhost")} if tls else {})
    )
    if not association.is_established:
        return None
    statuses = []
    for number, one in enumerate(sets):
        between(number)
        statuses.append(association.send_c_store(one).Status)
    association.release()
    return statuses


def eventually(check):
    for _ in range(300):
        if check():
            return
        time.sleep(0.1)
    pytest.fail("it did not happen")


def contents(lake, name):
    return [lake.landed(name).read_bytes(path) for path in delivered(lake, name)]


def body(data):
    """The data set of a file, as bytes."""
    read = dcmread(io.BytesIO(data))
    return data[data.index(b"DICM") + 4 + 12 + read.file_meta.FileMetaInformationGroupLength :]


def test_each_association_is_a_delivery_of_the_data_sets_as_sent(lake, images):  # noqa: F811
    told = []
    with listening(lake, told=told) as port:
        assert set(send(port, images[:5])) == {0}
        eventually(lambda: len(names(lake)) == 1)
        assert set(send(port, images[5:8])) == {0}
        eventually(lambda: len(names(lake)) == 2)
    first, second = sorted(names(lake), key=lambda name: int(name.rpartition("-")[2]))
    assert {body(data) for data in contents(lake, first)} == {body(data) for data in images[:5]}
    assert len(contents(lake, second)) == 3
    assert receive(lake, first).kept == 5
    uids = [str(header(data).SOPInstanceUID) for data in images]
    assert not [uid for uid in uids for line in [*told, *delivered(lake, first)] if uid in line]


@pytest.mark.skipif(STORESCU is None, reason="found no storescu, needed the Debian package dcmtk")
def test_storescu_sends_in_several_associations_what_becomes_one_delivery(lake, images, tmp_path):  # noqa: F811
    for number, data in enumerate(images[:6]):
        (tmp_path / f"{number}.dcm").write_bytes(data)
    with listening(lake, quiet_s=2.0) as port:
        for part in ([0, 1, 2], [3, 4, 5]):
            files = [tmp_path / f"{number}.dcm" for number in part]
            command = [STORESCU, "-aet", "SCANNER", "-aec", "LARMOR", "127.0.0.1", str(port), *map(str, files)]
            subprocess.run(command, check=True, timeout=60)
        assert names(lake) == []
        eventually(lambda: len(names(lake)) == 1)
    assert len(contents(lake, names(lake)[0])) == 6


def test_orthanc_pushes_what_it_has(lake, images, tmp_path):  # noqa: F811
    orthanc = Orthanc(tmp_path / "orthanc")
    try:
        orthanc.put(*images[:4])
        with listening(lake, senders=("ORTHANC",)) as port:
            orthanc.rest("/modalities/lake", f'["LARMOR", "127.0.0.1", {port}]'.encode(), "PUT")
            for study in orthanc.rest("/studies"):
                orthanc.rest("/modalities/lake/store", study.encode(), "POST")
            eventually(lambda: names(lake))
        assert sum(len(contents(lake, name)) for name in names(lake)) == 4
    finally:
        orthanc.close()


@pytest.mark.parametrize("syntax", [ImplicitVRLittleEndian, DeflatedExplicitVRLittleEndian, RLELossless])
def test_transfer_syntaxes_are_kept(lake, images, syntax):  # noqa: F811
    one = dcmread(io.BytesIO(images[0]))
    if syntax is RLELossless:
        one.compress(syntax, generate_instance_uid=False)
    one.file_meta.TransferSyntaxUID = syntax
    data = io.BytesIO()
    one.save_as(
        data, enforce_file_format=True, implicit_vr=syntax.is_implicit_VR, little_endian=syntax.is_little_endian
    )
    with listening(lake) as port:
        assert send(port, [data.getvalue()]) == [0]
    (found,) = contents(lake, names(lake)[0])
    assert header(found).file_meta.TransferSyntaxUID == syntax
    assert body(found) == body(data.getvalue())


def test_strangers_and_other_names_are_rejected(lake, images):  # noqa: F811
    with listening(lake) as port:
        assert send(port, images[:1], title="STRANGER") is None
        assert send(port, images[:1], called="OTHER") is None
    assert names(lake) == []
    with pytest.raises(IntakeError, match="no sender"):
        Receiver(lake, Listening(0, ()), "sent", known(lake, licence()))


def test_an_object_that_no_station_takes_is_not_agreed_to(lake):
    with listening(lake) as port:
        entity = AE("SCANNER")
        entity.add_requested_context("1.2.840.10008.5.1.4.1.1.2")  # CT
        association = entity.associate("127.0.0.1", port, ae_title="LARMOR")
        assert not association.accepted_contexts
        association.abort()


def test_more_associations_than_allowed_wait(lake, images):  # noqa: F811
    with listening(lake, associations=1) as port:
        rejected = []
        send(port, images[:2], between=lambda number: number and rejected.append(send(port, images[2:3])))
    assert rejected == [None]


def test_a_full_disk_is_answered_and_leaves_nothing_half_written(lake, images, monkeypatch):  # noqa: F811
    told, write = [], Location.write_bytes

    def full(self, name, data, **named):
        if name.endswith(".dcm") and next(numbers) == 1:
            raise OSError(28, "No space left on device")
        write(self, name, data, **named)

    numbers = iter(range(10))
    monkeypatch.setattr(Location, "write_bytes", full)
    with listening(lake, told=told) as port:
        assert send(port, images[:3]) == [0, 0xA700, 0]
    assert len(contents(lake, names(lake)[0])) == 2
    assert any("A700" in line for line in told)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(2**40, 2**40, 0))
    with listening(lake) as port:
        assert send(port, images[:1]) == [0xA700]
    assert len(names(lake)) == 1


def test_two_versions_of_an_instance_are_both_kept_and_the_same_twice_once(lake, images):  # noqa: F811
    changed = dcmread(io.BytesIO(images[0]))
    changed.SeriesDescription = "corrected"
    data = io.BytesIO()
    changed.save_as(data)
    with listening(lake) as port:
        assert send(port, [images[0], images[0], data.getvalue()]) == [0, 0, 0]
    assert len(contents(lake, names(lake)[0])) == 2


def test_what_a_killed_receiver_had_taken_is_landed_by_the_next(lake, images):  # noqa: F811
    left = lake.landing / ".sent-20260101-000000-1.receiving"
    left.mkdir(parents=True)
    (left / "a.dcm").write_bytes(images[0])
    (left / ".b.tmp").write_bytes(b"half")
    (lake.landing / ".sent-20260101-000000-2.receiving").mkdir()
    (lake.landing / ".other-20260101-000000-1.receiving").mkdir()
    with listening(lake):
        pass
    assert names(lake) == ["sent-20260101-000000-1"]
    assert delivered(lake, "sent-20260101-000000-1") == ["a.dcm"]
    assert sorted(path.name for path in lake.landing.glob(".*ing")) == [".other-20260101-000000-1.receiving"]


def test_two_receivers_of_one_name_are_refused(lake):
    with listening(lake), pytest.raises(IntakeError, match="another receiver"):
        Receiver(lake, Listening(0, ("A",)), "sent", known(lake, licence())).serve(threading.Event())


def test_terms_that_ended_are_an_answer_and_no_delivery(lake, images):  # noqa: F811
    with listening(lake) as port:
        known(lake, licence(valid_until=dt.date(2021, 1, 1)))
        assert send(port, images[:1]) in ([0x0124], [0])
    with pytest.raises(Refusal, match="valid_until"):
        Receiver(lake, Listening(0, ("A",)), "sent", known(lake, licence(valid_until=dt.date(2021, 1, 1))))


def test_a_signal_lets_what_runs_finish(lake, images, tmp_path):  # noqa: F811
    known(lake, licence())
    port = free_port()
    command = [sys.executable, "-m", "orchestration.cli", "--root", str(lake.settings.root), "ingest", "--listen"]
    command += [str(port), "--from", "SCANNER", "--licence", "l", "--name", "sent", "--quiet", "60"]
    from tests.orchestration.test_cli import PROJECT

    process = subprocess.Popen(command, cwd=PROJECT, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    line = process.stderr.readline()
    assert f"port {port}" in line, line + process.stderr.read()

    def stopping(number):
        if number == 1:
            process.send_signal(signal.SIGTERM)
            time.sleep(1)

    assert send(port, images[:4], between=stopping) == [0, 0, 0, 0]
    out, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
    assert "1 deliveries with 4 files" in out
    assert len(contents(lake, names(lake)[0])) == 4


def free_port():
    from tests.orthanc import free_port as free

    return free()


def test_tls_is_spoken_where_there_is_a_certificate(lake, images, tmp_path):  # noqa: F811
    import ssl

    certificate, key = certified(tmp_path)
    context = ssl.create_default_context(cafile=certificate)
    with listening(lake, certificate=certificate, key=key) as port:
        assert send(port, images[:2], tls=context) == [0, 0]
        assert send(port, images[:1]) is None
    assert len(contents(lake, names(lake)[0])) == 2
    (tmp_path / "no.pem").write_text("no certificate")
    with pytest.raises(IntakeError, match="fit together"):
        Listening(0, ("A",), certificate=tmp_path / "no.pem").context()


def certified(folder):
    """A certificate for localhost, and its key."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    secret, now = ec.generate_private_key(ec.SECP256R1()), dt.datetime.now(dt.UTC)
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    built = (
        x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(secret.public_key())
        .serial_number(1).not_valid_before(now).not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(secret, hashes.SHA256())
    )  # fmt: skip
    (folder / "cert.pem").write_bytes(built.public_bytes(serialization.Encoding.PEM))
    form = serialization.PrivateFormat.TraditionalOpenSSL
    plain = serialization.NoEncryption()
    (folder / "key.pem").write_bytes(secret.private_bytes(serialization.Encoding.PEM, form, plain))
    return folder / "cert.pem", folder / "key.pem"
