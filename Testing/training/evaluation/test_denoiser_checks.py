"""Checks of the pseudo-healthy image: what would be an invention, a shift kept or a random image is distinguished."""

from dataclasses import dataclass, replace
from types import SimpleNamespace

import numpy as np
import pytest
from drawn_phantoms import draw_phantom

from midlineshift_training.datasets.phantoms.files import phantom_scan
from midlineshift_training.evaluation import denoiser_checks
from midlineshift_training.evaluation.denoiser_checks import LIMITS, KnownTwin, check_denoiser, judge
from midlineshift_training.evaluation.run_denoiser_checks import DenoiserPlan, run_denoiser_checks, table
from MidlineShiftLogic.errors import InputError
from MidlineShiftLogic.measurement.pseudo_healthy import PseudoHealthy


@dataclass(frozen=True)
class Description:
    noise: dict


@dataclass(frozen=True)
class Model:
    """A model whose pseudo-healthy image is made by ``paint(hu of the scan, seed)``."""

    paint: object
    description: Description = Description({"seed": 0})
    has_denoisers: bool = True
    name: str = "painter"

    @property
    def noise(self):
        return self.description.noise

    @property
    def provenance(self):
        return {"name": self.name}


@pytest.fixture
def head(tmp_path, monkeypatch):
    """A drawn head with a shift of 9 mm, its twin, and its line."""
    draw_phantom(tmp_path / "00000.npz", 4, 9.0)
    draw_phantom(tmp_path / "00001.npz", 4, 0.0)
    ct, entries = phantom_scan(tmp_path / "00000.npz")
    twin, _ = phantom_scan(tmp_path / "00001.npz")

    def paint(ct, model, device, slices=None):
        index = np.arange(ct.n_slices)
        hu = np.clip(model.paint(ct.hu, model.noise["seed"]), 0, 80).astype(np.float32)
        return PseudoHealthy(index, hu, (np.abs(ct.hu) < 90).astype(np.float32), {})

    def measured(ct, model):
        return SimpleNamespace(signed_shift_mm=9.0 if np.array_equal(ct.hu, shifted) else 2.0)

    shifted = ct.hu
    monkeypatch.setattr(denoiser_checks, "make_pseudo_healthy", paint)
    monkeypatch.setattr(denoiser_checks, "_measured", measured)
    line = float(entries["line_angle"]), np.asarray(entries["line_offset"], float)
    return ct, twin.hu, KnownTwin(twin.hu, ct.hu, twin.hu - 5, *line)


def test_an_image_of_the_twin_passes(head):
    ct, twin, known = head
    model = Model(lambda hu, seed: twin)
    shifted = check_denoiser("a", ct, model, True, known)
    assert shifted.twin_after_hu < 0.05 * shifted.twin_before_hu < shifted.straight_after_hu
    assert (shifted.shift_mm, shifted.healthy_shift_mm, shifted.makings_hu) == (9.0, 2.0, 0.0)
    unshifted = check_denoiser("b", ct, Model(lambda hu, seed: hu), False)
    assert unshifted.ssim == pytest.approx(1.0) and unshifted.change_hu == 0 and unshifted.twin_before_hu is None
    result = judge([shifted, unshifted])
    assert result["passed"] and result["figures"]["shift_left"] == pytest.approx(2 / 9, abs=1e-3)


def test_noise_that_slice_and_twin_share_is_not_held_against_the_image(head):
    ct, twin, known = head
    noise = 10 * np.random.default_rng(0).standard_normal(ct.hu.shape).astype(np.float32)
    noisy = replace(ct, hu=ct.hu + noise)
    check = check_denoiser("a", noisy, Model(lambda hu, seed: twin), True, known)
    assert check.twin_after_hu < 0.05 * check.twin_before_hu
    shared = replace(known, hu=twin + noise, shifted_hu=noisy.hu)
    assert (
        check_denoiser("a", noisy, Model(lambda hu, seed: twin), True, shared).twin_after_hu > 2 * check.twin_after_hu
    )


def test_an_image_that_keeps_the_shift_fails(head):
    ct, _twin, known = head
    check = check_denoiser("a", ct, Model(lambda hu, seed: hu + 1), True, known)
    result = judge([replace(check, healthy_shift_mm=9.0)])
    assert not result["kept"]["twin_error_left"] and not result["kept"]["shift_left"] and not result["passed"]


def test_a_random_image_fails(head):
    ct, _twin, known = head
    paint = lambda hu, seed: hu + 30 * np.random.default_rng(seed).standard_normal(hu.shape)  # noqa: E731
    check = check_denoiser("a", ct, Model(paint), True, known)
    assert check.makings_hu > LIMITS["makings"] * check.change_hu
    assert not judge([check])["kept"]["makings"]


def test_what_was_not_looked_at_is_not_passed(head):
    ct, twin, known = head
    result = judge([check_denoiser("a", ct, Model(lambda hu, seed: twin), True, known)])
    assert result["figures"]["ssim"] is None and not result["passed"]


def test_the_files_and_what_is_missing(head, tmp_path, monkeypatch):
    model = Model(lambda hu, seed: hu)
    with pytest.raises(InputError, match="--phantoms"):
        run_denoiser_checks(model, DenoiserPlan(), tmp_path / "out")
    with pytest.raises(InputError, match="No head"):  # drawn phantoms have no twin
        run_denoiser_checks(model, DenoiserPlan(phantoms=tmp_path), tmp_path / "out")
    assert not (tmp_path / "out").exists()
    with np.load(tmp_path / "00000.npz") as arrays:
        np.savez(tmp_path / "00000.npz", **dict(arrays), twin_hu=head[1].astype(np.int16))
    result = run_denoiser_checks(model, DenoiserPlan(phantoms=tmp_path, cases=1), tmp_path / "out")
    assert not result["passed"] and "NOT passed" in table(result)
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"denoiser.json", "denoiser.csv", "accuracy.json"}
