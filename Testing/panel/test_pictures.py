"""A picture of the panel in every state: drawn, not empty, and another one in each state."""

from __future__ import annotations

import itertools

import numpy as np
from bench import Bench
from PIL import Image


def test_every_state_can_be_seen(host, tmp_path):
    bench = Bench(host)
    taken = []

    def take(name: str) -> None:
        path = tmp_path / f"{len(taken)}_{name}.png"
        host.picture(path)
        picture = np.asarray(Image.open(path).convert("L"), float)
        assert picture.std() > 20, name
        taken.append((name, picture))

    take("empty")
    bench.installer.lacking = ["torch>=2.2"]
    bench.panel.enter()
    take("missing")
    bench.click(bench.ui.installButton)
    bench.installer.log("Collecting torch>=2.2")
    take("installing")
    bench.installer.lacking = []
    bench.installer.end("")
    bench.choose_scan()
    take("chosen")
    bench.click(bench.ui.measureButton)
    bench.runner.progress(5, 14)
    take("running")
    bench.runner.line('{"type": "error", "message": "The GPU has too little free memory.", "code": "memory"}')
    bench.runner.end(1)
    bench.click(bench.ui.detailsButton)
    take("error")
    bench.measure()
    take("measured")
    bench.drag("shifted", -6.0)
    take("edited")
    bench.click(bench.ui.gridCheckBox)
    take("grid")
    bench.ui.readerEdit.text = "Dr. R. Eader"
    bench.click(bench.ui.acceptButton)
    take("accepted")
    bench.click(bench.ui.scanLayoutButton)
    take("scan only")
    for (before, one), (after, two) in itertools.pairwise(taken):
        assert one.shape != two.shape or np.abs(one - two).max() > 50, f"{before} looks like {after}"
