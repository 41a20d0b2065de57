"""Real scans without readings become training cases: upright line, geometry, nothing half-written."""

from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import CliRunner

from midlineshift_training.cli.main import main
from midlineshift_training.datasets.midline_dataset import SEPTUM_FRACTION, cut_midline_batch
from midlineshift_training.datasets.phantom_slices import load_phantoms
from midlineshift_training.datasets.phantoms.truth import FRACTIONS
from midlineshift_training.datasets.unlabelled.case import unlabelled_case, write_unlabelled_case
from MidlineShiftLogic.headct import read
from MidlineShiftLogic.models import load_model

SAMPLES = Path(__file__).parents[4] / "Resources" / "SampleScans"


@pytest.fixture(scope="module")
def case(tmp_path_factory):
    ct = read(SAMPLES / "sample_unshifted.nii.gz")
    entries = unlabelled_case(ct, load_model(None, "cpu"), "sample")
    path = tmp_path_factory.mktemp("pseudo") / "00000.npz"
    write_unlabelled_case(path, entries)
    return ct, entries, path


def test_the_line_is_on_the_bright_falx(case):
    _, entries, _ = case
    found = []
    for k in np.flatnonzero(entries["has_midline"]):
        (column, row) = entries["landmarks"][k, 1]  # posterior attachment: bone behind it, brain before it
        column, row = round(float(column)), round(float(row))
        profile = entries["hu"][k, row - 12 : row + 13, column].astype(float)
        found.append(profile[:8].mean() < 100 < profile[-10:].max())
    assert np.mean(found) > 0.8


def test_it_is_read_as_an_unshifted_real_case(case):
    ct, entries, path = case
    slices = load_phantoms([path])
    assert slices.unlabelled.all()
    # what the midline departs from the line between its attachments is little, and recorded
    assert float(slices.septum_shift[slices.measurable].abs().median()) < 1.0
    assert 5 < int(slices.measurable.sum()) < ct.n_slices
    assert entries["hu"].shape == (ct.n_slices, 256, 256)
    # the skull's inside, as large as it is in the scan
    area = entries["inside"].sum((1, 2)).max() * (2 * float(entries["pixel_mm"])) ** 2
    assert 9_000 < area < 22_000


def test_the_displacement_carries_the_midline_onto_the_line(case):
    _, entries, path = case
    slices = load_phantoms([path])
    index = torch.nonzero(slices.measurable)[:, 0]
    batch = cut_midline_batch(slices, index, None, 128, 1.8, 198.0, torch.Generator())
    column, row = (batch.shifted / 2 + 31.5).round().long().unbind(-1)
    on_it = torch.arange(len(index))
    found = (batch.ideal - batch.deformed)[on_it, row, column] * batch.mm
    profile = torch.from_numpy(entries["midline_shift_mm"][index.numpy()])
    wanted = profile[:, int(torch.from_numpy(FRACTIONS).sub(SEPTUM_FRACTION).abs().argmin())]
    assert float(wanted.abs().max()) > 0.1
    assert torch.allclose(found, wanted, atol=0.25)


def test_command_takes_the_listed_scans(tmp_path):
    names = tmp_path / "list.txt"
    names.write_text("sample_unshifted\n")
    options = ["unlabelled", "--scans", str(SAMPLES), "--out", str(tmp_path / "out"), "--list", str(names)]
    result = CliRunner().invoke(main, options)
    assert result.exit_code == 0, result.output
    assert [p.name for p in (tmp_path / "out").iterdir()] == ["00000.npz"]
    names.write_text("nobody\n")
    result = CliRunner().invoke(main, options)
    assert result.exit_code != 0 and "nobody" in result.output
