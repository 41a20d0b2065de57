"""What a person does with the panel, on the panel as it is."""

import pytest
from panel_fixture import PanelFixture
from scenarios import SCENARIOS


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.__name__)
def test_scenario(host, scenario):
    scenario(PanelFixture(host))
