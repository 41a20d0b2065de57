"""The aligned frame: points go there and back, and images are cut where the points say."""

import numpy as np
import pytest
import torch
from heads import frame, scan

from MidlineShiftLogic.geometry.frame import align, plane_to_pixels
from MidlineShiftLogic.reporting.figures.drawing import plane_mm


def test_points_go_to_the_plane_and_back():
    ct = scan()
    f = frame(ct)
    points = np.random.default_rng(0).uniform(0, 127, (20, 2))
    assert f.from_plane(3, f.to_plane(3, points)) == pytest.approx(points, abs=1e-9)
    assert plane_mm(ct, plane_to_pixels(ct, points)) == pytest.approx(points), "the pictures mean the same millimetres"


def test_a_frame_step_is_the_stated_millimetres():
    f = frame(scan())
    a, b = f.to_plane(0, np.array([[10.0, 10.0], [11.0, 10.0]]))
    assert np.linalg.norm(b - a) == pytest.approx(f.step_mm)
    assert f.step_mm == pytest.approx(1.8 * 0.9)


@pytest.mark.parametrize("spacing", [(0.6, 0.5), (0.5, 0.9)])
def test_a_spot_in_the_scan_appears_where_the_frame_maps_it(spacing):
    ct = scan(pixel_spacing=spacing)
    f = frame(ct)
    ct.hu[:] = -1000
    spot = np.array([80.3, 40.6])
    row, column = np.mgrid[: ct.hu.shape[1], : ct.hu.shape[2]]
    centre = plane_to_pixels(ct, f.to_plane(5, spot))
    distance = np.hypot((column - centre[0]) * spacing[1], (row - centre[1]) * spacing[0])
    ct.hu[5] += 1000 * np.exp(-((distance / 5.0) ** 2))
    cut = align(ct, f, [5])[0].numpy() + 1000
    y, x = np.mgrid[:128, :128]
    found = np.array([(cut * x).sum(), (cut * y).sum()]) / cut.sum()
    assert found == pytest.approx(spot, abs=0.05)


def test_outside_the_scan_is_air():
    ct = scan()
    ct.hu[:] = 40
    f = frame(ct, scale=1.6)
    cut = align(ct, f, [0])[0]
    assert float(cut[0, 0]) == pytest.approx(-1000)
    assert float(cut[64, 64]) == pytest.approx(40)


def test_a_finer_frame_covers_the_same_place():
    ct = scan()
    row, column = np.mgrid[: ct.hu.shape[1], : ct.hu.shape[2]]
    ct.hu[:] = row + 2 * column
    f = frame(ct)
    coarse, fine = align(ct, f, [5])[0], align(ct, f.upsampled(2), [5])[0]
    assert fine.shape == (256, 256)
    within = coarse > 0
    pooled = torch.nn.functional.avg_pool2d(fine[None], 2)[0]
    assert within.sum() > 5000
    assert torch.allclose(pooled[20:108, 20:108], coarse[20:108, 20:108], atol=0.01)
