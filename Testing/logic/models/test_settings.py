"""Parameters of ``model.json`` that this version does not know, or cannot use, are named in a sentence."""

import pytest

from MidlineShiftLogic.errors import InputError
from MidlineShiftLogic.inference.noise_difference import NoiseSettings
from MidlineShiftLogic.measurement.distance import CaseRule
from MidlineShiftLogic.measurement.shift_settings import ShiftSettings
from MidlineShiftLogic.models.settings import parse_settings


def test_given_values_replace_the_defaults():
    settings = parse_settings(ShiftSettings, {"septum": [0.3, 0.5], "quantile": 1}, "'readout'")
    assert settings == ShiftSettings(septum=(0.3, 0.5), quantile=1)
    assert parse_settings(NoiseSettings, {}, "'noise'") == NoiseSettings()


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"quantil": 1.0}, "'readout' sets 'quantil', which this version does not know"),
        ({"quantile": "high"}, "'readout' sets 'quantile' to 'high'"),
        ({"quantile": True}, "'quantile' to True"),
        ({"septum": [0.3]}, "'septum'"),
        ({"septum": 0.3}, "'septum'"),
    ],
)
def test_others_are_refused(given, said):
    with pytest.raises(InputError, match=said) as caught:
        parse_settings(ShiftSettings, given, "'readout'")
    assert caught.value.code == "model-json"


def test_a_model_of_before_a_parameter_reads_as_it_did():
    """What version 3 wrote, to the letter: it knew no ``smooth_order`` and no ``agreement``."""
    version_3 = {"smooth_mm": 4.0, "smooth_fraction": 0.03, "quantile": 0.75, "window_mm": [0.0, 20.0]}
    settings = parse_settings(ShiftSettings, version_3, "'readout'")
    assert settings.smooth_order == 0 and settings.case_rule == CaseRule(0.75, (0.0, 20.0), 0.0)
    assert CaseRule.from_dict({"quantile": 0.75, "window_mm": [0.0, 20.0]}) == settings.case_rule


def test_names_of_earlier_versions_are_accepted():
    assert parse_settings(ShiftSettings, {"readable": 0.7}, "'readout'").min_confidence == 0.7
