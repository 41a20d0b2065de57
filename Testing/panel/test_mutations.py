"""Faults that a panel may have without looking broken, planted one at a time in the syntax tree that is loaded: the
scenario named beside each must fail by an assertion. A crash does not count. ``mutation.py`` makes all of a file's."""

from __future__ import annotations

import sys

import pytest
import scenarios
from mutation import Mutant, MutantFinder, forget
from panel_fixture import PanelFixture

LIB, SCENE = "MidlineShift/MidlineShiftLib", "MidlineShiftLogic/scene"

FAULTS = {
    "LPS taken for RAS": (Mutant(f"{SCENE}/coordinates.py", "<module>", "sign", 0), "side_is_the_patients"),
    "arrow to the wrong side": (Mutant(f"{LIB}/views/texts.py", "arrows", "entries", 0), "side_is_the_patients"),
    "the table upside down": (
        Mutant(f"{LIB}/views/table.py", "SliceTable.show", "unwrap", 0),
        "pages_and_jumps",
    ),
    "paging the wrong way": (Mutant(f"{LIB}/editor.py", "MeasurementEditor.page", "compare", 0), "pages_and_jumps"),
    "a late result accepted after a cancel": (
        Mutant(f"{LIB}/services/child_run.py", "ChildRun._ended", "compare", 0),
        "cancel_leaves_the_scene",
    ),
    "lines of an older run listened to": (
        Mutant(f"{LIB}/services/child_run.py", "ChildRun._line", "statement", 0),
        "second_run_voids_the_first",
    ),
    "cancel does not stop the child": (
        Mutant(f"{LIB}/services/child_run.py", "ChildRun.cancel", "statement", 0),
        "cancel_leaves_the_scene",
    ),
    "the child goes on when the scene closes": (
        Mutant(f"{LIB}/panel.py", "Panel._onSceneStartClose", "statement", 0),
        "scene_close_voids_the_run",
    ),
    "the scan of another time measured": (
        Mutant(f"{LIB}/session.py", "Session.readScanAnew", "statement", 0),
        "a_moved_scan_is_measured_where_it_is",
    ),
    "drags not listened to": (
        Mutant(f"{LIB}/editor.py", "MeasurementEditor.attach", "statement", 6),
        "dragging_changes_everything",
    ),
    "the panel not notified of an edit": (
        Mutant(f"{LIB}/editor.py", "MeasurementEditor._do", "statement", 1),
        "dragging_changes_everything",
    ),
    "overlay switches crossed": (
        Mutant(f"{LIB}/parameternode.py", "<module>", "entries", 0),
        "overlays_are_switched",
    ),
    "a review survives an edit": (
        Mutant("MidlineShiftLogic/scene/edits.py", "update", "statement", 0),
        "signing_off",
    ),
}


@pytest.fixture
def fresh_panel():
    """Panel and scene imported anew before and after a mutant."""
    before = {name: module for name, module in sys.modules.items() if name.startswith("MidlineShift")}
    yield
    forget("")
    sys.modules.update(before)
    if "MidlineShiftLogic.scene" in before:
        sys.modules["MidlineShiftLogic"].scene = before["MidlineShiftLogic.scene"]


@pytest.mark.parametrize("fault", FAULTS)
def test_planted_fault_is_noticed(fresh_panel, host, failures, monkeypatch, fault):
    mutant, scenario = FAULTS[fault]
    finder = MutantFinder(mutant)
    forget(finder.name)
    monkeypatch.setattr(sys, "meta_path", [finder, *sys.meta_path])
    with pytest.raises(AssertionError):
        getattr(scenarios, scenario)(PanelFixture(host))
    assert finder.loaded, "the fault was never planted"
    failures.clear()


def test_a_mutant_names_a_place_that_exists():
    for where, number in (("SliceTable.nothing", 0), ("SliceTable.show", 99)):
        with pytest.raises(ValueError, match=r"has no|has \d+ places"):
            Mutant(f"{LIB}/views/table.py", where, "compare", number).tree()
