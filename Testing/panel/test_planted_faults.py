"""Faults that a panel may have without looking broken, planted one at a time in the source that is loaded: each must
make the scenario named beside it fail. Files are not changed."""

from __future__ import annotations

import importlib.abc
import importlib.machinery
import sys
from pathlib import Path

import pytest
import scenarios
from bench import Bench, forget_panel

ROOT = Path(__file__).parents[2]
PANEL, SCENE = "MidlineShift/MidlineShiftLib", "MidlineShiftLogic/scene"

FAULTS = {
    "transform the wrong way round": (
        f"{SCENE}/displacement.py",
        "node.SetAndObserveTransformToParent(_grid_transform(field))",
        "node.SetAndObserveTransformFromParent(_grid_transform(field))",
        "tissue_is_put_back",
    ),
    "LPS taken for RAS": (
        f"{SCENE}/coordinates.py",
        "FLIP = np.array([-1.0, -1.0, 1.0])",
        "FLIP = np.array([1.0, 1.0, 1.0])",
        "side_is_the_patients",
    ),
    "landmarks mirrored": (
        f"{SCENE}/markups.py",
        "for index, point in enumerate(lps_to_ras(points_lps)):\n                node.Set",
        "for index, point in enumerate(np.asarray(points_lps)):\n                node.Set",
        "pages_and_jumps",
    ),
    "volume read with its axes crossed": (
        f"{SCENE}/volume.py",
        "return slicer.util.arrayFromVolume(volume_node).T",
        "return slicer.util.arrayFromVolume(volume_node).T[::-1]",
        "the_child_gets_the_scan",
    ),
    "volume placed mirrored": (
        f"{SCENE}/volume.py",
        "    return matrix_to_lps(to_ras)",
        "    return as_array(to_ras)",
        "the_child_gets_the_scan",
    ),
    "the scan of another time measured": (
        f"{PANEL}/panel.py",
        "        self._ctOf = None  # it may have been moved or changed since it was chosen\n",
        "",
        "a_moved_scan_is_measured_where_it_is",
    ),
    "a click in the table is one slice off": (
        f"{PANEL}/slicetable.py",
        "self._clicked(self._indices[row])",
        "self._clicked(self._indices[row] - 1)",
        "pages_and_jumps",
    ),
    "a click in the plot is one slice off": (
        f"{PANEL}/shiftplot.py",
        "abs(self.x(one.index) - x)).index)",
        "abs(self.x(one.index + 1) - x)).index)",
        "pages_and_jumps",
    ),
    "paging the wrong way": (f"{PANEL}/panel.py", "self.review.page(1)", "self.review.page(-1)", "pages_and_jumps"),
    "a button nobody listens to": (
        f"{PANEL}/panel.py",
        "(ui.restoreSliceButton, self.review.restoreSlice),",
        "",
        "edits_are_taken_back",
    ),
    "late result accepted after a cancel": (
        f"{PANEL}/childrun.py",
        "        if current is not self._current:\n            return\n        details",
        "        details",
        "cancel_leaves_the_scene",
    ),
    "lines of an older run listened to": (
        f"{PANEL}/childrun.py",
        "        if current is not self._current:\n            return\n        said",
        "        said",
        "second_run_voids_the_first",
    ),
    "child left running when the scene closes": (
        f"{PANEL}/panel.py",
        "        self.run.cancel()\n        self.review.attach(None)\n        self._ct",
        "        self.review.attach(None)\n        self._ct",
        "scene_close_voids_the_run",
    ),
    "cancel does not stop the child": (
        f"{PANEL}/childrun.py",
        "            self._runner.stop()\n",
        "",
        "cancel_leaves_the_scene",
    ),
    "drags not listened to": (
        f"{PANEL}/review.py",
        "            self.addObserver(nodes.landmarks, event, self._onLandmarksMoved)\n",
        "            pass\n",
        "dragging_changes_everything",
    ),
    "panel not told of an edit": (
        f"{PANEL}/review.py",
        "            self._busy = False\n        self._changed()",
        "            self._busy = False",
        "dragging_changes_everything",
    ),
    "scrolling a view leaves the landmarks behind": (
        f"{PANEL}/review.py",
        "if index != self.shown:",
        "if index is None:",
        "pages_and_jumps",
    ),
    "arrow to the wrong side": (
        f"{PANEL}/result.py",
        '"left": "to the left →", "right": "← to the right"',
        '"left": "← to the left", "right": "to the right →"',
        "side_is_the_patients",
    ),
    "the unedited measurement exported": (
        f"{PANEL}/export.py",
        "measurement = nodes.measurement",
        "measurement = nodes.original",
        "exports_what_is_shown",
    ),
    "the unedited measurement in the structured report": (
        f"{PANEL}/export.py",
        "write_objects(files, measurement, ct",
        "write_objects(files, nodes.original, ct",
        "exports_dicom_with_the_edits",
    ),
    "the unedited measurement in the report": (
        f"{PANEL}/export.py",
        "write_report(files, measurement)",
        "write_report(files, nodes.original)",
        "exports_dicom_with_the_edits",
    ),
    "a result of another scan shown": (
        f"{PANEL}/loadresult.py",
        "and not _ofTheseImages(Path(path), volumeNode)",
        "and False",
        "loads_a_structured_report",
    ),
    "overlay switches crossed": (
        f"{PANEL}/parameternode.py",
        '"showIdealMidline": "ideal_midline",\n    "showDeformedMidline": "deformed_midline",',
        '"showIdealMidline": "deformed_midline",\n    "showDeformedMidline": "ideal_midline",',
        "overlays_are_switched",
    ),
    "scan shown where the warped one should be": (
        f"{PANEL}/layouts.py",
        "NORMAL_VIEW: warpedNode or volumeNode",
        "NORMAL_VIEW: volumeNode",
        "overlays_are_switched",
    ),
    "loaded scene not taken up": (
        f"{PANEL}/panel.py",
        "            (slicer.mrmlScene.EndImportEvent, self._onSceneReady),\n",
        "",
        "saved_and_loaded",
    ),
    "warped volume left behind": (
        f"{SCENE}/nodes.py",
        '    "warped",\n',
        "",
        "removing_takes_exactly_what_was_made",
    ),
    "limits of the colours ignored": (
        f"{PANEL}/result.py",
        "mild, moderate, severe = limitsMm",
        "mild, moderate, severe = 3.0, 5.0, 10.0",
        "colours_follow_the_limits",
    ),
    "pseudo-healthy image over the scan": (
        f"{PANEL}/layouts.py",
        "_layOver(NORMAL_VIEW, healthyNode, 1.0)",
        "_layOver(SCAN_VIEW, healthyNode, 1.0)",
        "healthy_image_on_request",
    ),
    "pseudo-healthy image of other slices": (
        f"{PANEL}/healthyimage.py",
        "[one.index for one in",
        "[one.index + 1 for one in",
        "healthy_image_on_request",
    ),
    "pseudo-healthy image by another model than the chosen one": (
        f"{PANEL}/jobs.py",
        '"--slices", listed, *_model(model)]',
        '"--slices", listed, *_model("midlineshift")]',
        "healthy_image_on_request",
    ),
    "painted outside of the brain": (
        f"{SCENE}/healthy.py",
        "return healthy.over(number, scan)",
        "return healthy.hu[number]",
        "healthy_image_on_request",
    ),
    "pseudo-healthy slices one off": (
        f"{SCENE}/healthy.py",
        "np.flatnonzero(healthy.slices == slab)",
        "np.flatnonzero(healthy.slices == slab + 1)",
        "healthy_image_on_request",
    ),
    "the switch does not stop the painting": (
        f"{PANEL}/panel.py",
        "        if self.state == State.Painting and not wanted:\n            self._onCancel()\n        elif",
        "        if",
        "healthy_image_is_cancelled",
    ),
    "painting goes on when its measurement is removed": (
        f"{PANEL}/panel.py",
        "            self._parameters.showHealthy = False  # its image is no longer made either\n",
        "",
        "healthy_image_is_cancelled",
    ),
    "switch left on after an error": (
        f"{PANEL}/panel.py",
        "        self._setState(State.Idle)\n        self._switchHealthyOff()\n        self._say(sentence)",
        "        self._setState(State.Idle)\n        self._say(sentence)",
        "healthy_image_fails",
    ),
    "pseudo-healthy image left behind": (
        f"{SCENE}/nodes.py",
        '    "healthy",\n',
        "",
        "healthy_image_is_kept",
    ),
    "deleted pseudo-healthy image not noticed": (
        f"{PANEL}/panel.py",
        "        elif nodes is not None and node is nodes.healthy:\n            self._parameters.showHealthy = False\n",
        "",
        "healthy_image_is_kept",
    ),
    "grid lines over the scan": (
        f"{PANEL}/layouts.py",
        "else (MOVED_VIEW,),",
        "else REVIEW_VIEWS,",
        "overlays_are_switched",
    ),
    "grid of the whole head left straight": (
        f"{SCENE}/grid.py",
        "for line, shown in zip(bent, pushed, strict=True)",
        "for line, shown in zip(bent, pushed & False, strict=True)",
        "overlays_are_switched",
    ),
    "a review survives an edit": (
        "MidlineShiftLogic/measurement/edit.py",
        "        review=None,\n",
        "",
        "signing_off",
    ),
}


class PlantedFault(importlib.abc.MetaPathFinder):
    """Loads one file of the checkout with one piece of its text replaced."""

    def __init__(self, file: str, old: str, new: str):
        self.path = ROOT / file
        text = self.path.read_text(encoding="utf-8")
        assert text.count(old) == 1, f"{file} has {text.count(old)} times: {old}"
        self.code = compile(text.replace(old, new), str(self.path), "exec")
        self.loaded = False

    def find_spec(self, name, path=None, target=None):
        if name.rpartition(".")[2] != self.path.stem or self.path.parent.name not in name:
            return None
        return importlib.machinery.ModuleSpec(name, self, origin=str(self.path))

    def create_module(self, spec):
        return None

    def exec_module(self, module):
        module.__file__ = str(self.path)
        self.loaded = True
        exec(self.code, vars(module))


@pytest.fixture
def fresh_panel():
    """Panel and scene imported anew before and after, with all that a fault may be planted in."""
    before = {name: module for name, module in sys.modules.items() if name.startswith("MidlineShift")}
    forget_panel()
    sys.modules.pop("MidlineShiftLogic.measurement.edit", None)
    yield
    forget_panel()
    sys.modules.update(before)
    if "MidlineShiftLogic.scene" in before:
        sys.modules["MidlineShiftLogic"].scene = before["MidlineShiftLogic.scene"]


@pytest.mark.parametrize("fault", FAULTS)
def test_planted_fault_is_found(fresh_panel, host, failures, monkeypatch, fault):
    file, old, new, scenario = FAULTS[fault]
    finder = PlantedFault(file, old, new)
    monkeypatch.setattr(sys, "meta_path", [finder, *sys.meta_path])
    with pytest.raises((AssertionError, AttributeError, KeyError, StopIteration, IndexError)):
        getattr(scenarios, scenario)(Bench(host))
    assert finder.loaded, "the fault was never planted"
    failures.clear()
