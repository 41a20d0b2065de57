from dataclasses import replace

import numpy as np
import pytest
import torch
from drawn_phantoms import draw_cohort, draw_phantom

from midlineshift_training.datasets.aligned_slices import AlignedSlices, load_aligned
from midlineshift_training.datasets.denoiser_dataset import DenoiserDataset, DenoiserDataSettings
from midlineshift_training.datasets.phantoms.files import phantom_files
from midlineshift_training.datasets.samplers import with_share
from midlineshift_training.datasets.settings import pick
from midlineshift_training.trainers.settings.diffusion import DiffusionSettings
from MidlineShiftLogic.errors import InputError

FRAME = {"size": 128, "pixel_mm": 1.8, "frame_mm": 198.0, "non_mls_below_mm": 1.5, "heights_mm": (-25.0, 70.0)}
USUAL = pick(DenoiserDataSettings, DiffusionSettings(batch=4))
STILL = replace(USUAL, rotation_deg=0.0, size_jitter=0.0, place_jitter_px=0.0, degraded_share=0.0)


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    return phantom_files(draw_cohort(tmp_path_factory.mktemp("cohort"), 4))


def test_heads_are_upright_centred_and_of_one_size(tmp_path):
    draw_phantom(tmp_path / "00000.npz", seed=3, shift_mm=0.0)
    slices = load_aligned(phantom_files(tmp_path), "all", **FRAME)
    image = slices.hu[0].float()
    falx = image[24:104, 44:84].argmax(dim=1).float() + 44
    assert falx[:20].median() == pytest.approx(63.5, abs=1)
    assert falx[-20:].median() == pytest.approx(63.5, abs=1)
    rows = (image[:, 63] > 20).nonzero()[:, 0]  # falx and both skull walls, 1.09 x 198 mm
    assert (rows.max() - rows.min() + 1) * 1.8 == pytest.approx(1.09 * 198, abs=5)


def test_cohorts(files):
    everyone, unshifted = (load_aligned(files, cohort, **FRAME) for cohort in ("all", "non-mls"))
    assert 0 < len(unshifted) < len(everyone)
    assert (unshifted.case_shift < 1.5).all()
    assert everyone.hu.dtype == torch.float16


def test_an_empty_cohort_is_reported(tmp_path):
    draw_phantom(tmp_path / "00000.npz", seed=0, shift_mm=8.0)
    with pytest.raises(InputError, match="non-mls"):
        load_aligned(phantom_files(tmp_path), "non-mls", **FRAME)


def test_a_head_without_any_falx_is_passed_over(files, tmp_path):
    for name, source in (("00000.npz", files[0]), ("00001.npz", files[1])):
        with np.load(source) as archive:
            arrays = dict(archive)
        if name == "00000.npz":
            arrays["has_midline"] = np.zeros_like(arrays["has_midline"])
        np.savez(tmp_path / name, **arrays)
    assert len(load_aligned(phantom_files(tmp_path), "all", **FRAME)) > 0


def test_a_batch_depends_on_seed_and_number_alone(files):
    slices = load_aligned(files, "all", **FRAME)
    whole, tail = (DenoiserDataset(slices, USUAL, 7, *span) for span in ((0, 6), (4, 2)))
    assert len(list(whole)) == 6
    for name in ("x", "timesteps", "noise"):
        assert torch.equal(getattr(whole[5], name), getattr(tail[1], name))
        assert not torch.equal(getattr(whole[0], name), getattr(whole[1], name))
    assert whole[0].x.shape == (4, 1, 64, 64)
    assert whole[0].x.abs().max() <= 1


def test_flips_are_the_only_change_when_nothing_else_is_asked_for():
    hu = torch.zeros(1, 128, 128).half()
    hu[0, 20:40, 100:120] = 80
    slices = AlignedSlices(hu, torch.ones(1, 64, 64, dtype=torch.bool), torch.zeros(1))
    expected = torch.full((64, 64), -1.0)
    expected[10:20, 50:60] = 1
    seen = set()
    for number in range(6):
        for x in DenoiserDataset(slices, STILL, 0, 0, 6)[number].x[:, 0]:
            straight, flipped = torch.allclose(x, expected, atol=1e-3), torch.allclose(x.flip(-1), expected, atol=1e-3)
            assert straight or flipped
            seen.add(straight)
    assert seen == {True, False}


def test_shifted_cases_make_the_wished_share_of_the_draws():
    shifted = torch.tensor([False, False, False, True])
    weights = with_share(torch.ones(4), shifted, 0.5)
    assert weights[3] / weights.sum() == pytest.approx(0.5)
    assert torch.equal(with_share(torch.ones(3), torch.zeros(3, dtype=torch.bool), 0.5), torch.ones(3))


def test_validation_steps_cover_the_schedule(files):
    slices = load_aligned(files, "all", **FRAME)
    steps = torch.cat([b.timesteps for b in DenoiserDataset(slices, STILL, 1, 0, 10, even_steps=True)])
    counts = torch.bincount(steps // 250, minlength=4)
    assert (counts == 10).all()
