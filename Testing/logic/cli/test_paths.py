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
