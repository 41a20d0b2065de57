"""The case's number in large letters, on one line however narrow the panel is."""

import qt

SIZES_PT = (15, 14, 13, 12, 11, 10)
"""The largest that fits is taken; with the last, letters are hardly larger than those of other labels."""
PADDING = 4
SLACK = 4
"""Pixels that are left free: a label wraps a text that just fits."""
STYLE = "font-size: {size}pt; font-weight: bold;"
COLOURS = " color: #202020; background-color: {colour}; border-radius: 6px; padding: {padding}px;"
"""Dark letters on a light colour, whatever the theme."""


class Headline(qt.QObject):
    """Writes into a label, and chooses the size of the letters again when the label gets another width."""

    def __init__(self, label):
        qt.QObject.__init__(self)
        self._label = label
        self._colour = ""
        label.installEventFilter(self)

    def show(self, text: str, colour: str) -> None:
        """Show a text on ``colour`` (``#RRGGBB``; empty for none)."""
        self._label.text = text
        self._colour = colour
        self._draw()

    def _draw(self) -> None:
        style = STYLE.format(size=self._size())
        if self._colour:
            style += COLOURS.format(colour=self._colour, padding=PADDING)
        if self._label.styleSheet != style:  # setting it lays the panel out anew, which comes back here
            self._label.styleSheet = style

    def _size(self) -> int:
        font = qt.QFont(self._label.font)
        font.setBold(True)
        for size in SIZES_PT:
            font.setPointSize(size)
            wide = qt.QFontMetrics(font).size(qt.Qt.TextSingleLine, self._label.text).width()
            if wide + 2 * PADDING + SLACK <= self._label.width:
                return size
        return SIZES_PT[-1]

    def eventFilter(self, watched, event) -> bool:
        """Follow the width."""
        if event.type() == qt.QEvent.Resize:
            self._draw()
        return False
