"""Pose, networks, noise difference, DDIM and the way out of memory on a device that is not the CPU (``other_device``)."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from heads import frame, perfect_maps, scan
from other_device import DEVICE, OtherDevice, OtherTensor
from small_networks import SMALL_DENOISER, awake

from MidlineShiftLogic.geometry import fields
from MidlineShiftLogic.headct import read
from MidlineShiftLogic.inference.noise_difference import NoiseSettings, noise_channel
from MidlineShiftLogic.inference.pipeline import measure_ct
from MidlineShiftLogic.inference.pseudo_healthy import make_pseudo_healthy
from MidlineShiftLogic.inference.refine_midlines import refine_midlines
from MidlineShiftLogic.measurement.midline_curves import find_midlines
from MidlineShiftLogic.measurement.shift_settings import ShiftSettings
from MidlineShiftLogic.models import load_model
from MidlineShiftLogic.networks import diffusion
from MidlineShiftLogic.networks.denoiser import Denoiser
from MidlineShiftLogic.networks.midline_unet import MidlineUNet
from MidlineShiftLogic.networks.strip_unet import StripUNet
from MidlineShiftLogic.networks.voxelmorph import DeformationNet

SAMPLE = Path(__file__).parents[3] / "Resources" / "SampleScans" / "sample_shifted.nii.gz"
NOISE = NoiseSettings(grid=32)


@pytest.fixture(scope="module")
def ct():
    """Every second slice of the sample: half the time, and enough for a measurement."""
    whole = read(SAMPLE)
    return replace(
        whole, hu=whole.hu[::2], origins=whole.origins[::2], thickness=whole.thickness[::2], source_slices=()
    )


def denoisers():
    torch.manual_seed(0)
    return tuple(awake(Denoiser(**SMALL_DENOISER), seed) for seed in (1, 2))


def test_networks_give_on_the_device_what_they_give_on_the_cpu():
    torch.manual_seed(0)
    x = torch.randn(2, 2, 64, 64)
    unet, voxelmorph = awake(MidlineUNet(2, (16, 16, 16, 16, 16), upsampling=2)), awake(DeformationNet())
    with torch.inference_mode():
        wanted = (unet(x).inverse, fields.integrate(voxelmorph(x)))
    with OtherDevice(no_float64=True) as device, torch.inference_mode():
        there = x.to(device)
        found = (unet.to(device)(there).inverse, fields.integrate(voxelmorph.to(device)(there)))
        assert all(isinstance(one, OtherTensor) for one in found)
        assert all(torch.allclose(one.cpu(), other, atol=1e-5) for one, other in zip(found, wanted, strict=True))


def test_the_noise_difference_and_ddim_give_what_they_give_on_the_cpu():
    hu = torch.linspace(0, 80, 2 * 64 * 64).view(2, 64, 64)
    schedule, x = diffusion.linear(), hu[:, None, ::2, ::2] / 40 - 1
    noise = diffusion.fixed_noise((1, 1, 32, 32), 0)

    def run(networks, device):
        difference = noise_channel(hu.to(device), *networks, NOISE)
        picture = diffusion.pseudo_healthy(*networks, schedule, x.to(device), noise.to(device), start=3)
        return difference.cpu(), picture.cpu()

    with torch.inference_mode():
        wanted = run(denoisers(), "cpu")
        with OtherDevice(no_float64=True) as device:
            found = run([network.to(device) for network in denoisers()], device)
    assert all(torch.allclose(one, other, atol=1e-4) for one, other in zip(found, wanted, strict=True))


def test_a_scan_is_measured_on_the_device_as_on_the_cpu(ct):
    wanted, _ = measure_ct(ct, load_model("midlineshift-diffusion"), "cpu", authors_readout=True)
    with OtherDevice(no_float64=True):
        found, dense = measure_ct(ct, load_model("midlineshift-diffusion", DEVICE), DEVICE, authors_readout=True)
    assert found.device == DEVICE
    assert found.signed_shift_mm == pytest.approx(wanted.signed_shift_mm, abs=0.001)
    assert found.authors_readout_mm == pytest.approx(wanted.authors_readout_mm, abs=0.001)
    assert [one.index for one in found.slices] == [one.index for one in wanted.slices]
    assert np.isfinite(dense.warped_hu).all()


def test_a_pseudo_healthy_slice_is_made_on_the_device_as_on_the_cpu(ct):
    wanted = make_pseudo_healthy(ct, load_model("midlineshift-diffusion"), "cpu", [8])
    with OtherDevice(no_float64=True):
        found = make_pseudo_healthy(ct, load_model("midlineshift-diffusion", DEVICE), DEVICE, [8])
    assert np.abs(found.hu - wanted.hu).max() < 0.1  # HU; other orders of the same sums differ by 0.01


def test_batches_shrink_until_the_device_holds_them(ct):
    """From all slices at once down to four pictures a batch; the number stays the same."""
    sizes = []

    def room_for_four(operation, arguments):
        if operation.name() == "aten::convolution":
            sizes.append(len(arguments[0]))
            if sizes[-1] > 4:
                raise torch.cuda.OutOfMemoryError("out of memory")

    wanted, _ = measure_ct(ct, load_model(), "cpu")
    with OtherDevice(before=room_for_four):
        found, _ = measure_ct(ct, load_model(None, DEVICE), DEVICE)
    assert max(sizes) >= ct.n_slices, "all slices were tried at once"
    assert found.device == DEVICE and "gpu-memory" not in {flag.code for flag in found.quality}
    assert found.signed_shift_mm == pytest.approx(wanted.signed_shift_mm, abs=0.001)


def a_second_look(network, device):
    """Midlines of a head with some texture, looked at again."""
    ct = scan(7)
    ct.hu[:] = torch.rand(ct.hu.shape, generator=torch.Generator().manual_seed(0)).numpy() * 60
    maps, aligned = perfect_maps(ct.n_slices, np.full(ct.n_slices, 2.0)), frame(ct)
    curves = find_midlines(maps, aligned, ct.heights, maps.height, ShiftSettings())
    return refine_midlines(curves, ct, aligned, network.to(device), ShiftSettings(), torch.device(device))


@pytest.mark.parametrize("room", [None, 6])
def test_a_second_look_finds_on_the_device_what_it_finds_on_the_cpu(room):
    """Also where the device has room for three slices and their mirror images only."""
    sizes = []

    def room_for(operation, arguments):
        if room is not None and operation.name() == "aten::convolution":
            sizes.append(len(arguments[0]))
            if sizes[-1] > room:
                raise torch.cuda.OutOfMemoryError("out of memory")

    torch.manual_seed(0)
    network = awake(StripUNet((8, 8, 8)))
    wanted = a_second_look(network, "cpu")
    with OtherDevice(no_float64=True, before=room_for):
        found = a_second_look(network, DEVICE)
    assert np.abs(wanted.refinement.moved_mm).max() > 0.05, "the network moved something"
    assert np.abs(found.deviation - wanted.deviation).max() < 1e-3
    assert np.abs(found.falx_attachments - wanted.falx_attachments).max() < 1e-3
    assert room is None or (max(sizes) > room and min(sizes) <= room)


def test_a_device_without_room_for_one_slice_leaves_it_to_the_cpu(ct):
    def no_room(operation, arguments):
        if operation.name() == "aten::convolution":
            raise torch.cuda.OutOfMemoryError("out of memory")

    with OtherDevice(before=no_room):
        found, _ = measure_ct(ct, load_model(None, DEVICE), DEVICE)
    assert found.device == "cpu" and "gpu-memory" in {flag.code for flag in found.quality}


def test_a_field_is_inverted_on_the_device():
    field = torch.rand(3, 2, 16, 16, generator=torch.Generator().manual_seed(0))
    with OtherDevice(no_float64=True) as device:
        assert torch.allclose(fields.invert(field.to(device)).cpu(), fields.invert(field), atol=1e-5)


# Faults that the CPU forgives: each must be caught on the device.


def extract_without_device(values, timesteps):
    return values.float()[timesteps][:, None, None, None]


def warp_without_device(image, displacement, border=False):
    rows = torch.arange(displacement.shape[-2], dtype=displacement.dtype)[:, None]
    return image + rows + displacement


def one_step(device):
    x = torch.zeros(1, 1, 32, 32, device=device)
    return diffusion.add_noise(diffusion.linear(), x, torch.zeros(1, dtype=torch.long, device=device), x)


def one_integration(device):
    return fields.integrate(torch.zeros(1, 2, 8, 8, device=device))


def test_a_table_left_on_the_cpu_is_caught(monkeypatch):
    with OtherDevice() as device:
        one_step(device)
        monkeypatch.setattr(diffusion, "extract", extract_without_device)
        with pytest.raises(RuntimeError, match="same device"):
            one_step(device)
    one_step("cpu")


def test_a_tensor_made_without_a_device_is_caught(monkeypatch):
    with OtherDevice() as device:
        one_integration(device)
        monkeypatch.setattr(fields, "warp", warp_without_device)
        with pytest.raises(RuntimeError, match="same device"):
            one_integration(device)
    one_integration("cpu")


def test_numpy_without_cpu_is_caught(ct, monkeypatch):
    model = load_model(None, DEVICE)
    monkeypatch.setattr(torch.Tensor, "cpu", lambda tensor: tensor)
    with OtherDevice(), pytest.raises((RuntimeError, TypeError), match="numpy"):
        measure_ct(ct, model, DEVICE)


def test_a_network_left_on_the_cpu_is_caught(ct):
    with OtherDevice(), pytest.raises(RuntimeError, match="same device"):
        measure_ct(ct, load_model(None, "cpu"), DEVICE)


def test_random_numbers_of_the_cpu_are_caught():
    with OtherDevice() as device, pytest.raises(RuntimeError, match="generator"):
        torch.randn(3, device=device, generator=torch.Generator())


def test_float64_is_caught_where_the_device_has_none():
    with OtherDevice(no_float64=True) as device, pytest.raises(TypeError, match="float64"):
        torch.zeros(3, dtype=torch.float64).to(device)
