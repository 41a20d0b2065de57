"""A real PACS for tests: Debian's Orthanc on loopback, with a folder and ports of its own, bounded in time."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import time
from pathlib import Path

import pytest
import requests
from ports import free_port

PLUGIN = Path("/usr/share/orthanc/plugins/libOrthancDicomWeb.so")
START_SECONDS = ANSWER_SECONDS = 300
"""For a busy machine; nothing is timed."""


def find_orthanc() -> str:
    """Its executable; skips the test where it is not installed."""
    found = shutil.which("Orthanc") or shutil.which("Orthanc", path="/usr/sbin")
    if not found or not PLUGIN.exists():
        pytest.skip("Orthanc is not installed (Debian: orthanc, orthanc-dicomweb)")
    return found


class Orthanc:
    """One server; ``kill`` and ``start`` again keep what it has stored.

    Args:
        modalities: name -> (AE title, port) of those on this machine that it may talk to.
        settings: more of its configuration.
    """

    def __init__(self, folder: Path, modalities: dict[str, tuple[str, int]], **settings):
        self._program = find_orthanc()
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self.http_port, self.dicom_port = free_port(), free_port()
        self.target = f"ORTHANC@127.0.0.1:{self.dicom_port}"
        self.web = f"http://127.0.0.1:{self.http_port}/dicom-web"
        self._rest = f"http://127.0.0.1:{self.http_port}"
        self._process: subprocess.Popen | None = None
        configuration = {
            "Name": "test",
            "StorageDirectory": str(folder / "storage"),
            "IndexDirectory": str(folder / "storage"),
            "Plugins": [str(PLUGIN)],
            "HttpPort": self.http_port,
            "RemoteAccessAllowed": False,
            "AuthenticationEnabled": False,
            "DicomAet": "ORTHANC",
            "DicomPort": self.dicom_port,
            "DicomCheckCalledAet": True,
            # Orthanc binds its DICOM port to all interfaces: it answers the modalities below only, at their addresses.
            "DicomCheckModalityHost": True,
            "DicomAlwaysAllowEcho": False,
            "DicomAlwaysAllowStore": False,
            "DicomModalities": {
                name: {"AET": aet, "Host": "127.0.0.1", "Port": port, "Timeout": 60}
                for name, (aet, port) in modalities.items()
            },
            "DicomScuTimeout": 60,
            "HttpThreadsCount": 4,
            "ConcurrentJobs": 1,
            "OverwriteInstances": False,
            "DicomWeb": {"Enable": True, "Root": "/dicom-web/"},
            **settings,
        }
        (folder / "orthanc.json").write_text(json.dumps(configuration), encoding="utf-8")

    def start(self) -> None:
        with (self._folder / "orthanc.log").open("ab") as log:
            self._process = subprocess.Popen(
                [self._program, str(self._folder / "orthanc.json")],
                stdout=log,
                stderr=log,
                env={**os.environ, "LANG": "C"},
            )
        end = time.monotonic() + START_SECONDS
        while time.monotonic() < end:
            if self._process.poll() is not None:
                break
            try:
                self.get("/system")
                return
            except requests.RequestException:
                time.sleep(0.1)
        self.stop()
        pytest.fail(f"Orthanc did not start: {(self._folder / 'orthanc.log').read_text()[-2000:]}")

    def kill(self) -> None:
        """As a power cut would."""
        self._process.kill()
        self._process.wait(20)
        self._process = None

    def stop(self) -> None:
        if self._process is not None:
            self._process.terminate()
            try:
                self._process.wait(20)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait(20)
            self._process = None

    # --- REST

    def get(self, path: str):
        answer = requests.get(self._rest + path, timeout=ANSWER_SECONDS)
        answer.raise_for_status()
        return answer.json()

    def post(self, path: str, body) -> dict:
        answer = requests.post(
            self._rest + path, data=body if isinstance(body, bytes) else json.dumps(body), timeout=ANSWER_SECONDS
        )
        answer.raise_for_status()
        return answer.json()

    def put_files(self, folder: Path) -> None:
        for file in sorted(folder.rglob("*")):
            if file.is_file():
                self.post("/instances", file.read_bytes())

    def series(self) -> list[dict]:
        """Main tags and number of instances of every series."""
        found = [self.get(f"/series/{one}") for one in self.get("/series")]
        return [{**one["MainDicomTags"], "id": one["ID"], "count": len(one["Instances"])} for one in found]

    def count(self, modality: str) -> int:
        """Instances of a modality."""
        return sum(one["count"] for one in self.series() if one.get("Modality") == modality)

    def send_series(self, uid: str, to: str, asynchronous: bool = False) -> dict:
        """C-STORE of a series to a modality; the finished job, or the running one's number."""
        (orthanc_id,) = (one["id"] for one in self.series() if one["SeriesInstanceUID"] == uid)
        return self.post(f"/modalities/{to}/store", {"Resources": [orthanc_id], "Asynchronous": asynchronous})
