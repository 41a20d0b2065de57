"""Strips for the refinement network: the true midline is where the batch says, on both sides; batches repeat."""

import pytest
import torch
from drawn_phantoms import draw_phantom

from midlineshift_training.datasets.midline_dataset import cut_midline_batch
from midlineshift_training.datasets.phantom_slices import load_phantoms
from midlineshift_training.datasets.phantoms.files import phantom_files
from midlineshift_training.datasets.strip_dataset import StripDataset, cut_strip_batch, midline_at_rows
from midlineshift_training.datasets.transforms import degrade
from midlineshift_training.datasets.transforms.first_midlines import MOST_MM, draw_first_errors
from midlineshift_training.datasets.transforms.frame_variation import FrameVariation
from MidlineShiftLogic.geometry.midline_strip import StripGrid, cut_strips

FRAME = (128, 1.8, 198.0)
GRID = StripGrid()
PUSH_MM = 6.0


@pytest.fixture(scope="module")
def slices(tmp_path_factory):
    folder = tmp_path_factory.mktemp("cohort")
    for seed in range(3):
        draw_phantom(folder / f"{seed:05d}.npz", seed, PUSH_MM)
    return load_phantoms(phantom_files(folder))


@pytest.fixture
def clean(monkeypatch):
    """Leave out what is drawn onto the slices."""
    monkeypatch.setattr(degrade, "degrade", lambda hu, inside, g: hu)
    monkeypatch.setattr(degrade, "fill_ventricles", lambda hu, *_: hu)


def measurable(slices):
    return torch.nonzero(slices.measurable)[:, 0][::4]


def cut(slices, **more):
    """Slices at their places, upright or mirrored, of the same random numbers."""
    variation = FrameVariation(broad=False, **{"mirror": 0.0, "bend": 0.0, "asymmetric": 0.0} | more)
    return cut_midline_batch(slices, measurable(slices), variation, *FRAME, torch.Generator().manual_seed(1), 2)


def test_the_truth_is_the_push_at_the_septum_and_nothing_at_the_ends(slices):
    batch = cut_midline_batch(slices, measurable(slices), None, *FRAME, torch.Generator(), 2)
    deviation, known = midline_at_rows(batch, GRID, 1.8)
    largest = deviation.amax(1) * batch.mm / 1.8
    assert largest.numpy() == pytest.approx(PUSH_MM, abs=0.3)
    # beyond the attachments and at them there is no shift
    assert float(deviation[:, [0, 1, 2, -3, -2, -1]].abs().max()) < 0.3
    assert float(known.min()) == 1.0


def test_the_other_side_is_the_mirror_image(slices, clean):
    left, right = cut(slices), cut(slices, mirror=1.0)
    truths = [midline_at_rows(batch, GRID, 1.8)[0] for batch in (left, right)]
    assert float(truths[0].amax()) > 4 and torch.allclose(truths[0], -truths[1], atol=0.1)
    strips = [
        cut_strips(batch.hu, *batch.ends.unbind(1), truth, 1.8, GRID)
        for batch, truth in zip((left, right), truths, strict=True)
    ]
    assert torch.allclose(strips[0], strips[1].flip(-1), atol=60)
    assert float((strips[0] - strips[1].flip(-1)).abs().mean()) < 1


@pytest.mark.parametrize("mirror", [0.0, 1.0])
def test_the_bright_midline_is_where_the_target_says(slices, clean, mirror):
    batch = cut_strip_batch(cut(slices, mirror=mirror), GRID, 1.8, 2, torch.Generator().manual_seed(2))
    column = batch.target / GRID.column_mm + (GRID.columns - 1) / 2
    # rows beside the ventricles, in which the drawn midline is a bright line between two dark places
    for row in range(26, 40, 3):
        found = batch.strips[:, GRID.row_samples * row]
        inside = (column[:, row] > 6) & (column[:, row] < GRID.columns - 7)
        for k in torch.nonzero(inside)[:, 0]:
            middle = round(float(column[k, row]))
            window = found[k, middle - 5 : middle + 6]
            assert abs(int(window.argmax()) - 5) <= 2
    assert float(batch.target.abs().max()) > 2, "the first midline is not the true one"


def test_a_batch_depends_on_seed_and_number_alone(slices):
    variation = FrameVariation(broad=False, degraded=0.5)
    straight = StripDataset(slices, GRID, 2, 6, variation, FRAME, 7)
    resumed = StripDataset(slices, GRID, 2, 6, variation, FRAME, 7, first=4)
    assert (len(straight), len(resumed)) == (6, 2)
    for name, value in vars(straight[5]).items():
        assert torch.equal(value, getattr(resumed[1], name)), name
    assert not torch.equal(straight[5].strips, straight[4].strips)


def test_only_a_share_of_the_slices_is_degraded(monkeypatch):
    monkeypatch.setattr(degrade, "degrade", lambda hu, inside, g: hu + 1000)
    hu, inside = torch.zeros(200, 8, 8), torch.ones(200, 4, 4)
    result = degrade.degrade_some(hu, inside, 0.3, torch.Generator().manual_seed(0))
    hard = result.mean((1, 2)) > 500
    assert 40 < int(hard.sum()) < 80
    others = result[~hard].std((1, 2))
    assert 0.5 < float(others.mean()) < degrade.SLIGHT_NOISE_HU and float(others.max()) < 2 * degrade.SLIGHT_NOISE_HU
    none = degrade.degrade_some(hu, inside, 0.0, torch.Generator().manual_seed(0))
    assert float(none.abs().max()) < 100


def test_all_slices_degraded_draw_what_they_always_drew(slices):
    """Runs of before shares of clean slices were possible stay reproducible."""
    hu, inside = torch.rand(2, 128, 128) * 80, torch.ones(2, 64, 64)
    one, other = (torch.Generator().manual_seed(3) for _ in range(2))
    assert torch.equal(degrade.degrade_some(hu, inside, 1.0, one), degrade.degrade(hu, inside, other))
    assert torch.equal(one.get_state(), other.get_state())


def test_first_midlines_measure_large_shifts_too_small_on_either_side():
    g = torch.Generator().manual_seed(0)
    for side in (1, -1):
        error = draw_first_errors(torch.full((3000, GRID.rows), 10.0 * side), GRID.fractions, g)
        assert float(error.mean()) * side == pytest.approx(-1.0, abs=0.3)
        assert float(error.abs().max()) <= MOST_MM
        assert 2 < float(error.std()) < 4
