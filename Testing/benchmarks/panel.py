"""How quickly the panel answers, in the PySide6 host on Slicer's own MRML library and slice views (software rendering).

``python Testing/benchmarks/panel.py [--json FILE]``: opening, choosing a scan of 30 x 512 x 512 until its first picture
is drawn, dragging a landmark with the mouse, exporting. Each with wall and processor seconds, since another program on
the machine lengthens only the first.
"""

from __future__ import annotations

import json
import os
import statistics
import sys
import tempfile
import time
from pathlib import Path

TESTING = Path(__file__).parents[1]
sys.path[:0] = [str(TESTING / "panel"), str(TESTING / "helpers")]
os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

SHAPE, SPACING = (30, 512, 512), (5.0, 0.45, 0.45)
MOVES = 60


def timed(work) -> tuple[float, float]:
    """Wall and processor seconds."""
    wall, cpu = time.perf_counter(), time.process_time()
    work()
    return time.perf_counter() - wall, time.process_time() - cpu


def main() -> None:
    """Measure and print."""
    import bench as benches
    from host.application import Host
    from PySide6 import QtCore
    from PySide6.QtTest import QTest

    benches.SHAPE, benches.SPACING = SHAPE, SPACING
    with tempfile.TemporaryDirectory() as place:
        host = Host(Path(place))
        opened = []
        bench = None

        def load():
            import importlib.util

            spec = importlib.util.spec_from_file_location("MidlineShiftAtStart", benches.MODULE)
            spec.loader.exec_module(importlib.util.module_from_spec(spec))

        figures = {"module file, at Slicer's start": timed(load)}
        head = benches.drawn_head(benches.SHIFT_MM, SHAPE, SPACING)
        benches.drawn_head = lambda *_: head  # drawing the head is no part of the panel

        original = host.load_module

        def load_module(*arguments, **keywords):
            opened.append(timed(lambda: original(*arguments, **keywords)))

        host.load_module = load_module
        bench = benches.Bench(host)
        figures["panel opened"] = opened[0]

        volume = bench.add_scan()

        def choose():
            bench.ui.inputSelector.setCurrentNode(volume)
            host.process()
            bench.view().draw()

        bench.volume = volume
        figures["scan chosen to first picture"] = timed(choose)
        bench.measure()
        figures["a dragged landmark, each move"] = drag(bench, host, QtCore, QTest)
        bench.dialogs.folder = place
        figures["export"] = timed(lambda: bench.click(bench.ui.exportButton))
        host.close()
    rows = {name: {"wall_s": round(wall, 4), "cpu_s": round(cpu, 4)} for name, (wall, cpu) in figures.items()}
    moves = rows["a dragged landmark, each move"]
    moves |= {"per_s": round(1 / moves["wall_s"], 1), "per_cpu_s": round(1 / moves["cpu_s"], 1)}
    print(json.dumps(rows, indent=2))
    if "--json" in sys.argv:
        Path(sys.argv[sys.argv.index("--json") + 1]).write_text(json.dumps(rows, indent=2) + "\n", encoding="utf-8")


def drag(bench, host, QtCore, QTest) -> tuple[float, float]:
    """Medians over the moves of one drag: mouse event, everything that follows from it, and the view drawn again."""
    nodes, widget = bench.panel.review.nodes, bench.view()
    from MidlineShiftLogic.measurement.results import LANDMARK_NAMES

    place = nodes.landmarks.GetNthControlPointPositionWorld(LANDMARK_NAMES.index("shifted"))
    widget.draw()
    start = QtCore.QPoint(*widget.place(place))
    QTest.mouseMove(widget, start)
    QTest.mouseMove(widget, start)
    QTest.mousePress(widget, QtCore.Qt.LeftButton, QtCore.Qt.NoModifier, start)
    seen, moves = set(), []
    for number in range(1, MOVES + 1):

        def move(number=number):
            QTest.mouseMove(widget, start + QtCore.QPoint(number % 30 + 1, 0))
            host.process()
            widget.draw()

        moves.append(timed(move))
        seen.add(bench.ui.shiftLabel.text)
    QTest.mouseRelease(widget, QtCore.Qt.LeftButton, QtCore.Qt.NoModifier, start)
    if len(seen) < 5:
        raise RuntimeError("the number did not follow the drag, so its time says nothing")
    return tuple(statistics.median(part) for part in zip(*moves, strict=True))


if __name__ == "__main__":
    main()
