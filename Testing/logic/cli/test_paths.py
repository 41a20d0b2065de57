"""An unset variable of a script gives an empty path, which must not mean the current folder."""

import pytest
from command import midlineshift

__all__ = ["midlineshift"]


@pytest.mark.parametrize(
    ("arguments", "name"),
    [
        (["measure", "", "--out", "out"], "INPUT"),
        (["measure", "scan.nii.gz", "--out", " "], "--out"),
        (["report", ""], "CASE"),
        (["pacs", "push", "", "--to", "A@127.0.0.1:1"], "PATH"),
        (["pacs", "pull", "--from", "A@127.0.0.1:1", "--study", "1.2", "--out", ""], "--out"),
    ],
)
def test_an_empty_path_is_refused(midlineshift, tmp_path, monkeypatch, arguments, name):
    monkeypatch.chdir(tmp_path)
    done = midlineshift(*arguments)
    assert done.code == 2 and name in done.err and "it is empty; give a path" in done.err
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "arguments",
    [
        ["measure", "none.nii.gz"],
        ["measure", "none.nii.gz", "none2.nii.gz", "--model", "none"],
        ["measure", "none.nii.gz", "--resume", "--model", "none"],
        ["pseudo-healthy", "none.nii.gz", "--model", "none"],
        ["import-sr", "none.dcm"],
        ["write-case", "none.nii.gz", "--result", "none.json"],
    ],
)
def test_a_mistake_leaves_no_folder_that_it_made_and_every_other(midlineshift, tmp_path, monkeypatch, arguments):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "there").mkdir()
    for out in ("new", "new/deep", "there"):
        assert midlineshift(*arguments, "--out", out).code == 2
        assert [path.name for path in tmp_path.iterdir()] == ["there"]
