"""Batches of a class-conditional denoiser: classes, twins and noise, the same whenever a batch is asked for."""

import numpy as np
import pytest
import torch
from drawn_phantoms import draw_phantom

from midlineshift_training.datasets.denoiser_pairs import (
    NO_TWIN,
    DenoiserSlices,
    PairedDataset,
    PairSettings,
    cut_twins,
    inside_of_bone,
    join,
)
from midlineshift_training.datasets.transforms.frame_variation import AffineVariation
from midlineshift_training.losses.paired_loss import paired_loss
from MidlineShiftLogic.errors import InputError
from MidlineShiftLogic.networks.diffusion import add_noise, linear, noise_from_x0

STILL = AffineVariation(mirror=0.0, rotation_deg=0.0)
SETTINGS = PairSettings(
    batch=12,
    grid=64,
    frame_mm=198.0,
    frame_width_mm=230.4,
    largest_t=260,
    null_share=0.3,
    paired_share=0.4,
    real_share=0.5,
    affine=STILL,
    degraded_share=0.0,
    height_jitter_mm=0.0,
)


def write_with_twin(path, seed, shift_mm):
    draw_phantom(path.with_name("twin.npz"), seed, 0.0)
    draw_phantom(path, seed, shift_mm)
    with np.load(path) as arrays, np.load(path.with_name("twin.npz")) as twin:
        np.savez(path, **dict(arrays), twin_hu=twin["hu"])
    path.with_name("twin.npz").unlink()


@pytest.fixture(scope="module")
def phantoms(tmp_path_factory):
    folder = tmp_path_factory.mktemp("phantoms")
    for number in range(2):
        write_with_twin(folder / f"{number:05d}.npz", number, 9.0)
    return cut_twins(sorted(folder.glob("*.npz")), 128, 1.8, 198.0, (-20.0, 55.0))


@pytest.fixture(scope="module")
def slices(phantoms):
    """Phantoms with twins, and the twins again as if they were real scans without haemorrhage."""
    real = phantoms.unshifted
    count = int(real.sum())
    scans = DenoiserSlices(
        phantoms.hu[real],
        phantoms.inside[real],
        phantoms.height[real],
        torch.ones(count, dtype=torch.bool),
        torch.full((count,), NO_TWIN),
        torch.ones(count, dtype=torch.bool),
    )
    return join([phantoms, scans])


def test_every_shifted_slice_knows_its_twin(phantoms):
    shifted = torch.nonzero(phantoms.twin != NO_TWIN)[:, 0]
    twins = phantoms.twin[shifted]
    assert len(shifted) == len(phantoms) / 2 and phantoms.unshifted[twins].all()
    assert torch.equal(phantoms.height[shifted], phantoms.height[twins])
    assert (phantoms.twin[twins] == NO_TWIN).all()


def test_phantoms_without_twins_are_reported(tmp_path):
    draw_phantom(tmp_path / "00000.npz", 0, 4.0)
    with pytest.raises(InputError, match="--twins"):
        cut_twins([tmp_path / "00000.npz"], 128, 1.8, 198.0, (-20.0, 55.0))


def test_a_straightened_twin_has_the_noise_of_its_phantom(tmp_path):
    path = tmp_path / "00000.npz"
    write_with_twin(path, 3, 9.0)
    with np.load(path) as arrays:
        content = dict(arrays)
    hu, opened = content["hu"], content["twin_hu"]
    noise = np.where(np.indices(hu.shape).sum(0) % 2, 7, -7).astype(np.int16)
    np.savez(path, **content | {"hu": hu + noise, "clean_hu": hu, "clean_straight_hu": opened - 11})
    cut = {kind: cut_twins([path], 128, 1.8, 198.0, (-20.0, 55.0), twin=kind) for kind in ("straightened", "opened")}
    shifted = cut["opened"].twin != NO_TWIN
    assert torch.equal(cut["straightened"].hu[shifted], cut["opened"].hu[shifted])
    np.savez(path, **content | {"twin_hu": opened + noise - 11})
    expected = cut_twins([path], 128, 1.8, 198.0, (-20.0, 55.0)).hu[~shifted]
    assert torch.equal(cut["straightened"].hu[~shifted], expected)
    assert not torch.equal(cut["opened"].hu[~shifted], expected)


def test_kinds_of_a_batch(slices):
    data = PairedDataset(slices, SETTINGS, seed=1, first=0, count=12)
    kinds = {"null": 0, "paired": 0, "unshifted": 0}
    for number in range(12):
        batch = data[number]
        assert not batch.paired[batch.classes == 0].any(), "a slice without a class is denoised toward itself"
        same = (batch.x == batch.target).flatten(1).all(1)
        assert same[~batch.paired].all() and not same[batch.paired].all()
        assert batch.timesteps.max() < 260 and batch.x.abs().max() <= 1
        kinds["null"] += int((batch.classes == 0).sum())
        kinds["paired"] += int(batch.paired.sum())
        kinds["unshifted"] += int(((batch.classes == 1) & ~batch.paired).sum())
    assert kinds["null"] / 144 == pytest.approx(0.3, abs=0.12)
    assert kinds["paired"] / 144 == pytest.approx(0.4, abs=0.12)


def test_a_batch_depends_on_its_number_alone(slices):
    one, other = PairedDataset(slices, SETTINGS, 5, 0, 9)[7], PairedDataset(slices, SETTINGS, 5, 4, 9)[3]
    for name in ("x", "target", "classes", "heights", "timesteps", "noise"):
        assert torch.equal(getattr(one, name), getattr(other, name)), name


def test_bent_slices_move_at_the_midline_and_not_at_the_skull(slices):
    data = PairedDataset(slices, SETTINGS, seed=2, first=0, count=8)
    moved = torch.cat([(b.x - b.target)[b.paired].abs().amax((0, 1))[None] for b in (data[k] for k in range(8))])
    across = moved.amax(0).amax(0)
    assert float(across[28:36].max()) > 0.3
    assert float(across[:4].max()) < 0.05


def test_the_loss_of_pairs_leads_to_the_twin(slices):
    batch = PairedDataset(slices, SETTINGS, seed=3, first=0, count=1)[0]
    schedule = linear()
    aims = noise_from_x0(
        schedule, add_noise(schedule, batch.x, batch.timesteps, batch.noise), batch.timesteps, batch.target
    )
    perfect = paired_loss(lambda xt, t, classes, heights: aims, schedule, batch)
    assert perfect.abs().max() < 1e-6
    keeps = paired_loss(lambda xt, t, classes, heights: batch.noise, schedule, batch)
    assert keeps[~batch.paired].abs().max() < 1e-4, "slices that stay themselves: the noise that was added"
    assert keeps[batch.paired].max() > 1e-4
    # what was not moved is smooth: weighing it makes keeping the shift dearer, and nothing else
    weighed = paired_loss(lambda xt, t, classes, heights: batch.noise, schedule, batch, anatomy_weight=5.0)
    assert torch.equal(weighed[~batch.paired], keeps[~batch.paired])
    assert weighed[batch.paired].sum() > 1.6 * keeps[batch.paired].sum()
    white = paired_loss(lambda xt, t, classes, heights: aims + batch.noise, schedule, batch)
    both = paired_loss(lambda xt, t, classes, heights: aims + batch.noise, schedule, batch, 2.0, 5.0)
    assert both[batch.paired].sum() < 1.5 * white[batch.paired].sum(), "noise hardly counts more"


def test_inside_of_bone():
    hu = torch.full((2, 128, 128), -1000.0)
    row, column = torch.meshgrid(torch.arange(128.0) - 63.5, torch.arange(128.0) - 63.5, indexing="ij")
    radius = (row**2 + column**2).sqrt()
    hu[0][radius < 50] = 1000.0
    hu[0][radius < 44] = 30.0
    inside = inside_of_bone(hu.half())
    assert inside.shape == (2, 64, 64) and inside[0, 32, 32] and not inside[0, 2, 2]
    assert not inside[1].any(), "nothing is known where no bone encloses anything"
