"""Training batches: the truth goes with the picture through every re-cut, flip, scaling and further bend."""

import numpy as np
import pytest
import torch
from drawn_phantoms import draw_cohort, draw_phantom

from midlineshift_training.datasets.midline_dataset import MidlineDataset, cut_midline_batch
from midlineshift_training.datasets.phantom_slices import load_phantoms, sampling_weights
from midlineshift_training.datasets.phantoms.files import phantom_files, split_phantoms
from midlineshift_training.datasets.transforms import degrade, midline_warp
from midlineshift_training.datasets.transforms.frame_variation import FrameVariation
from MidlineShiftLogic.errors import InputError

FRAME = (128, 1.8, 198.0)


@pytest.fixture(scope="module")
def slices(tmp_path_factory):
    return load_phantoms(phantom_files(draw_cohort(tmp_path_factory.mktemp("cohort"), 6)))


def test_truth_in_the_undisturbed_frame(tmp_path):
    push = draw_phantom(tmp_path / "00000.npz", 3, 6.0)
    slices = load_phantoms(phantom_files(tmp_path))
    index = torch.nonzero(slices.measurable)[:, 0]
    batch = cut_midline_batch(slices, index, None, *FRAME, torch.Generator())
    assert batch.ends[:, :, 0].abs().max() < 0.05  # the head stands upright in the middle
    assert (batch.ends[:, 1, 1] - batch.ends[:, 0, 1]).numpy() * 1.8 == pytest.approx(198.0, abs=0.5)
    deviation = (batch.ideal - batch.deformed) * batch.mm[:, None, None]
    # positive toward the patient's left, of the size of the push
    assert float(deviation.amax()) == pytest.approx(push, abs=0.25)
    assert float(batch.shifted[0, 0] * batch.mm[0]) == pytest.approx(float(slices.septum_shift[index[0]]), abs=0.3)


@pytest.mark.parametrize(("broad", "unequal"), [(True, 0.0), (False, 0.0), (False, 1.0)])
def test_the_bright_midline_is_where_the_truth_says(slices, broad, unequal, monkeypatch):
    monkeypatch.setattr("midlineshift_training.datasets.transforms.degrade.degrade", lambda hu, inside, g: hu)
    monkeypatch.setattr("midlineshift_training.datasets.transforms.degrade.fill_ventricles", lambda hu, *_: hu)
    index = torch.nonzero(slices.measurable)[:, 0][::3]
    variation = FrameVariation(broad=broad, unequal=unequal)
    batch = cut_midline_batch(slices, index, variation, *FRAME, torch.Generator().manual_seed(1))
    for k in range(len(index)):
        x, y = (batch.shifted[k] + 63.5).tolist()
        patch = batch.hu[k, round(y) - 1 : round(y) + 2, round(x) - 2 : round(x) + 3]
        assert float(patch.max()) > 45, "the falx is bright, the ventricles beside it are dark"


def test_field_and_line_agree(slices):
    index = torch.nonzero(slices.measurable)[:, 0]
    batch = cut_midline_batch(slices, index, FrameVariation(broad=False), *FRAME, torch.Generator().manual_seed(2))
    axis = (torch.arange(64) - 31.5) * 2
    y, x = torch.meshgrid(axis, axis, indexing="ij")
    d = batch.ends[:, 1] - batch.ends[:, 0]
    n = torch.stack([d[:, 1], -d[:, 0]], -1) / d.norm(dim=-1, keepdim=True)
    mapped = torch.stack([x + batch.displacement[:, 1], y + batch.displacement[:, 0]], -1)
    distance = torch.einsum("bhwi,bi->bhw", mapped - batch.ends[:, None, None, 0], n)
    on_midline = (batch.deformed.abs() < 0.7) & (batch.inside > 0)
    assert float(distance[on_midline].abs().quantile(0.95)) < 1.0, "u carries the deformed midline onto the ideal one"


def test_an_attachment_slides_along_a_skull_that_stays(slices, monkeypatch):
    monkeypatch.setattr("midlineshift_training.datasets.transforms.degrade.degrade", lambda hu, inside, g: hu)
    monkeypatch.setattr("midlineshift_training.datasets.transforms.degrade.fill_ventricles", lambda hu, *_: hu)
    index = torch.nonzero(slices.measurable)[:, 0][:8]
    still = FrameVariation(broad=False, mirror=0.0, bend=0.0, asymmetric=0.0)
    carried = FrameVariation(broad=False, mirror=0.0, bend=0.0, asymmetric=1.0, asymmetric_mm=6.0)
    # which of the two ways a slice is carried is drawn; here it is set
    changes, loose_tissue = [], midline_warp.loose_tissue
    for share in (0.0, 1.0):
        monkeypatch.setattr(
            midline_warp, "loose_tissue", lambda inside, chance, s=share, f=loose_tissue: f(inside, chance * 0 + s)
        )
        before, after = (
            cut_midline_batch(slices, index, v, *FRAME, torch.Generator().manual_seed(4)) for v in (still, carried)
        )
        moved = (after.ends - before.ends)[..., 0].abs()
        assert float(moved.max()) * 1.8 > 3.0
        bone = (before.hu > 300) | (after.hu > 300)
        changes.append(float((after.hu - before.hu).abs()[bone].mean()))
        assert not torch.allclose(after.hu[~bone], before.hu[~bone])
    with_skull, within = changes
    assert within < 0.6 * with_skull, "the inner half of the bone goes along, the outer stays"


def test_finer_slices_show_the_same_head_at_the_same_place(slices):
    index = torch.nonzero(slices.measurable)[:, 0][:8]
    plain, fine = (
        cut_midline_batch(slices, index, None, *FRAME, torch.Generator(), upsampling) for upsampling in (1, 2)
    )
    assert fine.hu.shape == (8, 256, 256)
    assert torch.equal(fine.deformed, plain.deformed)
    assert torch.allclose(torch.nn.functional.avg_pool2d(fine.hu, 2), plain.hu, atol=0.01)
    varied = cut_midline_batch(slices, index, FrameVariation(broad=False), *FRAME, torch.Generator().manual_seed(3), 2)
    assert torch.isfinite(varied.hu).all()


def test_a_batch_depends_on_its_number_alone(slices):
    make = lambda first: MidlineDataset(slices, 4, 10, FrameVariation(broad=False), *FRAME, seed=5, first=first)  # noqa: E731
    assert torch.equal(make(0)[7].hu, make(3)[4].hu)
    assert not torch.equal(make(0)[7].hu, make(0)[6].hu)


def test_shifted_slices_are_drawn_more_often(slices):
    weights = sampling_weights(slices)
    measurable = slices.measurable
    large = weights[measurable & (slices.septum_shift.abs() > 4)].mean()
    small = weights[measurable & (slices.septum_shift.abs() < 0.5)].mean()
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


def test_carried_attachments_take_the_ideal_midline_along(tmp_path, monkeypatch):
    monkeypatch.setattr("midlineshift_training.datasets.transforms.degrade.degrade", lambda hu, inside, g: hu)
    monkeypatch.setattr("midlineshift_training.datasets.transforms.degrade.fill_ventricles", lambda hu, *_: hu)
    draw_phantom(tmp_path / "00000.npz", 3, 0.0)
    slices = load_phantoms(phantom_files(tmp_path))
    index = torch.nonzero(slices.measurable)[:, 0]
    still = {"broad": False, "mirror": 0.0, "bend": 0.0}
    draw = lambda share: cut_midline_batch(  # noqa: E731
        slices,
        index,
        FrameVariation(**still, asymmetric=share, asymmetric_mm=4.0),
        *FRAME,
        torch.Generator().manual_seed(4),
    )
    straight, carried_along = draw(0.0), draw(1.0)
    carried = (carried_along.ends - straight.ends).norm(dim=-1) * 1.8
    assert float(carried.amax()) > 3.0
    # the septum stays where it is, so its distance from the new line is what the line was moved by there
    shift = (carried_along.ideal - carried_along.deformed) * 1.8
    moved = (carried_along.ideal - straight.ideal) * 1.8
    near = straight.deformed.abs() < 2
    middle = torch.zeros_like(near)
    middle[:, 30:34] = True
    assert float((shift - moved)[near & middle].abs().quantile(0.9)) < 1.0
    assert float(shift[near & middle].abs().amax()) > 1.5


def test_real_slices_make_their_share_of_the_draws(tmp_path):
    draw_phantom(tmp_path / "00000.npz", 0, 5.0)
    draw_phantom(tmp_path / "00001.npz", 1)
    with np.load(tmp_path / "00001.npz") as archive:
        entries = dict(archive) | {"pseudo": np.array(True)}
    np.savez(tmp_path / "00001.npz", **entries)
    slices = load_phantoms(phantom_files(tmp_path))
    weights = sampling_weights(slices, unlabelled_share=0.25)
    assert float(weights[slices.unlabelled].sum()) == pytest.approx(0.25, abs=1e-4)
    assert float(weights[slices.unlabelled & ~slices.measurable].sum()) == 0, "what these show is not known"
    assert float(weights.sum()) == pytest.approx(1.0, abs=1e-4)


def test_ventricular_blood_hugs_the_deformed_midline_without_covering_it():
    axis = (torch.arange(64) - 31.5) * 3.6
    y, x = torch.meshgrid(axis, axis, indexing="ij")
    deformed, along = (x - 6.0).expand(60, -1, -1), ((y + 99) / 198).expand(60, -1, -1)
    hu = torch.full((60, 128, 128), 30.0)
    measurable = torch.ones(60)
    measurable[:20] = 0
    filled = degrade.fill_ventricles(hu, deformed, along, measurable, torch.Generator().manual_seed(1))
    changed = (filled - hu).abs() > 10
    assert not changed[:20].any(), "nothing is known of slices that cannot be read"
    hit = torch.nonzero(changed.any(2).any(1))[:, 0]
    assert 1 < len(hit) < 20
    fine = (torch.arange(128) - 63.5) * 1.8
    across, run = fine[None, :] - 6.0, (fine[:, None] + 99) / 198
    for k in hit.tolist():
        where = changed[k]
        assert float(across.expand(128, -1)[where].abs().max()) < 13
        assert float(run.expand(-1, 128)[where].min()) > 0.15 and float(run.expand(-1, 128)[where].max()) < 0.7
    assert torch.isfinite(filled).all()
