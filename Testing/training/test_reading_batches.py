"""Training batches: the truth goes with the picture through every re-cut, flip, scaling and further bend."""

import numpy as np
import pytest
import torch
from drawn_phantoms import draw_cohort, draw_phantom

from midlineshift_training.cohorts.phantom_store import load_phantoms, phantom_files, sampling_weights, split_phantoms
from midlineshift_training.cohorts.reading_batches import FrameVariation, ReadingBatches, make_batch
from MidlineShiftLogic.errors import InputError

FRAME = (128, 1.8, 198.0)


@pytest.fixture(scope="module")
def slices(tmp_path_factory):
    return load_phantoms(phantom_files(draw_cohort(tmp_path_factory.mktemp("cohort"), 6)))


def test_truth_in_the_undisturbed_frame(tmp_path):
    push = draw_phantom(tmp_path / "00000.npz", 3, 6.0)
    slices = load_phantoms(phantom_files(tmp_path))
    index = torch.nonzero(slices.readable)[:, 0]
    batch = make_batch(slices, index, None, *FRAME, torch.Generator())
    assert batch.ends[:, :, 0].abs().max() < 0.05  # the head stands upright in the middle
    assert (batch.ends[:, 1, 1] - batch.ends[:, 0, 1]).numpy() * 1.8 == pytest.approx(198.0, abs=0.5)
    deviation = (batch.ideal - batch.deformed) * batch.mm[:, None, None]
    # positive toward the patient's left, of the size of the push
    assert float(deviation.amax()) == pytest.approx(push, abs=0.25)
    assert float(batch.shifted[0, 0] * batch.mm[0]) == pytest.approx(float(slices.septum_shift[index[0]]), abs=0.3)


@pytest.mark.parametrize("broad", [True, False])
def test_the_bright_midline_lies_where_the_truth_says(slices, broad, monkeypatch):
    monkeypatch.setattr("midlineshift_training.cohorts.degrade.degrade", lambda hu, inside, g: hu)
    index = torch.nonzero(slices.readable)[:, 0][::3]
    batch = make_batch(slices, index, FrameVariation(broad=broad), *FRAME, torch.Generator().manual_seed(1))
    for k in range(len(index)):
        x, y = (batch.shifted[k] + 63.5).tolist()
        patch = batch.hu[k, round(y) - 1 : round(y) + 2, round(x) - 2 : round(x) + 3]
        assert float(patch.max()) > 45, "the falx is bright, the ventricles beside it are dark"


def test_field_and_line_agree(slices):
    index = torch.nonzero(slices.readable)[:, 0]
    batch = make_batch(slices, index, FrameVariation(broad=False), *FRAME, torch.Generator().manual_seed(2))
    axis = (torch.arange(64) - 31.5) * 2
    y, x = torch.meshgrid(axis, axis, indexing="ij")
    d = batch.ends[:, 1] - batch.ends[:, 0]
    n = torch.stack([d[:, 1], -d[:, 0]], -1) / d.norm(dim=-1, keepdim=True)
    mapped = torch.stack([x + batch.displacement[:, 1], y + batch.displacement[:, 0]], -1)
    distance = torch.einsum("bhwi,bi->bhw", mapped - batch.ends[:, None, None, 0], n)
    on_midline = (batch.deformed.abs() < 0.7) & (batch.inside > 0)
    assert float(distance[on_midline].abs().quantile(0.95)) < 1.0, "u carries the deformed midline onto the ideal one"


def test_a_batch_depends_on_its_number_alone(slices):
    make = lambda first: ReadingBatches(slices, 4, 10, FrameVariation(broad=False), *FRAME, seed=5, first=first)  # noqa: E731
    assert torch.equal(make(0)[7].hu, make(3)[4].hu)
    assert not torch.equal(make(0)[7].hu, make(0)[6].hu)


def test_shifted_slices_are_drawn_more_often(slices):
    weights = sampling_weights(slices)
    readable = slices.readable
    large = weights[readable & (slices.septum_shift.abs() > 4)].mean()
    small = weights[readable & (slices.septum_shift.abs() < 0.5)].mean()
    assert float(weights.sum()) == pytest.approx(1.0, abs=1e-4)
    assert large > 1.8 * small


def test_a_damaged_phantom_is_named(tmp_path):
    draw_phantom(tmp_path / "00000.npz", 0)
    bad = tmp_path / "00001.npz"
    bad.write_bytes((tmp_path / "00000.npz").read_bytes()[:5000])
    with pytest.raises(InputError, match=r"00001\.npz"):
        load_phantoms(phantom_files(tmp_path))
    with pytest.raises(InputError, match="No phantom"):
        phantom_files(tmp_path / "nothing")
    assert np.isfinite(load_phantoms(phantom_files(tmp_path)[:1]).hu.float()).all()


@pytest.mark.parametrize("spoil", [lambda q: q.pop("thickness_mm"), lambda q: q.update(height_mm=q["height_mm"][:3])])
def test_an_incomplete_phantom_is_named(tmp_path, spoil):
    draw_phantom(tmp_path / "00000.npz", 0)
    with np.load(tmp_path / "00000.npz") as archive:
        entries = dict(archive)
    spoil(entries)
    np.savez(tmp_path / "00000.npz", **entries)
    with pytest.raises(InputError, match=r"00000\.npz is not a complete phantom file"):
        load_phantoms(phantom_files(tmp_path))


def test_one_phantom_is_too_few_to_train_with(tmp_path):
    draw_phantom(tmp_path / "00000.npz", 0)
    with pytest.raises(InputError, match="two phantoms"):
        split_phantoms([tmp_path], 24)
    draw_phantom(tmp_path / "00001.npz", 1)
    assert [[path.name for path in part] for part in split_phantoms([tmp_path], 24)] == [["00000.npz"], ["00001.npz"]]
