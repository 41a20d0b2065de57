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
from host.application import Host  # noqa: E402
from panel_fixture import PanelFixture  # noqa: E402
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
    panel = PanelFixture(host, fakes=False)
    host.window.resize(470, 640)
    while panel.ui.deviceLabel.text.startswith("Looking"):
        host.process()
        time.sleep(0.02)
    panel.click(panel.ui.loadSampleButton)
    shoot(host, "panel_scan", panel.ui.inputSelector)
    panel.click(panel.ui.measureButton)
    wait(host, panel)
    host.window.centralWidget().verticalScrollBar().setValue(panel.ui.resultBox.y)
    shoot(host, "panel_measured")
    panel.drag("shifted", -3.0)
    panel.ui.readerEdit.text = "Dr. R. Eader"
    panel.click(panel.ui.acceptButton)
    host.window.centralWidget().verticalScrollBar().setValue(99999)
    shoot(host, "panel_edited")
    panel.click(panel.ui.restoreAllButton)
    panel.choose_diffusion_model()
    panel.click(panel.ui.healthyCheckBox)
    wait(host, panel)
    panel.click(panel.ui.gridCheckBox)
    shoot(host, "panel_healthy", panel.ui.viewsLabel)
    host.close()


def wait(host: Host, panel: PanelFixture) -> None:
    """Until the child process is done."""
    while panel.state.value != "idle":
        host.process()
        time.sleep(0.02)


if __name__ == "__main__":
    main()
