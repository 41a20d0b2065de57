"""Slices of a set in the networks' frame: landmarks stay on what they mark, however a slice is cut and varied."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from landmark_sets import SPACING, drawn_case, write_authors_layout

from midlineshift_training.datasets.annotated.case import AnnotatedCase
from midlineshift_training.datasets.annotated.load import load_dataset
from midlineshift_training.datasets.annotated_slices import cut_slices, head_mask, to_aligned_slices
from midlineshift_training.datasets.landmark_dataset import (
    LandmarkDataset,
    LandmarkDataSettings,
    cut_landmark_batch,
    identity,
)
from midlineshift_training.datasets.samplers import SliceSampler, with_share
from midlineshift_training.datasets.transforms.frame_variation import draw_affine
from MidlineShiftLogic.errors import InputError

CUT = {
    "size": 128, "pixel_mm": 1.8, "frame_mm": 198.0, "frame": "as scanned", "slices": "authors",
    "heights_mm": (-25.0, 70.0), "non_mls_below_mm": 1.5,
}  # fmt: skip
STILL = LandmarkDataSettings(4, None, None, mirror=0.0, rotation_deg=0.0, size_jitter=0.0, place_jitter_px=0.0)


@pytest.fixture(scope="module")
def cases(tmp_path_factory):
    return load_dataset(write_authors_layout(tmp_path_factory.mktemp("authors"), cases=4), SPACING)


@pytest.fixture(scope="module")
def slices(cases):
    return cut_slices(cases, **CUT)


@pytest.fixture(scope="module")
def marked(tmp_path_factory):
    """A case whose four landmarks are bright squares of different sizes of brightness."""
    folder = tmp_path_factory.mktemp("marked")
    hu, landmarks = drawn_case(folder, 5, 6.0)
    index, points = list(landmarks.items())[4]
    hu = np.where((hu > 0) & (hu < 300), 10, hu)
    for k, (column, row) in enumerate(np.rint(points).astype(int)):
        hu[index, row - 2 : row + 3, column - 2 : column + 3] = 40 + 10 * k
    np.save(folder / "case.npy", hu)
    pixel = SPACING[1:]
    return AnnotatedCase(
        "m", "m", folder / "case.npy", pixel, SPACING, landmarks={index: np.rint(points)}, of_file=True
    ), index


def at(image, points):
    """Values of (H, W) at (4, 2) px (column, row)."""
    column, row = points.round().long().unbind(-1)
    return image[row, column]


def test_the_authors_slices_and_every_labelled_one(cases):
    slices = cut_slices(cases, **CUT)
    assert len(slices) == 4 * (27 - 8 - 5)
    low = replace(cases[1], landmarks={2: next(iter(cases[1].landmarks.values()))})
    assert len(cut_slices([low], **CUT)) == 15
    brain = cut_slices(cases[:1], **CUT | {"slices": "brain"})
    assert len(brain) == 27  # the drawn head is equally large everywhere
    assert slices.labelled.sum() == 3
    assert slices.true_mm[slices.labelled] == pytest.approx([7.2] * 3, abs=0.02)
    assert slices.limit_mm.reshape(4, 14)[:, 0].tolist() == pytest.approx([0, 7.2, 0, 7.2], abs=0.01)


def test_landmarks_are_on_what_they_mark(marked):
    case, _ = marked
    aligned = {"angle": np.radians(9.0), "falx_length_mm": 215.0, "height_mm": [0.0] * 27}
    aligned["centre_mm"] = [[118.0, 112.0]] * 27
    for pose, frame, size, pixel_mm in ((None, "as scanned", 256, 0.9), (aligned, "aligned", 256, 0.9)):
        cut = cut_slices([replace(case, pose=pose)], **CUT | {"frame": frame, "size": size, "pixel_mm": pixel_mm})
        row = int(cut.labelled.nonzero()[0])
        assert at(cut.hu[row].float(), cut.landmarks[row] + (size - 1) / 2) == pytest.approx([40, 50, 60, 70], abs=2)
        batch = cut_landmark_batch(cut, torch.tensor([row]), identity(1))
        assert float(batch.true_mm[0]) == pytest.approx(float(cut.true_mm[row]), rel=1e-4)
        varied = replace(STILL, mirror=0.5, rotation_deg=15.0, size_jitter=0.1, place_jitter_px=5.0).affine
        for seed in range(6):
            transform = draw_affine(1, varied, size, torch.Generator().manual_seed(seed))
            batch = cut_landmark_batch(cut, torch.tensor([row]), transform)
            assert at(batch.hu[0], batch.landmarks[0]) == pytest.approx([40, 50, 60, 70], abs=3), seed
            # lengths in mm do not depend on the size that a head is shown in
            assert batch.true_mm[0] == pytest.approx(float(cut.true_mm[row]), rel=1e-3)
            assert batch.limit[0] * batch.pixel_mm[0] == pytest.approx(case.limit_mm, rel=1e-3)


def test_unlabelled_slices_have_no_landmarks_and_unknown_cases_no_limit(cases):
    unknown = replace(cases[0], shifted=None, case_mm=None)
    batch = LandmarkDataset(cut_slices([unknown], **CUT), STILL, 0, 0, 1)[0]
    assert batch.landmarks.isnan().all() and batch.limit.isnan().all() and batch.true_mm.isnan().all()


def test_the_denoisers_cohorts(cases):
    assert len(cut_slices(cases, cohort="non-mls", **CUT)) == len(cut_slices(cases, **CUT)) / 2
    flagged = [replace(case, case_mm=None, landmarks={}) for case in cases]
    denoiser = to_aligned_slices(cut_slices(flagged, **CUT), 1.5)
    assert denoiser.case_shift.unique().tolist() == [0, 1.5]  # shifted, nobody knows how far
    with pytest.raises(InputError, match="cohort 'non-mls'"):
        cut_slices([replace(cases[0], shifted=None, case_mm=None)], cohort="non-mls", **CUT)
    with pytest.raises(InputError, match="Unknown frame"):
        cut_slices(cases, **CUT | {"frame": "upside down"})


def test_the_authors_mask():
    hu = np.full((20, 20), -1000.0)
    hu[4:16, 4:16] = 30
    hu[8:11, 8:11] = -5  # a hole
    hu[1, 1] = 50  # a speck outside
    mask = head_mask(hu)
    assert mask.sum() == 144 and mask[9, 9] and not mask[1, 1]
    assert not head_mask(np.full((5, 5), -3.0)).any()


def test_batches_depend_on_seed_and_number_alone(slices):
    settings = replace(STILL, labelled_share=0.5, mirror=0.5, rotation_deg=10.0)
    whole, tail = (LandmarkDataset(slices, settings, 3, *span) for span in ((0, 6), (4, 2)))
    assert torch.equal(whole[5].hu, tail[1].hu) and torch.equal(whole[5].index, tail[1].index)
    assert not torch.equal(whole[4].hu, whole[5].hu)


def test_equal_weights_take_every_slice_once_an_epoch():
    drawing = SliceSampler(torch.ones(10), 4, seed=1)
    drawn = torch.cat([drawing.slices(number, torch.Generator()) for number in range(5)])
    assert drawn[:10].sort().values.tolist() == drawn[10:].sort().values.tolist() == list(range(10))
    assert drawn[:10].tolist() != drawn[10:].tolist()


def test_shares_are_kept_by_weight(slices):
    weights = with_share(torch.ones(len(slices)), slices.labelled, 0.5)
    drawing = SliceSampler(weights, 2000, seed=0)
    drawn = drawing.slices(0, torch.Generator().manual_seed(0))
    assert slices.labelled[drawn].float().mean() == pytest.approx(0.5, abs=0.05)
    assert torch.equal(with_share(weights, slices.labelled, None), weights)
