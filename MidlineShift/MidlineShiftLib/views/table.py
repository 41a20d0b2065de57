"""The table of measured slices; a click goes to the slice."""

from collections.abc import Callable

import qt
from slicer.i18n import tr as _

from MidlineShiftLogic.measurement.slice_names import number_of

PADDING = 8
"""Pixels above and below the text of a row together."""


def columns() -> tuple[str, ...]:
    """Return headers of the columns; the last one takes what is left of the width."""
    return (_("Slice"), _("Shift"), _("Height"), "")


def shiftText(signedMm: float) -> str:
    """Return ``8.7 mm L``: L is the patient's left."""
    side = "" if abs(signedMm) < 0.05 else " L" if signedMm > 0 else " R"
    return f"{abs(signedMm):.1f} mm{side}"


def noteText(one, case: int) -> str:
    """Return ``case, edited, pinned``: what is special about a slice; ``case``: index of the slice of the case."""
    notes = ((_("case"), one.index == case), (_("edited"), one.edited), (_("pinned"), one.pinned))
    return ", ".join(word for word, holds in notes if holds)


class SliceTable:
    """Fills a ``QTableWidget``, highest slice first as in the head; ``clicked`` gets the index of a clicked row's slice."""

    def __init__(self, table, clicked: Callable[[int], None]):
        self._table = table
        self._clicked = clicked
        self._indices = []
        headers = columns()
        table.setColumnCount(len(headers))
        table.setHorizontalHeaderLabels(list(headers))
        table.verticalHeader().visible = False
        table.verticalHeader().defaultSectionSize = table.fontMetrics().height() + PADDING
        header = table.horizontalHeader()
        for column in range(len(headers) - 1):
            header.setSectionResizeMode(column, qt.QHeaderView.ResizeToContents)
        header.stretchLastSection = True
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
            texts = (
                number_of(measurement, one.index),
                shiftText(one.signed_shift_mm),
                f"{one.height_mm:.0f} mm",
                noteText(one, measurement.slice),
            )
            for column, text in enumerate(texts):
                item = qt.QTableWidgetItem(text)
                item.setToolTip(text)
                self._table.setItem(row, column, item)
        if current in self._indices:
            self._table.selectRow(self._indices.index(current))
        else:
            self._table.clearSelection()

    def _onCellClicked(self, row: int, column: int) -> None:
        self._clicked(self._indices[row])
