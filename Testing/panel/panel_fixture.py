"""The panel fixture: the real panel with fake collaborators that do what a test says, and a drawn head to work on."""

from __future__ import annotations

import contextlib
import io
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from mrml_core import add_volume
from PySide6 import QtCore
from PySide6.QtTest import QTest
from synthetic_case import drawn_head, measured

from MidlineShiftLogic.measurement.distance import CaseRule
from MidlineShiftLogic.measurement.pseudo_healthy import PseudoHealthy
from MidlineShiftLogic.reporting.fields_file import write_fields
from MidlineShiftLogic.reporting.healthy_files import write_healthy
from MidlineShiftLogic.reporting.measurement_json import to_json

MODULE = Path(__file__).parents[2] / "MidlineShift" / "MidlineShift.py"
SHAPE = (14, 120, 100)
SPACING = (6.0, 1.7, 1.7)
SHIFT_MM = 8.0


@dataclass
class FakeDialogs:
    """Answers as it is set; remembers what was asked."""

    scan: str = ""
    result: str = ""
    folder: str = ""
    yes: bool = True
    asked: list[str] = field(default_factory=list)

    def chooseScan(self) -> str:
        return self.scan

    def chooseResult(self) -> str:
        return self.result

    def chooseFolder(self, title: str) -> str:
        self.asked.append(title)
        return self.folder

    def confirm(self, question: str) -> bool:
        self.asked.append(question)
        return self.yes


@dataclass
class FakeInstaller:
    """Lacks what it is set to; an install ends when ``end`` is called."""

    lacking: list[str] = field(default_factory=list)
    installs: list[str] = field(default_factory=list)

    def missing(self) -> list[str]:
        return list(self.lacking)

    def install(self, log, done, wheels="") -> None:
        self.installs.append(wheels)
        self.log, self.end = log, done


class FakeRunner:
    """A process that says what a test makes it say, also after it was stopped."""

    def __init__(self):
        self.running, self.started, self.stops = False, [], 0

    def start(self, arguments, onLine, onEnd, folder, environment=None) -> None:
        self.running = True
        self.started.append(list(arguments))
        self.line, self._onEnd = onLine, onEnd
        self.cwd, self.environment = folder, environment

    def stop(self) -> None:
        self.running = False
        self.stops += 1

    def end(self, code: int) -> None:
        self.running = False
        self._onEnd(code)

    def work(self) -> None:
        """Do in this process what the last command says, as the child would, and report its lines and end."""
        from MidlineShiftLogic.cli.main import _run

        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            code = _run(self.started[-1][3:])
        for line in printed.getvalue().splitlines():
            self.line(line)
        self.end(code)

    def option(self, name: str) -> str:
        """Value of an option of the last command."""
        command = self.started[-1]
        return command[command.index(name) + 1]

    def progress(self, done: int, total: int) -> None:
        self.line(f'{{"type": "progress", "done": {done}, "total": {total}, "what": "reading slices"}}')

    def finish(self, measurement, dense, end: bool = True) -> None:
        """Write the result where the command wanted it, say so, and exit."""
        folder = Path(self.option("--out")) / "scan"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "measurement.json").write_text(to_json(measurement), encoding="utf-8")
        write_fields(folder / "fields.npz", dense)
        self.line(f'{{"type": "result", "refused": null, "folder": "{folder.as_posix()}"}}')
        if end:
            self.end(0)

    def finish_healthy(self, image) -> None:
        """As ``finish``, with a pseudo-healthy image."""
        folder = Path(self.option("--out")) / "scan"
        folder.mkdir(parents=True, exist_ok=True)
        write_healthy(folder / "pseudo_healthy.npz", image)
        self.line(f'{{"type": "result", "refused": null, "slices": [], "folder": "{folder.as_posix()}"}}')
        self.end(0)


class PanelFixture:
    """A host with the panel and a drawn head; ``sign`` is the side its midline is pushed to (+1 patient's left)."""

    def __init__(self, host, shift_mm: float = SHIFT_MM, fakes: bool = True):
        """``fakes``: False lets the panel work with the real child process, installer and dialogs of the module."""
        self.host = host
        self.dialogs, self.installer = FakeDialogs(), FakeInstaller()
        self.runner, self.probe_runner = FakeRunner(), FakeRunner()
        self.shift_mm = shift_mm
        self.head = drawn_head(shift_mm, SHAPE, SPACING)
        measurement, self.dense = measured(self.head, shift_mm)
        # the largest shift stands for the case, so that what a drag must do to the case can be said
        self.measurement = replace(measurement, case_rule=CaseRule(1.0, (-40.0, 40.0)))
        attributes = {"collaborators": self._collaborators} if fakes else {}
        self.module = host.load_module(MODULE, **attributes)
        self.volume = None

    def keep_few_slices(self) -> None:
        """Let the model have measured every fourth slice: a picture of each is drawn for DICOM objects and reports."""
        case = self.measurement.slice
        slices = tuple(one for one in self.measurement.slices if (one.index - case) % 4 == 0)
        self.measurement = replace(self.measurement, slices=slices)

    @property
    def ui(self):
        """The panel's widgets by name."""
        return self.host.widget.ui

    @property
    def session(self):
        """What the panel's sections share."""
        return self.host.widget.panel.session

    @property
    def state(self):
        """What the panel is doing."""
        return self.session.state

    @property
    def editor(self):
        """The reader's work on the measurement."""
        return self.session.editor

    @property
    def plot(self):
        """The plot of shift against slice."""
        return self.host.widget.panel.result.plot

    def enter(self) -> None:
        """The module is shown again."""
        self.host.widget.panel.enter()

    def _collaborators(self):
        from MidlineShiftLib.session import Collaborators

        return Collaborators(self.installer, self.runner, self.probe_runner, self.dialogs)

    @property
    def parameters(self):
        return self.host.widget.logic.getParameterNode()

    def add_scan(self, name="CT"):
        """The drawn head as a volume node, stored as Slicer stores axial CT (i to the left, j to the back)."""
        affine = np.diag([-SPACING[2], -SPACING[1], SPACING[0], 1.0])
        affine[:3, 3] = self.head.origins[0] * (-1, -1, 1)
        return add_volume(self.host.core, self.head.hu.transpose(2, 1, 0), affine, name)

    def choose_scan(self):
        """Add the scan and choose it in the selector."""
        self.volume = self.add_scan()
        self.ui.inputSelector.setCurrentNode(self.volume)
        self.host.process()

    def measure(self):
        """Choose the scan, press Measure, and let the child answer at once."""
        if self.volume is None:
            self.choose_scan()
        self.click(self.ui.measureButton)
        self.runner.finish(self.measurement, self.dense)
        self.settle()

    def export(self) -> None:
        """Press Export and let the child write."""
        self.click(self.ui.exportButton)
        if self.state.value == "exporting":
            self.runner.work()
            self.host.process()

    def settle(self) -> None:
        """Let stepwise work end."""
        for _ in range(1000):
            self.host.process()
            if self.state.value != "showing":
                return
        raise AssertionError("the result was not shown")

    def choose_diffusion_model(self):
        """Choose the shipped model that has denoisers."""
        selector = self.ui.modelSelector
        selector.currentIndex = next(i for i in range(selector.count) if "diffusion" in selector.itemText(i))
        self.host.process()

    def generated(self) -> PseudoHealthy:
        """A pseudo-healthy image: 12 HU in a rectangle of brain of every slice that the last command asked for."""
        slices = np.array([int(part) for part in self.runner.option("--slices").split(",")])
        brain = np.zeros((len(slices), *self.head.hu.shape[1:]), np.float32)
        brain[:, 40:60, 30:50] = 1
        return PseudoHealthy(slices, np.full_like(brain, 12.0), brain, {"name": "generator", "version": "3"})

    def foreground(self, name: str):
        """(volume node laid over a view, its opacity)."""
        import slicer

        layers = self.view(name).sliceLogic().GetSliceCompositeNode()
        found = layers.GetForegroundVolumeID()
        return (slicer.mrmlScene.GetNodeByID(found) if found else None), layers.GetForegroundOpacity()

    def click(self, widget) -> None:
        """A mouse click on a widget that can be seen: in its middle, or on a check box's box."""
        self.host.show(widget)
        across = 8 if widget.className() == "QCheckBox" else widget.width // 2
        place = QtCore.QPoint(across, widget.height // 2)
        QTest.mouseClick(widget, QtCore.Qt.LeftButton, QtCore.Qt.NoModifier, place)
        self.host.process()

    def view(self, name="Red"):
        """A slice view of the layout in use."""
        import slicer

        return slicer.app.layoutManager().sliceWidget(name)

    def drag(self, landmark: str, right_mm: float, view="Red") -> None:
        """Drag a landmark of the shown slice with the mouse; ``right_mm`` along the patient's right."""
        from MidlineShiftLogic.measurement.results import LANDMARK_NAMES

        nodes = self.editor.nodes
        widget = self.view(view)
        start = np.array(nodes.landmarks.GetNthControlPointPositionWorld(LANDMARK_NAMES.index(landmark)))
        widget.draw()
        begin, end = (QtCore.QPoint(*widget.place(point)) for point in (start, start + np.array([right_mm, 0, 0])))
        QTest.mouseMove(widget, begin)
        QTest.mouseMove(widget, begin)
        QTest.mousePress(widget, QtCore.Qt.LeftButton, QtCore.Qt.NoModifier, begin)
        for part in (0.3, 0.6, 1.0):
            QTest.mouseMove(widget, begin + (end - begin) * part)
            self.host.process()
        QTest.mouseRelease(widget, QtCore.Qt.LeftButton, QtCore.Qt.NoModifier, end)
        self.host.process()

    def rows(self) -> list[list[str]]:
        """Texts of the table."""
        table = self.ui.sliceTable
        return [[table.item(r, c).text() for c in range(table.columnCount)] for r in range(table.rowCount)]

    def row(self, index: int) -> list[str]:
        """The table's row of a slice, by its index in the stack."""
        return next(row for row in self.rows() if row[0] == str(index + 1))

    def offset(self, name="Red") -> float:
        """Height of a view's plane, mm along S."""
        return self.view(name).mrmlSliceNode().GetSliceToRAS().GetElement(2, 3)
