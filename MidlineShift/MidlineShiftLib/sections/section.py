"""What every section of the panel offers."""

from collections.abc import Callable, Mapping
from typing import Protocol


class Section(Protocol):
    """One section of the panel."""

    def update(self) -> None:
        """Bring the section's widgets in line with the session."""


def connectButtons(slots: Mapping[object, Callable[[], None]]) -> None:
    """Call a slot without arguments whenever its button is clicked."""
    for button, slot in slots.items():
        button.connect("clicked(bool)", lambda checked=False, slot=slot: slot())
