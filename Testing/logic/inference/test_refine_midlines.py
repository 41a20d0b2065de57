"""A network that finds a bright line in a strip finds the falx of a drawn head, wherever the first look was."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from heads import SIZE, perfect_maps
from lined_head import COLUMNS, HALF_LENGTH_MM, ROWS, SLICES, SPACING, lined_head

from MidlineShiftLogic.errors import Cancelled
from MidlineShiftLogic.geometry.frame import Frame
from MidlineShiftLogic.geometry.frame import align as cut
from MidlineShiftLogic.geometry.midline_strip import StripGrid
from MidlineShiftLogic.inference import aligned_slices
from MidlineShiftLogic.inference.refine_midlines import BATCH, look_again, refine_midlines
from MidlineShiftLogic.measurement.midline_curves import find_midlines
from MidlineShiftLogic.measurement.shift_settings import ShiftSettings

SETTINGS = ShiftSettings(smooth_mm=0.0, smooth_fraction=0.0, refined_smooth_mm=0.0)
CPU = torch.device("cpu")
GRID = StripGrid()
PERFECT_HALF_LENGTH_PX = 55.0


class Bright:
    """Finds the brightest place of each row, or answers with logits that favour one side whatever it sees."""

    def __init__(self, lopsided: float = 0.0):
        self.grid, self.lopsided = GRID, lopsided

    def __call__(self, x):
        rows = x[:, 0].unflatten(1, (GRID.rows, GRID.row_samples)).mean(2)
        return 20 * rows + self.lopsided * GRID.across_mm


def turned(angle: float, scale: float) -> Frame:
    """Return a frame whose middle column is on the drawn head's midline."""
    middle = np.array([COLUMNS * SPACING[2], ROWS * SPACING[1]]) / 2
    return Frame(SIZE, 1.8, angle, scale, np.tile(middle, (SLICES, 1)))


def first_look(frame: Frame, ct, side_px: float = 0.0, shift_px: float = 0.0):
    maps = perfect_maps(ct.n_slices, np.full(ct.n_slices, shift_px), side_px=side_px)
    return find_midlines(maps, frame, ct.heights, maps.height, SETTINGS)


@pytest.mark.parametrize("side", [1, -1])
@pytest.mark.parametrize("scale", [0.6, 0.75])
def test_line_and_midline_are_found_where_the_picture_shows_them(side, scale):
    """The first look is 4 mm beside the falx, and thinks it bent by 5 mm to the same side; it is straight."""
    angle = 0.2
    ct, frame = lined_head(angle), turned(angle, scale)
    curves = first_look(frame, ct, side_px=4.0 * side / frame.step_mm, shift_px=5.0 * side / frame.step_mm)
    refined = refine_midlines(curves, ct, frame, Bright(), SETTINGS, CPU)
    assert np.abs(refined.falx_attachments[:, :, 0] * frame.step_mm).max() < 0.4
    assert np.abs(refined.deviation).max() < 0.4
    assert refined.refinement.moved_mm == pytest.approx(np.full(len(curves.index), -5.0 * side), abs=0.6)
    # along the line the attachments stay where the first look saw them, inside of the drawn head
    assert PERFECT_HALF_LENGTH_PX * frame.step_mm < HALF_LENGTH_MM
    assert np.abs(refined.falx_attachments[:, 1, 1]) == pytest.approx(PERFECT_HALF_LENGTH_PX, abs=0.3)


def test_mirror_images_take_a_network_s_own_side_out():
    ct, frame = lined_head(0.0), turned(0.0, 0.75)
    curves = first_look(frame, ct)
    straight, lopsided = (look_again(curves, ct, frame, Bright(slope), CPU) for slope in (0.0, 0.5))
    assert np.abs(straight.mirror_mm).max() < 1e-3
    assert np.abs(lopsided.midline_mm - straight.midline_mm).max() < 1e-3
    assert lopsided.mirror_mm.min() > 0.05  # the network itself leans toward the patient's left


@pytest.mark.parametrize("slices", [7, 300])
def test_a_batch_at_a_time_is_cut_however_many_slices_there_are(monkeypatch, slices):
    few = lined_head(0.0)
    of = np.arange(slices) % SLICES
    origins = np.zeros((slices, 3))
    origins[:, 2] = 0.3 * np.arange(slices)
    ct = replace(few, hu=few.hu[of], origins=origins, thickness=np.full(slices, 0.3))
    frame = replace(turned(0.0, 0.75), centre=np.repeat(turned(0.0, 0.75).centre[:1], slices, 0))
    curves, cuts, steps = first_look(frame, ct, side_px=2.0), [], []

    def align(ct, frame, indices, device):
        cuts.append(indices.tolist())
        return torch.zeros(len(indices), 2 * SIZE, 2 * SIZE) if slices > SLICES else cut(ct, frame, indices, device)

    monkeypatch.setattr(aligned_slices, "align", align)
    look_again(curves, ct, frame, Bright(), CPU, lambda *step: steps.append(step))
    assert [index for one in cuts for index in one] == curves.index.tolist()
    assert max(map(len, cuts)) <= BATCH
    assert steps[-1] == (len(curves.index), len(curves.index))


def test_a_step_may_stop_it():
    ct, frame = lined_head(0.0), turned(0.0, 0.75)
    asked = []

    def step(done, total):
        asked.append(done)
        raise Cancelled("stopped")

    with pytest.raises(Cancelled):
        look_again(first_look(frame, ct), ct, frame, Bright(), CPU, step)
    assert asked == [BATCH]
