"""Window presets of head CT, shared by the scan and what is shown beside it."""

from dataclasses import dataclass

from slicer.i18n import tr as _

from MidlineShiftLogic.scene.window_presets import WINDOW_PRESETS


@dataclass(frozen=True)
class WindowPreset:
    """Window and level in HU."""

    window: float
    level: float


PRESETS = {key: WindowPreset(*preset) for key, preset in WINDOW_PRESETS.items()}
OWN = "own"
"""Key of a window that the reader set by hand."""


def presetNames() -> dict[str, str]:
    """Return key -> what the selector shows."""
    names = {"brain": _("Brain"), "subdural": _("Subdural"), "stroke": _("Stroke"), "bone": _("Bone")}
    shown = {key: f"{names[key]} {preset.window:.0f}/{preset.level:.0f}" for key, preset in PRESETS.items()}
    return {**shown, OWN: _("As set by hand")}


def presetOf(display) -> str:
    """Return key of the preset that a display node has, ``OWN`` if none."""
    for key, preset in PRESETS.items():
        if abs(display.GetWindow() - preset.window) < 0.5 and abs(display.GetLevel() - preset.level) < 0.5:
            return key
    return OWN


def applyWindow(nodes, window: float, level: float) -> None:
    """Give volumes one window; those without a display node, and None, are left out."""
    for node in nodes:
        display = None if node is None else node.GetDisplayNode()
        if display is None or (display.GetWindow(), display.GetLevel()) == (window, level):
            continue
        modifying = display.StartModify()
        display.AutoWindowLevelOff()
        display.SetWindowLevel(window, level)
        display.EndModify(modifying)
