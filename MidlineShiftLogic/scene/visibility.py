"""Switch the overlays of a measurement on and off."""

from __future__ import annotations

from MidlineShiftLogic.scene.grid import show_grid
from MidlineShiftLogic.scene.nodes import MeasurementNodes

PARTS = ("landmarks", "ideal_midline", "deformed_midline", "distance", "grid")
"""What can be switched. ``grid`` is the displacement's bent lines in slice views, off at first."""


def set_visible(nodes: MeasurementNodes, part: str, visible: bool) -> None:
    """Show or hide one of ``PARTS``; ValueError for another word. Does nothing where a user deleted the node."""
    display = _display(nodes, part)
    if display is None:
        return
    if part == "grid":
        display.SetVisibility2D(visible)
        show_grid(nodes)
    else:
        display.SetVisibility(visible)
    labels = nodes.node("landmark_labels")
    if part == "landmarks" and labels is not None and labels.GetDisplayNode() is not None:
        labels.GetDisplayNode().SetVisibility(visible)


def is_visible(nodes: MeasurementNodes, part: str) -> bool:
    """Return whether one of ``PARTS`` is switched on; it is drawn where the shown slice has it."""
    display = _display(nodes, part)
    if display is None:
        return False
    return bool(display.GetVisibility2D() if part == "grid" else display.GetVisibility())


def _display(nodes: MeasurementNodes, part: str):
    if part not in PARTS:
        raise ValueError(f"no part {part!r}; one of {', '.join(PARTS)}")
    node = nodes.node(part)
    return None if node is None else node.GetDisplayNode()
