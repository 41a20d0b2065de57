"""Fields of the authors' networks, carried to the frame of the other maps."""

import numpy as np
import pytest
import torch
from heads import frame, perfect_maps, scan

from MidlineShiftLogic.geometry.frame import Frame
from MidlineShiftLogic.geometry.lines import half_grid
from MidlineShiftLogic.inference.aligned_slices import AlignedSlices
from MidlineShiftLogic.inference.authors_predictor import carry_field, predict_fields, with_field
from MidlineShiftLogic.inference.maps import no_step
from MidlineShiftLogic.inference.noise_difference import NoiseSettings
from MidlineShiftLogic.measurement.midline_curves import find_midlines
from MidlineShiftLogic.measurement.shift_settings import ShiftSettings
from MidlineShiftLogic.networks.denoiser import Denoiser
from MidlineShiftLogic.networks.voxelmorph import DeformationNet

CENTRE = np.zeros((1, 2))


def test_a_carried_field_keeps_its_millimetres_and_its_place():
    theirs, ours = Frame(256, 0.9, 0.1, 1.2, CENTRE), Frame(128, 1.8, 0.1, 0.8, CENTRE)
    axis = (torch.arange(256) - 127.5) * theirs.step_mm
    y, x = torch.meshgrid(axis, axis, indexing="ij")
    bump = torch.exp(-((x - 12) ** 2 + (y + 20) ** 2) / 30**2)
    field = torch.stack([2 * bump, -5 * bump])[None]  # pixels of their frame
    carried = carry_field(field, theirs, ours)[0] * ours.step_mm
    node = half_grid(128) * ours.step_mm
    u, v = np.meshgrid(node, node)
    expected = np.exp(-((u - 12) ** 2 + (v + 20) ** 2) / 30**2) * theirs.step_mm
    assert carried[0] == pytest.approx(2 * expected, abs=0.02)
    assert carried[1] == pytest.approx(-5 * expected, abs=0.05)


@pytest.mark.parametrize("field_share", [0.0, 1.0])
def test_a_field_alone_gives_the_shift_when_the_line_comes_from_elsewhere(field_share):
    ct = scan()
    truth = perfect_maps(ct.n_slices, np.full(ct.n_slices, 4.0), tilt_deg=5.0)
    unshifted = perfect_maps(ct.n_slices, np.zeros(ct.n_slices), tilt_deg=5.0)
    maps = with_field(unshifted, truth.displacement, truth.inverse)
    f = frame(ct)
    settings = ShiftSettings(field_share=field_share, smooth_mm=0, smooth_fraction=0)
    curves = find_midlines(maps, f, ct.heights, maps.height, settings)
    middle = curves.deviation[:, 14]  # fraction 0.38, the peak
    assert middle == pytest.approx(4.0 * f.step_mm, abs=0.15)


def test_the_authors_networks_run_slice_by_slice_and_give_inverse_fields():
    torch.manual_seed(0)
    tiny = {"base_channels": 32, "channel_multipliers": (1, 1), "residual_blocks": 1, "attention_resolutions": ()}
    denoisers = tuple(Denoiser(image_size=64, head_channels=32, **tiny).eval() for _ in range(2))
    done = []
    ct = scan(3)
    ct.hu[:] = np.random.default_rng(0).normal(35, 20, ct.hu.shape)
    f = Frame(64, 3.0, 0.0, 1.0, np.full((3, 2), 110.0))
    noise = NoiseSettings(grid=64, gain=1.0)
    network = DeformationNet().eval()

    def run(indices, step=no_step):
        aligned = AlignedSlices(ct, f, np.array(indices))
        return predict_fields(aligned, network, torch.device("cpu"), denoisers=denoisers, noise=noise, step=step)

    u, v = run([0, 1, 2], lambda *a: done.append(a))
    assert u.shape == v.shape == (3, 2, 64, 64)
    assert done == [(1, 3), (2, 3), (3, 3)]
    assert torch.allclose(run([1])[0], u[1:2], atol=1e-5), "a slice's field does not depend on its neighbours"
