"""Shift against slice, drawn in the panel; a click goes to the slice."""

from collections.abc import Callable

import qt
from slicer.i18n import tr as _

from MidlineShiftLogic.measurement.slice_names import number_of

HEIGHT_LINES = 9
"""Height of the plot in lines of its font."""
LEAST_WIDTH = 160
LEAST_MM = 6.0
"""The axis reaches at least so far to either side, so that noise does not look like a shift."""
HEADROOM = 1.1
"""Part of the largest shift that the axis reaches."""
SMALL_DOT, LARGE_DOT = 3, 5
CURRENT, EDITED = "#4080e0", "#d050a8"
"""Line of the shown slice, and rim of edited slices: legible on light and dark."""


class ShiftPlot(qt.QObject):
    """Draws into a label: up is the patient's left, every mark a slice, in the colour of its shift.

    The slice of the case is the large mark, an edited slice a square, a pinned one has a ring.

    Args:
        label: the ``QLabel`` to draw into.
        clicked: gets the index of the slice nearest to a click.
    """

    def __init__(self, label, clicked: Callable[[int], None]):
        qt.QObject.__init__(self)
        self._label = label
        self._clicked = clicked
        self._measurement = None
        self._colourOf = None
        self._current = None
        self._slices = []
        self._line = label.fontMetrics().height()
        label.setFixedHeight(HEIGHT_LINES * self._line)
        label.installEventFilter(self)

    @property
    def width(self) -> int:
        """Return width of the plot, that of its label."""
        return max(int(self._label.width), LEAST_WIDTH)

    @property
    def height(self) -> int:
        """Return height of the plot."""
        return HEIGHT_LINES * self._line

    def show(self, measurement, colourOf: Callable[[float], str], current: int | None) -> None:
        """Draw a measurement (None: empty); ``colourOf`` gives ``#RRGGBB`` for millimetres, ``current`` is shown."""
        self._measurement, self._colourOf, self._current = measurement, colourOf, current
        self._slices = list(measurement.slices) if measurement is not None else []
        self._draw()

    def x(self, index: float) -> int:
        """Return column of a slice in the plot."""
        low, high = self._slices[0].index - 1, self._slices[-1].index + 1
        left, right = self._margin(), self._line // 2
        return round(left + (index - low) / (high - low) * (self.width - left - right))

    def y(self, mm: float) -> int:
        """Return row of a signed shift in the plot."""
        top, bottom = self._ends()
        return round((top + bottom) / 2 - mm / self._reach() * (bottom - top) / 2)

    def _reach(self) -> float:
        return max(LEAST_MM, HEADROOM * max(abs(one.signed_shift_mm) for one in self._slices))

    def _margin(self) -> int:
        return self._label.fontMetrics().boundingRect("000 mm").width() + self._line // 2

    def _ends(self) -> tuple[int, int]:
        return self._line // 2, self.height - 2 * self._line

    def _draw(self) -> None:
        density = self._label.devicePixelRatioF()
        pixmap = qt.QPixmap(round(self.width * density), round(self.height * density))
        pixmap.setDevicePixelRatio(density)
        pixmap.fill(self._colour(qt.QPalette.Base))
        if self._slices:
            painter = qt.QPainter()
            painter.begin(pixmap)
            painter.setRenderHint(qt.QPainter.Antialiasing)
            painter.setFont(self._label.font)
            self._drawAxes(painter)
            self._drawSlices(painter)
            painter.end()
        self._label.setPixmap(pixmap)

    def _colour(self, role):
        """Return a colour of the theme."""
        return self._label.palette.color(role)

    def _drawAxes(self, painter) -> None:
        ink, faint = self._colour(qt.QPalette.Text), self._colour(qt.QPalette.Mid)
        reach = self._reach()
        step = 5 if reach < 15 else 10
        for mm in range(-int(reach // step) * step, int(reach) + 1, step):
            painter.setPen(qt.QPen(ink if mm == 0 else faint, 1))
            painter.drawLine(self._margin(), self.y(mm), self.width - self._line // 2, self.y(mm))
            painter.setPen(qt.QPen(ink, 1))
            painter.drawText(2, self.y(mm) + self._line // 3, f"{abs(mm)} {'L' if mm > 0 else 'R' if mm < 0 else 'mm'}")
        low = self.height - self._line // 2
        free = 0
        for one in self._slices:
            number = number_of(self._measurement, one.index)
            wide = self._label.fontMetrics().boundingRect(number).width()
            if self.x(one.index) - wide // 2 >= free:
                painter.drawText(self.x(one.index) - wide // 2, low, number)
                free = self.x(one.index) + wide // 2 + self._line
        painter.drawText(2, low, _("slice"))
        if self._current is not None:
            painter.setPen(qt.QPen(qt.QColor(CURRENT), 2))
            top, bottom = self._ends()
            painter.drawLine(self.x(self._current), top, self.x(self._current), bottom)

    def _drawSlices(self, painter) -> None:
        ink = self._colour(qt.QPalette.Text)
        for one in self._slices:
            radius = LARGE_DOT if one.index == self._measurement.slice else SMALL_DOT
            x, y = self.x(one.index), self.y(one.signed_shift_mm)
            painter.setPen(qt.QPen(qt.QColor(EDITED) if one.edited else ink, 2 if one.edited else 1))
            painter.setBrush(qt.QBrush(qt.QColor(self._colourOf(one.signed_shift_mm))))
            if one.edited:
                painter.drawRect(x - radius, y - radius, 2 * radius, 2 * radius)
            else:
                painter.drawEllipse(x - radius, y - radius, 2 * radius, 2 * radius)
            if one.pinned:
                painter.setBrush(qt.QBrush(qt.Qt.NoBrush))
                ring = radius + 3
                painter.drawEllipse(x - ring, y - ring, 2 * ring, 2 * ring)

    def eventFilter(self, watched, event) -> bool:
        """Follow clicks, and changes of the size and the theme."""
        if event.type() == qt.QEvent.MouseButtonPress and self._slices:
            x = event.pos().x()
            self._clicked(min(self._slices, key=lambda one: abs(self.x(one.index) - x)).index)
        elif event.type() in (qt.QEvent.Resize, qt.QEvent.PaletteChange) and self._colourOf is not None:
            self._draw()
        return False
