"""Keep the steps of a reader on a case, so that undo and redo work after a reload, and after server or browser died.

The measurements before and after the present one are files of one folder, in their order. A step writes one small file,
whatever the number of steps before.
"""

from __future__ import annotations

from pathlib import Path

from MidlineShiftLogic.errors import InputError
from MidlineShiftLogic.measurement.history import EditHistory
from MidlineShiftLogic.measurement.results import Measurement
from MidlineShiftLogic.reporting.html import read_result
from MidlineShiftLogic.reporting.measurement_json import to_json
from MidlineShiftLogic.review_app.readings import replace_file

STORED = 50
"""Steps back that are stored: some 30 kB and a few milliseconds each when the case is opened again."""
POSITION_FILE = "present.txt"


class HistoryFiles:
    """Store the steps of one reader on one case.

    Args:
        folder: Own folder of these steps; made with the first one.
    """

    def __init__(self, folder: Path):
        self._folder = folder
        self._stored: list[tuple[Measurement, Path]] = []

    def load(self, present: Measurement) -> EditHistory:
        """Return the steps around the present measurement; none where they are of another, or cannot be read."""
        try:
            files = sorted(self._folder.glob("*.json"))
            position = self._position(files, to_json(present))
            steps = [read_result(file) for file in files] if position is not None else []
        except (OSError, UnicodeDecodeError, InputError):
            position, steps = None, []
        if position is None:
            return EditHistory()
        steps[position] = present
        self._stored = list(zip(steps, files, strict=True))
        return EditHistory(tuple(steps[:position]), tuple(reversed(steps[position + 1 :])))

    def save(self, history: EditHistory, present: Measurement) -> None:
        """Write what is new of the steps around the present measurement; it is on the disk when this returns.

        Raises:
            OSError: The disk is full or gone; the steps before are still there.
        """
        steps = [*history.past[-STORED:], present, *reversed(history.future)]
        kept = self._kept(steps)
        number = 1 + int(kept[-1][1].stem if kept else 0)
        self._folder.mkdir(parents=True, exist_ok=True)
        for step in steps[len(kept) :]:
            file = self._folder / f"{number:06}.json"
            replace_file(file, to_json(step).encode("utf-8"))
            kept.append((step, file))
            number += 1
        here = kept[min(len(history.past), STORED)][1]
        replace_file(self._folder / POSITION_FILE, here.name.encode("ascii"))
        self._stored = kept
        for file in set(self._folder.glob("*.json")) - {file for _, file in kept}:
            file.unlink(missing_ok=True)

    def _kept(self, steps: list[Measurement]) -> list[tuple[Measurement, Path]]:
        """Return the stored steps that are the first of ``steps``: new ones only come at the end."""
        stored = self._stored
        while stored and stored[0][0] is not steps[0]:
            stored = stored[1:]
        same = 0
        while same < min(len(stored), len(steps)) and stored[same][0] is steps[same]:
            same += 1
        return stored[:same]

    def _position(self, files: list[Path], present: str) -> int | None:
        """Return which file is the present measurement; None where none is.

        After a kill the position may be of a step that was not confirmed; then the last equal one is it.
        """
        texts = [file.read_text(encoding="utf-8") for file in files]
        marker = self._folder / POSITION_FILE
        name = marker.read_text(encoding="ascii").strip() if marker.is_file() else ""
        for index, (file, text) in enumerate(zip(files, texts, strict=True)):
            if file.name == name and text == present:
                return index
        return next((index for index in reversed(range(len(texts))) if texts[index] == present), None)
