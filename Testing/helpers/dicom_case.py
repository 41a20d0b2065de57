"""A drawn head as a DICOM series with a patient, its measurement, and the validators that objects must pass."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
from make_scans import write_dicom
from synthetic_case import DenseResult, drawn_head, measured

from MidlineShiftLogic.headct import read
from MidlineShiftLogic.headct.headct import HeadCT
from MidlineShiftLogic.measurement.distance import CaseRule
from MidlineShiftLogic.measurement.edit import move_landmarks
from MidlineShiftLogic.measurement.results import Measurement
from MidlineShiftLogic.measurement.review import accept, reject
from MidlineShiftLogic.quality import Quality
from MidlineShiftLogic.reporting import dicom as dicom_objects
from MidlineShiftLogic.reporting.dicom.source import Source

PATIENT = {
    "PatientName": "Doe^Jane", "PatientID": "4711", "PatientBirthDate": "19600102", "PatientSex": "F",
    "StudyDate": "20250304", "StudyTime": "101112", "StudyID": "77", "AccessionNumber": "ACC1",
    "ReferringPhysicianName": "Who^Doctor", "StudyDescription": "CT head", "FrameOfReferenceUID": "1.2.3.4.5",
}  # fmt: skip


@dataclass
class Case:
    folder: Path
    ct: HeadCT
    measurement: Measurement
    dense: DenseResult
    source: Source

    def report(self, measurement: Measurement | None = None):
        return dicom_objects.structured_report(measurement or self.measurement, self.ct, self.source)

    def captures(self, measurement: Measurement | None = None):
        """An iterator: each picture takes a moment to draw."""
        return dicom_objects.captures(measurement or self.measurement, self.ct, self.source, self.dense)


def measure(ct: HeadCT, shift_mm: float = 8.0) -> tuple[Measurement, DenseResult]:
    """What the pipeline might say, with everything a measurement can hold."""
    flags = (Quality("motion", "warning", "It moved: look."),)
    measurement, dense = measured(ct, shift_mm, case_id="Müller head", quality=flags)
    slices = tuple(
        replace(one, source_slices=ct.source_slices[one.index], authors_readout_mm=1.5 + one.index)
        for one in measurement.slices
        if (one.index - measurement.slice) % 3 == 0  # enough for a test, and quick
    )
    return replace(
        measurement,
        slices=slices,
        interval_mm=(6.25, 9.125),
        p_over_5mm=0.9731,
        authors_readout_mm=14.25,
        model={"name": "midlineshift", "version": "2", "files": {"pose": "abc"}},
        software={"name": "midlineshift", "version": "0.1.0"},
        seconds=3.25,
        case_rule=CaseRule(0.75, (0.0, 20.0)),
    ), dense


def coarse_head(shift_mm: float = 8.0) -> HeadCT:
    """A head with few pixels: quick to write, read and draw."""
    return drawn_head(shift_mm, (24, 125, 100), (5.0, 1.6, 1.8))


def make_case(folder: Path, head: HeadCT | None = None, shift_mm: float = 8.0, write=write_dicom, **changes) -> Case:
    """Write the head as DICOM with ``write``, read and measure it."""
    head = head or coarse_head(shift_mm)
    place = write(head, folder, **{**PATIENT, **changes})
    return case_of(place, shift_mm)


def case_of(place: Path, shift_mm: float = 8.0) -> Case:
    ct = read(place)
    measurement, dense = measure(ct, shift_mm)
    return Case(place, ct, measurement, dense, dicom_objects.source_of(ct))


def validate(dataset, path: Path) -> None:
    """Save and have dicom3tools and dcmtk look at it: no errors, and readable as a report if it is one."""
    dataset.save_as(path, enforce_file_format=True)
    if shutil.which("dciodvfy") is None:
        pytest.skip("dciodvfy is not installed (Debian: dicom3tools)")
    done = subprocess.run(["dciodvfy", "-new", str(path)], capture_output=True)
    said = (done.stdout + done.stderr).decode("utf-8", "replace").splitlines()
    assert {"Comprehensive3DSR", "SCImage"} & set(said), said  # it knew what to look for
    assert [line for line in said if "Error" in line] == []
    if dataset.Modality == "SR":
        if shutil.which("dsrdump") is None:
            pytest.skip("dsrdump is not installed (Debian: dcmtk)")
        done = subprocess.run(["dsrdump", "+Pl", str(path)], capture_output=True)
        assert done.returncode == 0, done.stderr.decode("utf-8", "replace")
        assert b"Linear Displacement" in done.stdout or b"Not measured" in done.stdout
        # Its checker knows some character sets only, and says so or warns of their letters (W:).
        assert [line for line in done.stderr.splitlines() if not line.startswith(b"W: ")] == []


def descendants(item):
    for child in item.get("ContentSequence", ()):
        yield child
        yield from descendants(child)


def named(item, value):
    return [one for one in descendants(item) if one.ConceptNameCodeSequence[0].CodeValue == value]


def groups(report):
    """(the case's group, the slices' groups)."""
    found = named(report, "125007")
    return found[0], found[1:]


def lps_of_scoord(image, column: float, row: float) -> np.ndarray:
    """LPS mm of a point that SCOORD counts from the image's outer corner, by the image's own header."""
    across, down = np.reshape([float(value) for value in image.ImageOrientationPatient], (2, 3))
    row_mm, column_mm = map(float, image.PixelSpacing)
    first = np.array([float(value) for value in image.ImagePositionPatient])
    return first + (column - 0.5) * column_mm * across + (row - 0.5) * row_mm * down


def edited(case: Case) -> Measurement:
    one = case.measurement.slices[3]
    moved = {"shifted": one.landmarks_lps_mm["shifted"] + (1.5, 0.5, 0)}
    return move_landmarks(case.measurement, case.ct, one.index, moved)


def refused(case: Case) -> Measurement:
    return replace(
        case.measurement, signed_shift_mm=None, slice=None, slices=(), interval_mm=None, p_over_5mm=None,
        authors_readout_mm=None, refused={"code": "motion", "message": "It moved: by 20 mm."}, model={},
    )  # fmt: skip


KINDS = {  # what can become of a case -> its measurement
    "plain": lambda case: case.measurement,
    "accepted": lambda case: accept(case.measurement, "Ada Lovelace"),
    "edited": edited,
    "accepted with edits": lambda case: accept(edited(case), "Lovelace^Ada", "falx end was off"),
    "rejected": lambda case: reject(case.measurement, "Ada", "motion"),
    "refused": refused,
    "no side": lambda case: replace(case.measurement, signed_shift_mm=-0.2),
}


def differences(one, other, path="", found=None):
    """{path: (one, other)} where two JSON trees differ; numbers by more than 0.001."""
    found = {} if found is None else found
    if isinstance(one, dict) and isinstance(other, dict):
        for key in one.keys() | other.keys():
            differences(one.get(key, "missing"), other.get(key, "missing"), f"{path}/{key}", found)
    elif isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
        for number, pair in enumerate(zip(one, other, strict=True)):
            differences(*pair, f"{path}/{number}", found)
    elif isinstance(one, float) and isinstance(other, int | float):
        if abs(one - other) > 1e-3:
            found[path] = one, other
    elif one != other:
        found[path] = one, other
    return found
