"""Results to review, the review's server as a user starts it, and waiting for a page."""

import os
import re
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

from dicom_case import PATIENT
from make_scans import write_dicom
from ports import free_port
from scan_files import save_nifti
from synthetic_case import drawn_head, measured

from MidlineShiftLogic.headct import read
from MidlineShiftLogic.measurement.distance import CaseRule
from MidlineShiftLogic.reporting.fields_file import write_fields
from MidlineShiftLogic.reporting.measurement_json import to_json
from MidlineShiftLogic.reporting.results_csv import TABLE_FILE, CohortTable, measured_row

ROOT = Path(__file__).parents[2]
SPACING = (5.0, 1.5, 1.7)
START_SECONDS = 300
"""For the server to load its libraries on a busy machine."""


def make_results(folder: Path, shifts: dict[str, float], fields: bool = True, dicom: bool = False) -> Path:
    """Make the results of drawn heads as a measurement would: name of the case -> signed shift in mm."""
    out = folder / "results"
    for name, shift_mm in shifts.items():
        head = drawn_head(shift_mm, (20, 130, 110), SPACING)
        if dicom:
            scan = write_dicom(head, folder / name, **PATIENT | {"PatientID": name})
        else:
            scan = save_nifti(folder / f"{name}.nii.gz", head.hu, SPACING)
        ct = read(scan)
        measurement, dense = measured(ct, shift_mm, name)
        if dicom:  # a picture of each slice is drawn for the archive: fewer are enough for a test, and quick
            slices = tuple(one for one in measurement.slices if (one.index - measurement.slice) % 4 == 0)
            measurement = replace(measurement, slices=slices)
        measurement = replace(
            measurement, input=ct.source | {"shape": list(ct.hu.shape)}, case_rule=CaseRule(1.0, (-20.0, 20.0))
        )
        (out / name).mkdir(parents=True)
        (out / name / "measurement.json").write_text(to_json(measurement), encoding="utf-8")
        if fields:
            write_fields(out / name / "fields.npz", dense)
        made_with = {"model": "fake", "model_version": "0"}
        CohortTable(out / TABLE_FILE).add(measured_row(measurement, str(scan), made_with))
    return out


class Server:
    """``midlineshift review`` in a process of its own."""

    def __init__(self, *arguments):
        self.arguments = list(map(str, arguments))
        self.process = None
        self.address = ""

    def start(self, port: int | None = None) -> None:
        """Run it; returns once it listens. ``port``: one that nobody else gets meanwhile if None."""
        port = free_port() if port is None else port
        command = [sys.executable, "-m", "MidlineShiftLogic", "review", *self.arguments, "--port", str(port)]
        environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1"}
        self.process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=environment
        )
        line = self.process.stdout.readline()
        self.address = re.search(r"http\S+", line)[0]

    @property
    def port(self) -> int:
        return int(re.search(r":(\d+)/", self.address)[1])

    @property
    def site(self) -> str:
        return self.address.partition("/?")[0]

    def stop(self, how: int = signal.SIGTERM) -> int:
        self.process.send_signal(how)
        code = self.process.wait(START_SECONDS)
        self.process.stdout.close()
        return code


def wait_until(condition, seconds=300.0, what=""):
    """Wait for a condition of the page; nothing is timed."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        value = condition()
        if value:
            return value
        time.sleep(0.05)
    raise AssertionError(f"it did not happen: {what}")
