"""Keys of the review, on the views and the panel alone: other windows and views keep theirs."""

from collections.abc import Callable, Mapping

import qt


class Shortcuts:
    """Keys that work while the mouse or the focus is in one of some widgets, also where Slicer detached a view.

    Args:
        actions: key sequence, for example ``Ctrl+Z`` -> what it does.
    """

    def __init__(self, actions: Mapping[str, Callable[[], None]]):
        self._actions = actions
        self._made: list[tuple[object, object]] = []  # (widget, shortcut)

    def attach(self, widgets) -> None:
        """Let the keys work in these widgets; one that has them already is left as it is."""
        for widget in widgets:
            if any(known is widget for known, _ in self._made):
                continue
            for key, action in self._actions.items():
                shortcut = qt.QShortcut(qt.QKeySequence(key), widget)
                shortcut.setContext(qt.Qt.WidgetWithChildrenShortcut)
                shortcut.connect("activated()", action)
                self._made.append((widget, shortcut))

    def remove(self) -> None:
        """Take the keys away."""
        for _, shortcut in self._made:
            shortcut.setParent(None)
            shortcut.delete()
        self._made = []
