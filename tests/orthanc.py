"""A real Orthanc on the loopback: an archive with DICOMweb that wants a token, and that sends by C-STORE."""

import contextlib
import json
import shutil
import socket
import subprocess
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest

PROGRAM, PLUGINS = "/usr/sbin/Orthanc", Path("/usr/share/orthanc/plugins")
TOKEN = "a-token-for-tests"


def free_port():
    with contextlib.closing(socket.socket()) as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


class Orthanc:
    """A running server."""

    def __init__(self, folder, token=TOKEN, **settings):
        if not shutil.which(PROGRAM) or not list(PLUGINS.glob("*DicomWeb*")):
            pytest.skip("found no Orthanc with DICOMweb, needed the Debian packages orthanc and orthanc-dicomweb")
        self.port, self.dicom_port, self.token = free_port(), free_port(), token
        folder.mkdir(parents=True, exist_ok=True)
        guard = folder / "guard.lua"
        guard.write_text(
            "function IncomingHttpRequestFilter(method, uri, ip, username, httpHeaders)\n"
            f"  return httpHeaders['authorization'] == 'Bearer {token}'\nend\n"
        )
        config = {
            "Name": "test", "HttpPort": self.port, "DicomPort": self.dicom_port, "DicomAet": "ORTHANC",
            "StorageDirectory": str(folder / "storage"), "IndexDirectory": str(folder / "storage"),
            "RemoteAccessAllowed": False, "AuthenticationEnabled": False, "DicomCheckCalledAet": False,
            "Plugins": [str(next(PLUGINS.glob("*DicomWeb*")))], "LuaScripts": [str(guard)],
            "DicomWeb": {"Enable": True, "Root": "/dicom-web/"}, "HttpServerEnabled": True,
            "OverwriteInstances": True, "StableAge": 1, "DicomModalitiesInDatabase": False, **settings,
        }  # fmt: skip
        path = folder / "orthanc.json"
        path.write_text(json.dumps(config))
        self._log = (folder / "log.txt").open("wb")
        self._process = subprocess.Popen([PROGRAM, str(path)], stdout=self._log, stderr=self._log, cwd=folder)
        self._wait()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}/dicom-web"

    def rest(self, path, data=None, method=None):
        """An answer of its own interface."""
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}{path}", data=data, method=method)
        request.add_header("Authorization", f"Bearer {self.token}")
        with urllib.request.urlopen(request, timeout=60) as answer:
            body = answer.read()
        return json.loads(body) if body else None

    def put(self, *files):
        """Store DICOM files."""
        for file in files:
            self.rest("/instances", file if isinstance(file, bytes) else Path(file).read_bytes(), "POST")

    def clear(self):
        for patient in self.rest("/patients"):
            self.rest(f"/patients/{patient}", method="DELETE")

    def close(self):
        self._process.terminate()
        self._process.wait(30)
        self._log.close()

    def _wait(self):
        for _ in range(300):
            with contextlib.suppress(urllib.error.URLError, ConnectionError):
                self.rest("/system")
                return
            if self._process.poll() is not None:
                break
            time.sleep(0.1)
        self.close()
        pytest.fail("Orthanc did not start")
