"""The released model measures the two samples as it did: a refactoring changes no number."""

import json
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

import golden

STORED = json.loads(golden.FILE.read_text(encoding="utf-8"))
TOLERANCE_MM = 0.01
"""Processors add up in different orders; a thousandth of what readers agree to."""


def test_the_stored_numbers_are_of_the_released_model():
    assert golden.model_identity() == STORED["model"], "run Testing/logic/released/golden.py for a new model"


@pytest.mark.parametrize("name", golden.NAMES)
def test_a_sample_is_measured_as_it_was(name):
    found, stored = golden.measured(name), STORED["samples"][name]
    assert (found["slice"], found["quality"]) == (stored["slice"], stored["quality"])
    for key in ("case_mm", "slices_mm", "heights_mm", "landmarks_lps_mm"):
        assert found[key].keys() == stored[key].keys()
        for part, value in stored[key].items():
            assert found[key][part] == pytest.approx(value, abs=TOLERANCE_MM), f"{key} {part}"
