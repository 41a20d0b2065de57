"""What an evaluation measures, and what it makes of files that cannot be measured."""

from types import SimpleNamespace

import numpy as np
import pytest
from drawn_phantoms import draw_phantom

from midlineshift_training.evaluation.cases import phantom_scan, phantom_truth
from midlineshift_training.evaluation.command import _scans, scan_paths, summarise
from MidlineShiftLogic.errors import InputError
from MidlineShiftLogic.measurement.readout import ReadoutSettings


def test_the_truth_is_read_where_the_readout_reads(tmp_path):
    draw_phantom(tmp_path / "00000.npz", 1, 6.0)
    _, q = phantom_scan(tmp_path / "00000.npz")
    middle, front = (phantom_truth(q, ReadoutSettings(septum=septum)) for septum in ((0.30, 0.46), (0.10, 0.16)))
    fractions = np.linspace(0.10, 0.90, 41)
    profile = q["midline_shift_mm"][q["has_midline"]][0]
    assert middle == pytest.approx(profile[(fractions >= 0.30) & (fractions <= 0.46)].mean(), abs=1e-4)
    assert front == pytest.approx(profile[(fractions >= 0.10) & (fractions <= 0.16)].mean(), abs=1e-4)
    assert abs(front) < abs(middle)


def test_an_incomplete_phantom_is_named(tmp_path):
    np.savez(tmp_path / "00000.npz", hu=np.zeros((3, 4, 4)))
    with pytest.raises(InputError, match=r"00000\.npz is not a complete phantom file \(it has no pixel_mm\)"):
        phantom_scan(tmp_path / "00000.npz")


def test_scans_are_files_with_geometry_and_folders(tmp_path):
    for name in ("a.nii.gz", "b.MHD", "b.raw", "c.npy", "readings.csv", ".hidden.nii"):
        (tmp_path / name).touch()
    (tmp_path / "series").mkdir()
    assert [path.name for path in scan_paths(tmp_path)] == ["a.nii.gz", "b.MHD", "series"]
    with pytest.raises(InputError, match="no folder of scans"):
        scan_paths(tmp_path / "absent")
    with pytest.raises(InputError, match="No scans"):
        scan_paths(tmp_path / "series")


def test_a_scan_that_cannot_be_read_is_a_refused_row(tmp_path):
    (tmp_path / "a.nii.gz").write_bytes(b"not a scan")
    (tmp_path / "series").mkdir()
    rows = list(_scans(tmp_path, {}, SimpleNamespace()))
    assert [(row["case"], row["measured_mm"], bool(row["refused"])) for row in rows] == [
        ("a", None, True),
        ("series", None, True),
    ]
    assert rows[1]["refused"] == "empty-folder"
    assert summarise(rows, {})["no reading"] == {"cases": 2, "refused": 2}
