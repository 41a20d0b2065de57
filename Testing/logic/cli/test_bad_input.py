"""Bad input at the command: each one sentence, no traceback, nothing half-written, the right exit code."""

import gzip
import io
import json
import pickle
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from scan_files import save_nifti


class Bomb:
    """Unpickled, it writes a file: the proof that a stranger's code ran."""

    def __init__(self, target):
        self.target = target

    def __reduce__(self):
        return (exec, (f"open({str(self.target)!r}, 'w').write('ran')",))


def no_such_path(folder, hu):
    return folder / "missing.nii.gz"


def empty_folder(folder, hu):
    (folder / "empty").mkdir()
    return folder / "empty"


def text_file(folder, hu):
    path = folder / "notes.txt"
    path.write_text("dear diary")
    return path


def text_named_nifti(folder, hu):
    path = folder / "notes.nii"
    path.write_text("dear diary " * 100)
    return path


def empty_file(folder, hu):
    path = folder / "nothing.nii.gz"
    path.write_bytes(b"")
    return path


def truncated_gzip(folder, hu):
    path = save_nifti(folder / "whole.nii.gz", hu)
    whole = path.read_bytes()
    cut = folder / "cut.nii.gz"
    cut.write_bytes(whole[: len(whole) // 2])
    return cut


def truncated_inside_gzip(folder, hu):
    path = save_nifti(folder / "whole.nii", hu)
    cut = folder / "cut.nii.gz"
    cut.write_bytes(gzip.compress(path.read_bytes()[:200_000], 1))
    return cut


def rgb_picture(folder, hu):
    path = folder / "photo.png"
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (256, 256, 3), np.uint8).astype(np.uint8)).save(path)
    return path


def pickle_file(folder, hu):
    path = folder / "cohort.pkl"
    path.write_bytes(pickle.dumps(Bomb(folder / "ran")))
    return path


def pickle_named_npy(folder, hu):
    path = folder / "case.npy"
    path.write_bytes(pickle.dumps(Bomb(folder / "ran")))
    return path


def object_npy(folder, hu):
    path = folder / "case.npy"
    np.save(path, np.array([Bomb(folder / "ran")], dtype=object), allow_pickle=True)
    return path


def npy_without_spacing(folder, hu):
    path = folder / "case.npy"
    np.save(path, hu)
    return path


UNREADABLE = [
    no_such_path, empty_folder, text_file, text_named_nifti, empty_file, truncated_gzip, truncated_inside_gzip,
    rgb_picture, pickle_file, pickle_named_npy, object_npy, npy_without_spacing,
]  # fmt: skip


@pytest.mark.parametrize("make", UNREADABLE)
def test_not_a_scan(midlineshift, fake_pipeline, tmp_path, head_hu, make):
    source = make(tmp_path, head_hu)
    done = midlineshift("measure", source, "--out", tmp_path / "out")
    assert done.code == 2, done
    assert done.out == "" and "Traceback" not in done.err
    assert " error: " in done.sentence and len(done.sentence) < 400
    assert not (tmp_path / "out").exists()
    assert not (tmp_path / "ran").exists(), "a stranger's code ran"


def mr_volume(folder, hu):
    rng = np.random.default_rng(0)
    inside = hu > -300
    mr = np.where(inside, 300 + 60 * np.sin(hu / 9.0), 4) + rng.normal(0, 5, hu.shape)
    return save_nifti(folder / "t1.nii.gz", np.clip(mr, 0, None))


def single_slice(folder, hu):
    return save_nifti(folder / "one.nii.gz", hu[16:17])


def three_slices(folder, hu):
    return save_nifti(folder / "three.nii.gz", hu[15:18])


def all_air(folder, hu):
    return save_nifti(folder / "air.nii.gz", np.full_like(hu, -1000))


def all_nan(folder, hu):
    return save_nifti(folder / "nan.nii.gz", np.full_like(hu, np.nan), dtype=None)


def window_export(folder, hu):
    return save_nifti(folder / "window.nii.gz", np.clip(hu, 0, 80) / 80 * 255, dtype=np.uint8)


MUST_NOT_BE_MEASURED = [mr_volume, single_slice, three_slices, all_air, all_nan, window_export]


@pytest.mark.parametrize("make", MUST_NOT_BE_MEASURED)
def test_scan_that_must_not_be_measured(midlineshift, fake_pipeline, tmp_path, head_hu, make):
    source = make(tmp_path, head_hu)
    done = midlineshift("measure", source, "--out", tmp_path / "out")
    assert "Traceback" not in done.out + done.err
    assert done.code in (2, 3), done
    name = source.name.removesuffix(".nii.gz")
    if done.code == 3:
        assert done.err == "" and len(done.out.splitlines()) == 1 and "refused, " in done.out
        (only,) = (tmp_path / "out" / name).iterdir()
        data = json.loads(only.read_text(encoding="utf-8"))
        assert data["refused"]["code"] and data["refused"]["message"] and data["case"]["shift_mm"] is None
    else:
        assert " error: " in done.sentence and not (tmp_path / "out").exists()
    assert fake_pipeline == [], "refused before a model is loaded"


def test_flat_picture_stored_as_two_dimensions(midlineshift, fake_pipeline, tmp_path, head_hu):
    import nibabel

    path = tmp_path / "flat.nii.gz"
    nibabel.save(nibabel.Nifti1Image(head_hu[16].astype(np.int16), np.eye(4)), path)
    done = midlineshift("measure", path, "--out", tmp_path / "out")
    assert done.code in (2, 3) and "Traceback" not in done.err


def test_part_of_it_nan_is_refused_or_flagged(midlineshift, fake_pipeline, tmp_path, head_hu):
    hu = head_hu.copy()
    hu[12:16, 100:140, 100:140] = np.nan
    source = save_nifti(tmp_path / "holes.nii.gz", hu, dtype=None)
    done = midlineshift("measure", source, "--out", tmp_path / "out")
    assert done.code in (0, 3) and done.err == ""
    text = (tmp_path / "out" / "holes" / "measurement.json").read_text(encoding="utf-8")

    def no_constant(word):
        pytest.fail(f"{word} is not JSON")

    assert json.loads(text, parse_constant=no_constant)["quality"], "holes in the scan must be flagged"


def test_six_hundred_thin_slices(midlineshift, fake_pipeline, tmp_path, head_hu):
    thin = np.repeat(head_hu[:, ::2, ::2], 19, axis=0)[:600]
    source = save_nifti(tmp_path / "thin.nii.gz", thin, (0.26, 1.8, 1.8))
    done = midlineshift("measure", source, "--out", tmp_path / "out")
    assert done.code == 0, done
    data = json.loads((tmp_path / "out" / "thin" / "measurement.json").read_text(encoding="utf-8"))
    assert len(data["slices"]) < 60, "thin slices are averaged into slabs of about 5 mm"


def test_path_with_spaces_and_letters_of_any_script(midlineshift, fake_pipeline, tmp_path, head_hu):
    folder = tmp_path / "Röntgen & CT" / "мозг 日本"
    folder.mkdir(parents=True)
    source = save_nifti(folder / "Schädel größe 脳.nii.gz", head_hu)
    done = midlineshift("measure", source, "--out", folder / "résultats")
    assert done.code == 0 and "Schädel größe 脳" in done.out
    assert (folder / "résultats" / "Schädel größe 脳" / "overlay.png").is_file()


@pytest.mark.parametrize("language", ["C", "en_US.ISO-8859-1"])
def test_terminal_that_cannot_show_the_name(tmp_path, language):
    done = subprocess.run(
        [sys.executable, "-m", "MidlineShiftLogic", "measure", "脳.nii", "--out", str(tmp_path / "out")],
        capture_output=True,
        env={
            "PATH": "",
            "LC_ALL": language,
            "PYTHONUTF8": "0",
            "PYTHONIOENCODING": "ascii",
            "PYTHONPATH": str(Path(__file__).parents[3]),
        },
        cwd=tmp_path,
    )
    assert done.returncode == 2 and b"Traceback" not in done.stderr and b"error: " in done.stderr


@pytest.mark.parametrize("kind", ["file", "folder"])
def test_malicious_model(midlineshift, scan, tmp_path, kind):
    """Given as a model, a pickle is refused and never run."""
    bomb = pickle.dumps(Bomb(tmp_path / "ran"))
    model = tmp_path / "model.pt"
    if kind == "file":
        model.write_bytes(bomb)
    else:
        model = tmp_path / "model"
        model.mkdir()
        (model / "model.json").write_bytes(bomb)
        buffer = io.BytesIO(bomb)
        (model / "deformation.safetensors").write_bytes(buffer.getvalue())
    done = midlineshift("measure", scan, "--out", tmp_path / "out", "--model", model)
    assert done.code == 2, done
    assert " error: " in done.sentence and "Traceback" not in done.err
    assert not (tmp_path / "ran").exists(), "a stranger's code ran"
    assert not (tmp_path / "out").exists()
