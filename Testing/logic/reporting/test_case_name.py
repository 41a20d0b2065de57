"""Names of result folders: readable, allowed by every file system, one a case."""

import pytest

from MidlineShiftLogic.reporting.case_name import case_name, case_names, unique_names


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("scans/head.nii.gz", "head"),
        ("head.NII", "head"),
        ("a/b/series 7/", "series 7"),
        ("Schädel Größe 日本.mha", "Schädel Größe 日本"),
        ("v1.2.nrrd", "v1.2"),
        ("case.2024", "case.2024"),
        ("what?:*.nii", "what_"),
        ("CON.nii", "_CON"),
        (".nii.gz", "nii"),
        ("..hidden.npy", "hidden"),
    ],
)
def test_name(path, name):
    assert case_name(path) == name


def test_current_folder_has_a_name(tmp_path, monkeypatch):
    (tmp_path / "series").mkdir()
    monkeypatch.chdir(tmp_path / "series")
    assert case_name(".") == "series"
    assert case_name("..") == tmp_path.name


def test_long_names_fit_a_file_system():
    assert len(case_name("ü" * 300 + ".nii").encode()) <= 120


def test_same_names_are_reported_apart():
    assert case_names(["a/x.nii", "b/x.nii.gz", "c/X.mha", "x-2.nii"]) == ["x", "x-2", "X-3", "x-2-2"]


def test_thousands_of_the_same_name_take_no_time(monkeypatch):
    """A cohort whose scans are all called CT: names that are taken are not tried from the first on each time."""
    asked = 0

    class Name(str):
        def casefold(self):
            nonlocal asked
            asked += 1
            return str.casefold(self)

    names = unique_names(Name("CT") for _ in range(2000))
    assert names[:3] == ["CT", "CT-2", "CT-3"] and names[-1] == "CT-2000" and len(set(names)) == 2000
    assert asked < 10 * 2000
