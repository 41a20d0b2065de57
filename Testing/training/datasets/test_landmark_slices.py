"""Sparse landmarks of real slices as training truth: where they say something it is exact, elsewhere it counts nothing."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from drawn_phantoms import PIXEL_MM
from landmark_sets import write_scan

from midlineshift_training.datasets import landmark_slices
from midlineshift_training.datasets.annotated.case import AnnotatedCase, SliceDetails
from midlineshift_training.datasets.landmark_slices import LandmarkLine, load_labelled
from midlineshift_training.datasets.midline_dataset import cut_midline_batch
from midlineshift_training.datasets.phantom_slices import join, sampling_weights, take
from midlineshift_training.datasets.transforms.frame_variation import FrameVariation
from MidlineShiftLogic.errors import InputError
from MidlineShiftLogic.geometry.frame import Frame

FRAME = (128, 1.8, 198.0)


def outputs(ct, model, device):
    """What a model would say of the head: where it is and what is inside the skull."""
    middle = (np.array(ct.hu.shape[:0:-1]) - 1) / 2 * PIXEL_MM
    frame = Frame(128, 1.8, 0.0, 1.0, np.tile(middle, (ct.n_slices, 1)))
    chosen = np.arange(ct.n_slices)
    maps = SimpleNamespace(inside=np.ones((ct.n_slices, 64, 64), np.float32))
    pose = SimpleNamespace(falx_length_mm=150.0)
    return SimpleNamespace(frame=frame, chosen=chosen, maps=maps, pose=pose, height=ct.heights * 1.0)


@pytest.fixture
def case(tmp_path, monkeypatch):
    monkeypatch.setattr(landmark_slices, "run_networks", outputs)
    path, landmarks = write_scan(tmp_path, "head", 3, 7.0)
    kept = dict(list(landmarks.items())[2:6])
    details = {next(iter(kept)): SliceDetails(confidence=0.35)}
    return AnnotatedCase("head", "head", path, (PIXEL_MM, PIXEL_MM), landmarks=kept, details=details)


@pytest.fixture
def undegraded(monkeypatch):
    base = "midlineshift_training.datasets.transforms.degrade"
    monkeypatch.setattr(f"{base}.degrade", lambda hu, inside, g: hu)
    monkeypatch.setattr(f"{base}.fill_ventricles", lambda hu, *_: hu)


def test_the_line_is_known_at_the_points_and_the_ends():
    points = np.array([[100.0, 20.0], [100.0, 220.0], [105.0, 96.0], [100.0, 96.0]])
    line = LandmarkLine(points, [np.array([102.0, 60.0])], np.array([0.5, 0.5]))
    assert line.length == pytest.approx(100.0)
    assert line.fractions == pytest.approx([0, 0.2, 0.38, 1.0])
    assert line.deviation(np.array([0, 0.2, 0.38, 1.0])) == pytest.approx([0, 1.0, 2.5, 0])  # to the patient's left
    assert line.known(line.fractions) == pytest.approx(np.ones(4))
    assert line.known(np.array([0.7])) < 1e-3


def test_points_beyond_the_ends_or_too_near_each_other_are_left_out():
    points = np.array([[100.0, 20.0], [100.0, 220.0], [105.0, 96.0], [100.0, 96.0]])
    further = [np.array([130.0, 97.0]), np.array([90.0, 10.0]), np.array([90.0, 219.0])]
    line = LandmarkLine(points, further, np.array([0.5, 0.5]))
    assert line.fractions == pytest.approx([0, 0.38, 1.0])


def test_a_bent_slice_has_exactly_known_new_landmarks(case, undegraded):
    slices = load_labelled([case], None)
    assert len(slices) == 4 and slices.labelled.all() and not slices.unlabelled.any()
    index = torch.arange(4).repeat(4)
    variation = FrameVariation(broad=False, bend=1.0, bend_mm=25.0)
    batch = cut_midline_batch(slices, index, variation, *FRAME, torch.Generator().manual_seed(1))
    moved = ((batch.ideal - batch.deformed) * batch.known).abs().amax((1, 2)) * batch.mm
    assert float(moved.max()) > 12.0, "some are bent far beyond what was annotated"
    for k in range(len(index)):
        x, y = (batch.shifted[k] + 63.5).tolist()
        patch = batch.hu[k, round(y) - 1 : round(y) + 2, round(x) - 2 : round(x) + 3]
        assert float(patch.max()) > 45, "the falx is bright, the ventricles beside it are dark"


def test_only_known_places_count_and_by_their_confidence(case, undegraded):
    slices = load_labelled([case], None)
    batch = cut_midline_batch(slices, torch.arange(4), None, *FRAME, torch.Generator())
    assert batch.weight.tolist() == pytest.approx([0.35, 1, 1, 1])
    d = batch.ends[:, 1] - batch.ends[:, 0]
    for fraction, least, most in ((0.0, 0.9, 1.0), (0.38, 0.9, 1.0), (0.75, 0.0, 0.05), (1.0, 0.9, 1.0)):
        x, y = (batch.ends[:, 0] + fraction * d).T
        at = batch.known[torch.arange(4), (y / 2 + 31.5).round().long(), (x / 2 + 31.5).round().long()]
        assert (at >= least).all() and (at <= most).all()


def test_labelled_slices_make_their_share_of_a_mixture(case):
    labelled = load_labelled([case], None)
    others = take(labelled, torch.arange(4))
    others.labelled = torch.zeros(4, dtype=torch.bool)
    mixed = join([labelled, others])
    weights = sampling_weights(mixed, labelled_share=0.3)
    assert float(weights.sum()) == pytest.approx(1.0, abs=1e-5)
    assert float(weights[mixed.labelled].sum()) == pytest.approx(0.3, abs=1e-5)
    assert weights[0] < weights[1], "a reader who was not sure is drawn less often"
    assert float(sampling_weights(labelled).sum()) == pytest.approx(1.0, abs=1e-5)


def test_a_set_without_labels_is_refused(case, monkeypatch):
    with pytest.raises(InputError, match="landmarks"):
        load_labelled([AnnotatedCase("a", "a", case.path, (PIXEL_MM, PIXEL_MM))], None)
