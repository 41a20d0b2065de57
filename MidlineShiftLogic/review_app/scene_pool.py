"""Keep scenes with their views for the next case: VTK does not give their memory back, and making them takes time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from MidlineShiftLogic.scene.offscreen_views import SliceViews


@dataclass(frozen=True)
class SceneSlot:
    """Hold a scene (``trame_slicer.core.SlicerApp``) and its views."""

    app: Any
    views: SliceViews


class ScenePool:
    """Lend scenes to cases; all calls come from the rendering thread."""

    def __init__(self) -> None:
        self._free: list[SceneSlot] = []
        self._made = 0

    def take(self) -> SceneSlot:
        """Return an empty scene."""
        if self._free:
            return self._free.pop()
        from trame_slicer.core import SlicerApp

        app = SlicerApp()
        self._made += 1
        return SceneSlot(app, SliceViews(app, f"review{self._made}"))

    def give_back(self, slot: SceneSlot) -> None:
        """Take a scene back whose case was removed from it."""
        self._free.append(slot)
