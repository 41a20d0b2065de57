"""The table of measured slices; a click goes to the slice."""

from collections.abc import Callable

import qt

COLUMNS = ("Slice", "Height (mm)", "Shift", "Confidence", "")
WIDTHS = (46, 92, 74, 88)
ROW_HEIGHT = 22


def shiftText(signedMm: float) -> str:
    """``8.7 mm L``: L is the patient's left."""
    side = "" if abs(signedMm) < 0.05 else " L" if signedMm > 0 else " R"
    return f"{abs(signedMm):.1f} mm{side}"


class SliceTable:
    """Fills a ``QTableWidget``, highest slice first as in the head; ``clicked`` gets the slice of a clicked row."""

    def __init__(self, table, clicked: Callable[[int], None]):
        self._table = table
        self._clicked = clicked
        self._indices = []
        table.setColumnCount(len(COLUMNS))
        table.setHorizontalHeaderLabels(list(COLUMNS))
        table.verticalHeader().visible = False
        table.verticalHeader().defaultSectionSize = ROW_HEIGHT
        table.horizontalHeader().stretchLastSection = True
        for column, width in enumerate(WIDTHS):
            table.setColumnWidth(column, width)
        table.setEditTriggers(qt.QAbstractItemView.NoEditTriggers)
        table.setSelectionBehavior(qt.QAbstractItemView.SelectRows)
        table.setSelectionMode(qt.QAbstractItemView.SingleSelection)
        table.connect("cellClicked(int,int)", self._onCellClicked)

    def show(self, measurement, current: int | None) -> None:
        """Fill with a measurement (None: empty) and select the row of slice ``current``."""
        slices = list(reversed(measurement.slices)) if measurement is not None else []
        self._indices = [one.index for one in slices]
        self._table.setRowCount(len(slices))
        for row, one in enumerate(slices):
            notes = ["case"] if one.index == measurement.slice else []
            notes += ["edited"] if one.edited else []
            height, confidence = f"{one.height_mm:.0f}", f"{one.confidence:.0%}"
            texts = (str(one.index), height, shiftText(one.signed_shift_mm), confidence, ", ".join(notes))
            for column, text in enumerate(texts):
                self._table.setItem(row, column, qt.QTableWidgetItem(text))
        if current in self._indices:
            self._table.selectRow(self._indices.index(current))
        else:
            self._table.clearSelection()

    def _onCellClicked(self, row: int, column: int) -> None:
        self._clicked(self._indices[row])
