"""What is measured unasked, decided by the headers."""

import pytest
from pacs_case import head_series

from MidlineShiftLogic.pacs.acceptance_rules import find_objection


def without(folder, *instance_numbers):
    import pydicom

    for path in list(folder.iterdir()):
        if pydicom.dcmread(path, stop_before_pixels=True).InstanceNumber in instance_numbers:
            path.unlink()
    return folder


def test_a_whole_head_passes(tmp_path):
    assert find_objection(head_series(tmp_path / "head")) is None


@pytest.mark.parametrize("missing", [(3,), (6, 7), (2, 11), (4, 5, 9)])
def test_missing_slices_are_counted(tmp_path, missing):
    found = find_objection(without(head_series(tmp_path / "head"), *missing))
    assert found.incomplete and found.sentence == f"it is incomplete: it lacks {len(missing)} of its slices"


def test_a_change_of_step_is_no_hole(tmp_path):
    """Thin at the base, thick above, numbers without a gap: scanned so."""

    def stretch(dataset, index):
        x, y, z = dataset.ImagePositionPatient
        dataset.ImagePositionPatient = [x, y, float(z) + max(0, index - 5) * 12.0]

    assert find_objection(head_series(tmp_path / "head", edit=stretch)) is None


def test_numbers_with_gaps_but_even_steps_are_no_hole(tmp_path):
    def number(dataset, index):
        dataset.InstanceNumber = 3 * index + 1

    assert find_objection(head_series(tmp_path / "head", edit=number)) is None


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"Modality": "MR"}, "not a CT"),
        ({"ImageType": ["ORIGINAL", "PRIMARY", "LOCALIZER"]}, "localizer"),
        ({"ConvolutionKernel": "BONE"}, "bone or lung kernel"),
        ({"slices": 3}, "only 3 images"),
        ({"ImagePositionPatient": None}, "do not state their position"),
    ],
)
def test_what_is_no_head_ct(tmp_path, changes, why):
    found = find_objection(head_series(tmp_path / "other", **changes))
    assert why in found.sentence and not found.incomplete


def test_an_unreadable_folder(tmp_path):
    (tmp_path / "x.dcm").write_bytes(b"DICM" * 100)
    assert "no images that can be read" in find_objection(tmp_path).sentence
