"""A picture of the panel in every state: drawn, not empty, and another one in each state."""

from __future__ import annotations

import itertools

import numpy as np
from panel_fixture import PanelFixture
from PIL import Image


def test_every_state_can_be_seen(host, tmp_path):
    panel = PanelFixture(host)
    taken = []

    def take(name: str) -> None:
        path = tmp_path / f"{len(taken)}_{name}.png"
        host.picture(path)
        picture = np.asarray(Image.open(path).convert("L"), float)
        assert picture.std() > 20, name
        taken.append((name, picture))

    take("empty")
    panel.installer.lacking = ["torch>=2.2"]
    panel.enter()
    take("missing")
    panel.click(panel.ui.installButton)
    panel.installer.log("Collecting torch>=2.2")
    take("installing")
    panel.installer.lacking = []
    panel.installer.end("")
    panel.choose_scan()
    take("chosen")
    panel.click(panel.ui.measureButton)
    panel.runner.progress(5, 14)
    take("running")
    panel.runner.line('{"type": "error", "message": "The GPU has too little free memory.", "code": "memory"}')
    panel.runner.end(1)
    panel.click(panel.ui.detailsButton)
    take("error")
    panel.measure()
    take("measured")
    panel.drag("shifted", -6.0)
    take("edited")
    panel.click(panel.ui.gridCheckBox)
    take("grid")
    panel.ui.readerEdit.text = "Dr. R. Eader"
    panel.click(panel.ui.acceptButton)
    take("accepted")
    panel.click(panel.ui.scanLayoutButton)
    take("scan only")
    for (before, one), (after, two) in itertools.pairwise(taken):
        assert one.shape != two.shape or np.abs(one - two).max() > 50, f"{before} looks like {after}"
