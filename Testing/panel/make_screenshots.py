"""Make the README's pictures of the panel: the shipped sample scan, measured by the real child process.

Run ``python Testing/panel/make_screenshots.py``. The panel is the real one in the test host, not in Slicer: there the
buttons look as Slicer's do.
"""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "helpers")]

import host.application  # noqa: E402
from bench import MODULE, Bench, FakeDialogs  # noqa: E402
from host.application import Host  # noqa: E402
from PIL import Image  # noqa: E402

TARGET = HERE.parents[1] / "Resources" / "Screenshots"
COLOURS = 224
host.application.VIEW_SIZE = (420, 460)


def shoot(host: Host, name: str, scroll_to=None) -> None:
    """Save panel and views with few colours, so that the file is small."""
    if scroll_to is not None:
        host.show(scroll_to)
    path = TARGET / f"{name}.png"
    host.picture(path)
    Image.open(path).convert("RGB").quantize(COLOURS).save(path, optimize=True)
    print(path, path.stat().st_size)


def main() -> None:
    host = Host(Path(tempfile.mkdtemp()))
    host.load_module(MODULE)
    host.window.resize(470, 640)
    bench = Bench.__new__(Bench)
    bench.host, bench.ui, bench.panel, bench.dialogs = host, host.widget.ui, host.widget.panel, FakeDialogs()
    while bench.ui.deviceLabel.text.startswith("Looking"):
        host.process()
        time.sleep(0.02)
    bench.click(bench.ui.loadSampleButton)
    shoot(host, "panel_scan", bench.ui.inputSelector)
    bench.click(bench.ui.measureButton)
    wait(host, bench)
    host.window.centralWidget().verticalScrollBar().setValue(bench.ui.resultBox.y)
    shoot(host, "panel_measured")
    bench.drag("shifted", -3.0)
    bench.ui.readerEdit.text = "Dr. R. Eader"
    bench.click(bench.ui.acceptButton)
    host.window.centralWidget().verticalScrollBar().setValue(99999)
    shoot(host, "panel_edited")
    bench.click(bench.ui.restoreAllButton)
    bench.choose_painter()
    bench.click(bench.ui.healthyCheckBox)
    wait(host, bench)
    bench.click(bench.ui.gridCheckBox)
    shoot(host, "panel_healthy", bench.ui.viewsLabel)
    host.close()


def wait(host: Host, bench: Bench) -> None:
    """Until the child process is done."""
    while bench.panel.state.value != "idle":
        host.process()
        time.sleep(0.02)


if __name__ == "__main__":
    main()
