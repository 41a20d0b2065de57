"""Shift against slice, drawn in the panel; a click goes to the slice."""

from collections.abc import Callable

import qt

WIDTH, HEIGHT = 380, 150
LEFT, RIGHT, TOP, BOTTOM = 46, 10, 12, 24
LEAST_MM = 6.0
BACK, AXIS, FAINT, CURRENT, EDITED = "#ffffff", "#404040", "#d8d8d8", "#2060c0", "#a03080"


class ShiftPlot(qt.QObject):
    """Draws into a label: up is the patient's left, every dot a slice, in the colour of its shift.

    Args:
        label: the ``QLabel`` to draw into.
        clicked: gets the slice nearest to a click.
    """

    def __init__(self, label, clicked: Callable[[int], None]):
        qt.QObject.__init__(self)
        self._label = label
        self._clicked = clicked
        self._slices = []
        label.setFixedHeight(HEIGHT)
        label.installEventFilter(self)

    def show(self, measurement, colourOf: Callable[[float], str], current: int | None) -> None:
        """Draw a measurement (None: empty); ``colourOf`` gives ``#RRGGBB`` for millimetres."""
        self._slices = list(measurement.slices) if measurement is not None else []
        pixmap = qt.QPixmap(WIDTH, HEIGHT)
        pixmap.fill(qt.QColor(BACK))
        if self._slices:
            painter = qt.QPainter()
            painter.begin(pixmap)
            painter.setRenderHint(qt.QPainter.Antialiasing)
            self._draw(painter, measurement.slice, colourOf, current)
            painter.end()
        self._label.setPixmap(pixmap)

    def _span(self) -> tuple[int, int]:
        return self._slices[0].index - 1, self._slices[-1].index + 1

    def _top(self) -> float:
        return max(LEAST_MM, 1.1 * max(abs(one.signed_shift_mm) for one in self._slices))

    def x(self, index: float) -> int:
        """Column of a slice in the picture."""
        low, high = self._span()
        return round(LEFT + (index - low) / (high - low) * (WIDTH - LEFT - RIGHT))

    def y(self, mm: float) -> int:
        """Row of a signed shift in the picture."""
        middle = (TOP + HEIGHT - BOTTOM) / 2
        return round(middle - mm / self._top() * (HEIGHT - TOP - BOTTOM) / 2)

    def _draw(self, painter, case: int, colourOf, current: int | None) -> None:
        top = self._top()
        step = 5 if top < 15 else 10
        for mm in range(-int(top // step) * step, int(top) + 1, step):
            painter.setPen(qt.QPen(qt.QColor(AXIS if mm == 0 else FAINT), 1))
            painter.drawLine(LEFT, self.y(mm), WIDTH - RIGHT, self.y(mm))
            painter.setPen(qt.QPen(qt.QColor(AXIS), 1))
            painter.drawText(4, self.y(mm) + 4, f"{abs(mm)} {'L' if mm > 0 else 'R' if mm < 0 else 'mm'}")
        for one in self._slices:
            if one.index % 5 == 0:
                painter.drawText(self.x(one.index) - 6, HEIGHT - 8, str(one.index))
        painter.drawText(4, HEIGHT - 8, "slice")
        if current is not None:
            painter.setPen(qt.QPen(qt.QColor(CURRENT), 1))
            painter.drawLine(self.x(current), TOP, self.x(current), HEIGHT - BOTTOM)
        for one in self._slices:
            radius = 5 if one.index == case else 3
            ring = EDITED if one.edited else AXIS
            painter.setPen(qt.QPen(qt.QColor(ring), 2 if one.edited else 1))
            painter.setBrush(qt.QBrush(qt.QColor(colourOf(one.signed_shift_mm))))
            painter.drawEllipse(
                self.x(one.index) - radius, self.y(one.signed_shift_mm) - radius, 2 * radius, 2 * radius
            )

    def eventFilter(self, watched, event) -> bool:
        if event.type() == qt.QEvent.MouseButtonPress and self._slices:
            # The picture is centred in its label.
            x = event.pos().x() - (self._label.width - WIDTH) // 2
            self._clicked(min(self._slices, key=lambda one: abs(self.x(one.index) - x)).index)
        return False
