"""Make the README's pictures of the panel: the shipped sample scan, measured by the real child process.

Run ``python Testing/panel/make_screenshots.py``; with ``--all FOLDER`` the pictures that are looked at and not kept: every
state in windows of several sizes, light and dark, and with letters of one and a half times the size. The panel is the real
one in the test host, not in Slicer: there the buttons look as Slicer's do.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "helpers")]

import host.application  # noqa: E402
import slicer  # noqa: E402
from host.application import Host  # noqa: E402
from panel_fixture import PanelFixture  # noqa: E402
from PIL import Image  # noqa: E402
from PySide6 import QtGui, QtWidgets  # noqa: E402

TARGET = HERE.parents[1] / "Resources" / "Screenshots"
SMALL = (1366, 768)
"""The smallest screen that a radiologist's desk has."""
PANEL_WIDTH = 430
DARK = {
    "Window": "#2d2d30", "WindowText": "#e6e6e6", "Base": "#1e1e1e", "AlternateBase": "#2d2d30", "Text": "#e6e6e6",
    "Button": "#3c3c3f", "ButtonText": "#e6e6e6", "Highlight": "#3d6fb4", "HighlightedText": "#ffffff", "Mid": "#5a5a5e",
    "PlaceholderText": "#a0a0a0",
}  # fmt: skip
FADED = "#7d7d80"
SHAPES = (
    ("small", SMALL, PANEL_WIDTH, 1.0, False),
    ("dark", SMALL, PANEL_WIDTH, 1.0, True),
    ("large", (1920, 1080), 480, 1.0, False),
    ("narrow", SMALL, 360, 1.0, False),
    ("letters", SMALL, 360, 1.5, False),
)
"""Of ``--all``: name, size of the window, width of the panel, size of the letters, and whether it is dark."""


def paint_dark(application: QtWidgets.QApplication) -> None:
    """Slicer's dark theme, about."""
    palette, roles = QtGui.QPalette(), QtGui.QPalette.ColorRole
    for name, colour in DARK.items():
        palette.setColor(getattr(roles, name), QtGui.QColor(colour))
    for name in ("WindowText", "Text", "ButtonText"):
        palette.setColor(QtGui.QPalette.ColorGroup.Disabled, getattr(roles, name), QtGui.QColor(FADED))
    application.setPalette(palette)


class Pictures:
    """One panel in a window of a size, photographed."""

    def __init__(self, folder: Path, size: tuple[int, int], panel_width: int = PANEL_WIDTH, real_child: bool = True):
        host.application.VIEWS_SIZE = (size[0] - panel_width - host.application.GAP, size[1])
        self.folder = folder
        self.host = Host(Path(tempfile.mkdtemp()))
        self.panel = PanelFixture(self.host, fakes=not real_child)
        self.host.window.resize(panel_width, size[1])
        self.wait(lambda: not self.panel.ui.deviceLabel.text.startswith("Looking") or not real_child)

    def wait(self, done) -> None:
        """Let the panel and its child work."""
        while not done():
            self.host.process()
            time.sleep(0.02)

    def shoot(self, name: str, scroll_to=None) -> None:
        """Save panel and views."""
        bar = self.host.window.centralWidget().verticalScrollBar()
        bar.setValue(0 if scroll_to is None else scroll_to.y)
        self.host.process()
        path = self.folder / f"{name}.png"
        self.host.picture(path)
        Image.open(path).convert("RGB").save(
            path, optimize=True
        )  # fewer colours would change those of the displacement
        print(path, path.stat().st_size)

    def load(self, scan: Path | None = None) -> None:
        """Load a scan as *Add data* does, or the sample by its button."""
        if scan is None:
            self.panel.click(self.panel.ui.loadSampleButton)
        else:
            self.panel.ui.inputSelector.setCurrentNode(slicer.util.loadVolume(str(scan)))
        self.host.process()

    def measure(self) -> None:
        self.panel.click(self.panel.ui.measureButton)
        self.wait(lambda: self.panel.state.value == "idle")

    def edit(self) -> None:
        outward = 1 if self.panel.editor.measurement.signed_shift_mm < 0 else -1
        self.panel.drag("shifted", 3.0 * outward)
        self.panel.ui.readerEdit.text = "Dr. R. Eader"
        self.panel.click(self.panel.ui.acceptButton)


def all_states(folder: Path, scan: Path | None) -> None:
    """Every state at each size, light and dark, with letters of usual and of one and a half times the size."""
    folder.mkdir(parents=True, exist_ok=True)
    application = QtWidgets.QApplication.instance() or QtWidgets.QApplication(["pictures"])
    light, font = application.palette(), application.font()
    for name, size, width, scale, dark in SHAPES:
        larger = application.font()
        larger.setPointSizeF(font.pointSizeF() * scale)
        application.setFont(larger)
        if dark:
            paint_dark(application)
        pictures = Pictures(folder, size, width)
        pictures.shoot(f"{name}_1_empty")
        pictures.load(scan)
        pictures.shoot(f"{name}_2_scan")
        pictures.panel.click(pictures.panel.ui.measureButton)
        pictures.wait(
            lambda pictures=pictures: pictures.panel.ui.progressBar.value > 0 or pictures.panel.state.value == "idle"
        )
        pictures.shoot(f"{name}_3_running")
        pictures.wait(lambda pictures=pictures: pictures.panel.state.value == "idle")
        pictures.shoot(f"{name}_4_measured")
        pictures.shoot(f"{name}_5_slices", pictures.panel.ui.reviewBox)
        pictures.edit()
        pictures.shoot(f"{name}_6_accepted")
        pictures.panel.click(pictures.panel.ui.scanLayoutButton)
        pictures.shoot(f"{name}_7_scan_only", pictures.panel.ui.exportBox)
        pictures.host.close()
        application.setFont(font)
        application.setPalette(light)


def main() -> None:
    """Make the committed pictures, or the others where asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--all", type=Path, metavar="FOLDER", help="Make the other pictures instead, into this folder.")
    parser.add_argument("--scan", type=Path, help="With --all: a scan of your own instead of the sample.")
    options = parser.parse_args()
    if options.scan and not options.all:
        parser.error("--scan needs --all: a picture of a patient is not for the repository")
    if options.all:
        all_states(options.all, options.scan)
        return
    pictures = Pictures(TARGET, SMALL)
    pictures.load()
    pictures.shoot("panel_scan")
    pictures.measure()
    pictures.shoot("panel_measured")
    pictures.edit()
    pictures.shoot("panel_edited")
    application = QtWidgets.QApplication.instance()
    light = application.palette()
    paint_dark(application)
    pictures.shoot("panel_dark", pictures.panel.ui.reviewBox)
    pictures.host.close()
    application.setPalette(light)


if __name__ == "__main__":
    main()
