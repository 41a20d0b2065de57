"""Slices are named by the number that the PACS shows; without one, by their place counted from 1."""

from dataclasses import replace

import pytest
from synthetic_case import drawn_head, measured

from MidlineShiftLogic.measurement.slice_names import INSTANCE_NUMBERS, number_of, slice_name, slice_number


@pytest.fixture(scope="module")
def measurement():
    ct = drawn_head(shape=(24, 60, 50), spacing=(5.0, 3.2, 3.6))
    return replace(measured(ct)[0], input={"shape": [24, 60, 50]})


@pytest.mark.parametrize(
    ("sources", "numbers", "says"),
    [
        ((), None, "8"),  # a NIfTI file
        ((7,), None, "8"),
        ((7,), list(range(24, 0, -1)), "17"),  # the scanner counted from the top
        ((6, 7, 8), list(range(1, 25)), "7-9"),  # a slab
        ((8, 6, 7), list(range(24, 0, -1)), "16-18"),
        ((0, 1, 2), [1, 2, 3], "8"),  # cut from sagittal images: each slice was made of all
        ((99,), list(range(1, 25)), "8"),
    ],
)
def test_the_number_is_that_of_the_images(sources, numbers, says):
    assert slice_number(7, sources, {INSTANCE_NUMBERS: numbers}) == says


def test_the_name_has_the_total(measurement):
    assert slice_name(measurement, 7) == "slice 8 of 24"
    assert slice_name(replace(measurement, input={}), 7) == "slice 8"
    dicom = replace(measurement, input={"shape": [24, 60, 50], INSTANCE_NUMBERS: list(range(101, 149))})
    assert slice_name(dicom, 7) == "slice 115-116 of 48" and number_of(dicom, 7) == "115-116"
    assert slice_name(dicom, 23, (46, 47)) == "slice 147-148 of 48", "a slice that was not measured"
