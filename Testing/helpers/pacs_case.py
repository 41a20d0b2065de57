"""Small head CT series, a measurer that needs no model, and the listener in a process that can be killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from child_path import python_path
from make_scans import make_head, write_dicom

SERIES, STUDY = "1.2.826.0.1.3680043.8.498.77", "1.2.826.0.1.3680043.8.498.70"
PATIENT = {
    "PatientName": "Secretname^Jane", "PatientID": "SECRETID4711", "PatientBirthDate": "19600102", "PatientSex": "F",
    "AccessionNumber": "SECRETACC", "StudyID": "SECRETSTUDY", "StudyDate": "20250304", "StudyTime": "101112",
    "ReferringPhysicianName": "Secretdoctor^X", "StudyDescription": "Secretdescription",
}  # fmt: skip
SECRETS = ("ecret", "ECRET", "4711", "1.2.826", "19600102", "2.25.")
"""Nothing of these may stand in a log: parts of everything above, and of UIDs."""
PATIENCE_SECONDS = 300.0
"""For what happens in a second on a quiet machine; nothing is timed."""

PROGRAM = (
    "import sys, pacs_case\n"
    "pacs_case.install_fake_measurer(sys.argv[1], float(sys.argv[2]))\n"
    "from MidlineShiftLogic.cli.main import main\n"
    "main(['listen', *sys.argv[3:]])\n"
)


def head_series(folder: Path, series: str = SERIES, slices: int = 12, **changes) -> Path:
    """A coarse head as single images; ``changes`` as for ``make_scans.dicom_slice``."""
    head = make_head(n_slices=slices, step=10.0, size=48, pixel=4.5)
    return write_dicom(head, folder, SeriesInstanceUID=series, StudyInstanceUID=STUDY, **{**PATIENT, **changes})


class FakeMeasurer:
    """Three objects a series, with UIDs that never come twice: what is measured again and sent again would show.

    Args:
        journal: file that gets one line at the start and one at the end of each measurement.
        seconds: how long it takes at most; it ends earlier once there is a file ``go`` beside the journal.
    """

    version = "fake 1"

    def __init__(self, journal: Path, seconds: float = 0.0):
        self.journal, self.seconds = Path(journal), seconds

    def measure(self, images: Path, out: Path, stop):
        from MidlineShiftLogic.pacs.measuring import Outcome, Stopped

        self._note("begin")
        end, go = time.monotonic() + self.seconds, self.journal.with_name("go")
        while time.monotonic() < end and not go.exists():
            if stop.wait(0.05):
                raise Stopped
        files = tuple(result_files(images, out))
        self._note("end")
        return Outcome(files)

    def _note(self, word: str) -> None:
        with self.journal.open("a") as journal:
            journal.write(f"{word}\n")


def result_files(images: Path, out: Path) -> list[Path]:
    """A basic text SR and two secondary captures of the study, small but valid enough for an archive."""
    import pydicom
    from pydicom.uid import BasicTextSRStorage, ExplicitVRLittleEndian, SecondaryCaptureImageStorage, generate_uid

    source = pydicom.dcmread(next(iter(sorted(images.iterdir()))), stop_before_pixels=True)
    files = []
    for number, (modality, sop_class) in enumerate(
        [("SR", BasicTextSRStorage), ("OT", SecondaryCaptureImageStorage), ("OT", SecondaryCaptureImageStorage)]
    ):
        dataset = pydicom.Dataset()
        for keyword in ("PatientName", "PatientID", "PatientBirthDate", "PatientSex", "StudyInstanceUID", "StudyDate"):
            dataset[keyword] = source[keyword]
        dataset.SOPClassUID, dataset.SOPInstanceUID = sop_class, generate_uid()
        dataset.SeriesInstanceUID = generate_uid(entropy_srcs=[modality, str(time.time_ns())])
        dataset.Modality, dataset.InstanceNumber = modality, number
        dataset.file_meta = pydicom.dataset.FileMetaDataset()
        dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
        dataset.file_meta.MediaStorageSOPClassUID = sop_class
        dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
        path = out / f"{number}.dcm"
        dataset.save_as(path, enforce_file_format=True)
        files.append(path)
    return files


def install_fake_measurer(journal: str, seconds: float) -> None:
    """Put it in the place of the real one, for ``midlineshift listen`` in this process."""
    from MidlineShiftLogic.pacs import measuring

    measuring.ChildMeasurer = lambda *_: FakeMeasurer(Path(journal), seconds)


class ListenerProcess:
    """``midlineshift listen`` with the fake measurer; started again, it goes on with the same spool and port."""

    def __init__(self, folder: Path, to: str, port: int, *options: str, allow: str = "ORTHANC", seconds: float = 0.0):
        self.spool, self.journal, self.log = folder / "spool", folder / "journal", folder / "log.txt"
        self.port, self._seconds = port, seconds
        self._options = ["--spool", self.spool, "--to", to, "--allow", allow, "--port", port, "--log", self.log]
        self._options += ["--quiet-seconds", "0.5", "--device", "cpu", *options]
        self.process: subprocess.Popen | None = None

    def start(self, seconds: float | None = None) -> None:
        """Run it; returns once it listens. ``seconds`` a measurement takes."""
        seconds = self._seconds if seconds is None else seconds
        command = [sys.executable, "-c", PROGRAM, self.journal, seconds, *self._options]
        self.process = subprocess.Popen(
            [str(part) for part in command],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": python_path()},
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        )
        line = self.process.stdout.readline()
        assert line == f"listening on port {self.port}\n", line + self.process.stderr.read()

    def kill(self) -> None:
        self.process.kill()
        self.process.communicate(timeout=PATIENCE_SECONDS)

    def end(self, sent=signal.SIGTERM) -> int:
        """Ask it to stop; its exit code."""
        self.process.send_signal(sent)
        out, err = self.process.communicate(timeout=PATIENCE_SECONDS)
        assert "Traceback" not in out + err, err
        return self.process.returncode

    def go(self) -> None:
        """End the measurement that runs, and let later ones take no time."""
        self.journal.with_name("go").touch()

    def measurements(self, word: str = "end") -> int:
        return self.journal.read_text().split().count(word) if self.journal.exists() else 0

    def logged(self) -> str:
        return self.log.read_text() if self.log.exists() else ""

    def queue(self) -> str:
        """What ``midlineshift pacs queue`` says."""
        from MidlineShiftLogic.pacs import queue_admin

        return "\n".join(queue_admin.list_jobs(self.spool))


def wait_for(condition, seconds: float = PATIENCE_SECONDS, what: str = "it never came so far"):
    """Poll until the condition holds; its value."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        value = condition()
        if value:
            return value
        time.sleep(0.05)
    pytest.fail(what() if callable(what) else what)
