"""Cut slices are kept for the next run, and never taken where anything that they depend on has changed."""

import os
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from drawn_phantoms import draw_cohort
from landmark_sets import SPACING, write_authors_layout

from midlineshift_training.datasets import aligned_slices, annotated_slices, slice_cache
from midlineshift_training.datasets.aligned_slices import load_aligned
from midlineshift_training.datasets.annotated.load import load_dataset
from midlineshift_training.datasets.annotated_slices import cut_slices
from midlineshift_training.datasets.phantoms.files import phantom_files
from midlineshift_training.datasets.slice_cache import map_cached, map_phantoms
from midlineshift_training.trainers.processes import Launch
from MidlineShiftLogic.errors import InputError

CUT = {
    "size": 64, "pixel_mm": 3.6, "frame_mm": 198.0, "frame": "as scanned", "slices": "authors",
    "heights_mm": (-25.0, 70.0), "non_mls_below_mm": 1.5,
}  # fmt: skip


class Counted:
    """A function that counts its calls."""

    def __init__(self, function):
        self.function, self.calls = function, 0

    def __call__(self, *arguments, **more):
        self.calls += 1
        return self.function(*arguments, **more)


@pytest.fixture
def doubled():
    return Counted(lambda number: {"value": torch.tensor([2.0 * number]), "text": "said"})


def doubles(doubled, cache, numbers=(1, 2, 3), **key):
    results = list(map_cached(doubled, numbers, lambda number: {"number": number} | key, cache, "doubling"))
    assert [float(one["value"]) for one in results] == [2.0 * number for number in numbers]
    assert all(one["text"] == "said" for one in results)
    return doubled.calls


def test_a_second_time_nothing_is_made(doubled, tmp_path):
    cache = tmp_path / "folder of" / "a cache"
    assert doubles(doubled, cache) == 3
    assert doubles(doubled, cache) == 3
    assert doubles(doubled, cache, (4, 3)) == 4
    assert len(list(cache.iterdir())) == 4


def test_without_a_cache_all_is_made_and_no_key_is_asked_for(doubled):
    list(map_cached(doubled, [1, 2], None, None, "doubling"))
    assert doubled.calls == 2


def test_another_setting_code_or_library_makes_another_entry(doubled, tmp_path, monkeypatch):
    assert doubles(doubled, tmp_path, size=64) == 3
    assert doubles(doubled, tmp_path, size=128) == 6
    monkeypatch.setattr(slice_cache, "code_digest", lambda: "another")
    assert doubles(doubled, tmp_path, size=64) == 9
    monkeypatch.setattr(slice_cache, "package_version", lambda name: "9.9")
    assert doubles(doubled, tmp_path, size=64) == 12
    assert doubles(doubled, tmp_path, size=64) == 12


def test_the_digest_of_the_code_follows_every_file(tmp_path, monkeypatch):
    root = tmp_path / "package"
    (root / "part").mkdir(parents=True)
    (root / "part" / "one.py").write_text("A = 1\n", encoding="utf-8")
    monkeypatch.setattr(slice_cache, "CODE", (root,))
    digest = slice_cache.code_digest.__wrapped__  # without the cache of one process
    before = digest()
    assert digest() == before
    (root / "part" / "one.py").write_text("A = 2\n", encoding="utf-8")
    assert digest() != before


class Bomb:
    """What a pickle may hold."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


@pytest.mark.filterwarnings("ignore:Corrupt cache file")
@pytest.mark.parametrize("damage", ["truncated", "empty", "other", "pickle"])
def test_a_damaged_entry_is_made_again_and_nothing_in_it_is_run(damage, doubled, tmp_path):
    cache = tmp_path / "cache"
    doubles(doubled, cache, (1,))
    (entry,) = cache.iterdir()
    good = entry.read_bytes()
    if damage == "pickle":
        torch.save(Bomb(tmp_path / "ran"), entry)
    else:
        entry.write_bytes({"truncated": good[: len(good) // 2], "empty": b"", "other": b"no entry at all"}[damage])
    assert doubles(doubled, cache, (1,)) == 2
    assert not (tmp_path / "ran").exists()


def test_a_disk_that_takes_no_more_does_not_stop_a_run(doubled, tmp_path, monkeypatch):
    def full(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(torch, "save", full)
    assert doubles(doubled, tmp_path) == 3


def test_an_error_of_a_case_is_raised_and_not_kept(tmp_path):
    def refuse(_):
        raise InputError("This case is bad.", "bad")

    for _ in range(2):
        with pytest.raises(InputError, match="This case is bad"):
            list(map_cached(refuse, [1], lambda _: {}, tmp_path / "cache", "refusing"))
    assert not list((tmp_path / "cache").iterdir())


def test_a_cache_that_cannot_be_made_is_one_sentence(doubled, tmp_path):
    (tmp_path / "file").write_text("", encoding="utf-8")
    with pytest.raises(InputError, match="--no-cache"):
        doubles(doubled, tmp_path / "file" / "cache")


@pytest.fixture
def cuts(monkeypatch):
    counted = Counted(annotated_slices.align)
    monkeypatch.setattr(annotated_slices, "align", counted)
    return counted


@pytest.fixture(scope="module")
def cases(tmp_path_factory):
    return load_dataset(write_authors_layout(tmp_path_factory.mktemp("authors"), cases=2), SPACING)


def test_scans_are_cut_once(cases, cuts, tmp_path):
    first = cut_slices(cases, **CUT, cache=tmp_path)
    assert cuts.calls == 2
    again = cut_slices(cases, **CUT, cache=tmp_path)
    assert cuts.calls == 2
    for name, values in vars(first).items():
        assert torch.equal(values.nan_to_num(-9.0), getattr(again, name).nan_to_num(-9.0)), name
    assert again.hu.dtype == torch.float16 and again.head.dtype == torch.bool


def test_scans_are_cut_anew_where_it_matters_only(cases, cuts, tmp_path):
    cut_slices(cases, **CUT, cache=tmp_path)
    weighted = [replace(case, name=f"renamed {case.name}", weight=0.5) for case in cases]
    assert (cut_slices(weighted, **CUT, cache=tmp_path).weight == 0.5).all()
    cut_slices(cases, **CUT, cohort="non-mls", cache=tmp_path)
    assert cuts.calls == 2, "weights, names and cohorts are no part of what is cut"
    cut_slices(cases, **CUT | {"pixel_mm": 1.7}, cache=tmp_path)
    assert cuts.calls == 4
    moved = [replace(case, landmarks={k: p + 1 for k, p in case.landmarks.items()}) for case in cases]
    labelled = sum(bool(case.landmarks) for case in cases)
    cut_slices(moved, **CUT, cache=tmp_path)
    assert cuts.calls == 4 + labelled
    other = tmp_path / "other.npy"
    shutil.copy(cases[0].path, other)
    cut_slices([replace(cases[0], path=other)], **CUT, cache=tmp_path)
    assert cuts.calls == 4 + labelled, "the same scan at another place"
    hu = np.load(other)
    hu[10, 100, 100] += 5
    np.save(other, hu)
    cut_slices([replace(cases[0], path=other)], **CUT, cache=tmp_path)
    assert cuts.calls == 5 + labelled


def test_poses_that_a_table_lacks_are_estimated_once(cases, cuts, tmp_path, monkeypatch):
    pose = {"angle": 0.1, "falx_length_mm": 180.0, "centre_mm": [[118.0, 112.0]] * 27, "height_mm": [0.0] * 27}
    estimated = Counted(lambda ct, model: (pose, "") if estimated.calls == 1 else (None, "no midline"))
    model = type("model", (), {"provenance": {"name": "one"}})
    monkeypatch.setattr(annotated_slices, "estimated_pose", estimated)
    monkeypatch.setattr(annotated_slices, "open_pose_model", lambda name: model)
    for _ in range(2):
        assert len(cut_slices(cases, **CUT | {"frame": "aligned"}, cache=tmp_path)) == 14
        assert estimated.calls == 2, "neither what was found nor that nothing was found is looked for again"
    model.provenance = {"name": "another"}
    estimated.calls = 0
    cut_slices(cases, **CUT | {"frame": "aligned"}, cache=tmp_path)
    assert estimated.calls == 2


def test_both_cohorts_share_the_phantoms(tmp_path, monkeypatch):
    files = phantom_files(draw_cohort(tmp_path / "cohort", 4))
    counted = Counted(aligned_slices.cut_midline_batch)
    monkeypatch.setattr(aligned_slices, "cut_midline_batch", counted)
    frame = {"size": 32, "pixel_mm": 7.2, "frame_mm": 198.0, "non_mls_below_mm": 1.5, "heights_mm": (-25.0, 70.0)}
    everyone = load_aligned(files, "all", **frame, cache=tmp_path / "cache")
    made = counted.calls
    unshifted = load_aligned(files, "non-mls", **frame, cache=tmp_path / "cache")
    assert counted.calls == made and 0 < len(unshifted) < len(everyone)
    assert torch.equal(unshifted.hu, load_aligned(files, "non-mls", **frame).hu)


def test_phantoms_are_known_by_their_contents_and_settings(tmp_path):
    files = [tmp_path / f"{number}.npz" for number in range(3)]
    for number, path in enumerate(files):
        path.write_bytes(bytes([number]))
    calls = []

    def sizes(path, factor, offset):
        calls.append(path.name)
        value = path.read_bytes()[0]
        return {"value": torch.tensor(factor * value + offset)} if value != 1 else {}

    def values(*settings):
        return [int(one["value"]) for one in map_phantoms(sizes, files, settings, tmp_path / "cache", "measuring")]

    assert values(10, 1) == [1, 21] and values(10, 1) == [1, 21]
    assert calls == ["0.npz", "1.npz", "2.npz"], "a phantom that gives nothing is kept, too"
    assert values(10, 2) == [2, 22] and len(calls) == 6
    files[2].write_bytes(b"\x05")
    assert values(10, 1) == [1, 51] and calls[6:] == ["2.npz"]


def test_runs_beside_one_another_share_the_folder(tmp_path):
    assert Launch().slice_cache(tmp_path / "runs" / "one") == tmp_path / "runs" / "slice-cache"
    assert Launch(cache=Path("elsewhere")).slice_cache(tmp_path / "one") == Path("elsewhere")
    assert Launch(no_cache=True, cache=Path("elsewhere")).slice_cache(tmp_path / "one") is None
