"""The fakes of Slicer's classes have what Slicer's have and no more: ``slicer_facts.json`` was taken from its sources."""

from __future__ import annotations

import gc
import inspect
import json
import weakref
from pathlib import Path

import pytest
from panel_fixture import PanelFixture

FACTS = json.loads((Path(__file__).parent / "slicer_facts.json").read_text(encoding="utf-8"))
OF_QT = {
    "event",
    "eventFilter",
    "paintEvent",
    "mousePressEvent",
    "sizeHint",
    "minimumSizeHint",
    "connect",
    "disconnect",
}
OF_THE_HOST = {"SIGNALS", "staticMetaObject", "places", "testing", "topLevelWidgets"}
"""What the host itself needs; the panel's sources are searched for it."""
OF_A_VIEW = {"draw", "place", "texts", "colour_bar", "reach", "resize_view", "view", "renderWindow", "scheduleRender",
             "mouseMoveEvent", "mouseReleaseEvent"}  # fmt: skip
"""A slice widget of the host is its own slice view (``sliceView()``), and a hand on a mouse."""


def fakes():
    from host.application import Application, LayoutManager
    from host.slice_widget import SliceWidget
    from host.stubs import STUBS

    return {
        **STUBS,
        "qMRMLLayoutManager": LayoutManager,
        "qMRMLSliceWidget": SliceWidget,
        "qSlicerApplication": Application,
    }


def own(cls) -> set[str]:
    """Public names that a fake defines itself."""
    return {name for name in vars(cls) if not name.startswith("_")} - OF_QT - OF_THE_HOST


@pytest.mark.parametrize("name", [name for name in FACTS if name.startswith(("q", "ctk"))])
def test_a_fake_has_nothing_that_slicers_class_has_not(host, name):
    facts, cls = FACTS[name], fakes()[name]
    known = {*facts.get("signals", []), *facts["methods"], *facts["properties"]}
    surplus = own(cls) - known - (OF_A_VIEW if name == "qMRMLSliceWidget" else set())
    assert not surplus, f"Slicer's {name} has no {sorted(surplus)}"
    missing = {one for one in known if not hasattr(cls, one)}
    assert not missing, f"the fake of {name} lacks {sorted(missing)}"
    if "base" in facts:
        assert facts["base"] in [base.__name__ for base in cls.__mro__]
        assert "QComboBox" not in [base.__name__ for base in cls.__mro__]


def test_fake_functions_take_what_slicers_take(host):
    import slicer
    from host.fakes import SampleDataLogic

    for owner, functions in (
        (slicer.packaging, FACTS["slicer.packaging"]),
        (SampleDataLogic, FACTS["SampleDataLogic"]),
    ):
        for name, parameters in functions.items():
            assert list(inspect.signature(getattr(owner, name)).parameters) == parameters, name


def test_the_panel_uses_nothing_of_the_host_that_slicer_has_not():
    root = Path(__file__).parents[2] / "MidlineShift"
    text = "\n".join(path.read_text(encoding="utf-8") for path in root.rglob("*.py"))
    for name in ("places", "topLevelWidgets", "resize_view", "colour_bar"):
        assert f".{name}(" not in text, name


def test_the_layout_manager_ignores_its_present_number_and_unknown_ones(host):
    import slicer

    manager = slicer.app.layoutManager()
    node = manager.layoutLogic().GetLayoutNode()
    assert manager.sliceWidget("MidlineShiftMoved") is None, "no layout made that view"
    node.AddLayoutDescription(4711, '<layout type="horizontal"><item/></layout>')
    node.SetViewArrangement(4711)
    before = node.GetMTime()
    manager.setLayout(4711)
    assert node.GetMTime() == before
    manager.setLayout(4712)
    assert manager.layout == node.SlicerLayoutConventionalView


def test_an_unknown_attribute_or_signal_is_an_error(host):
    from panel_fixture import PanelFixture

    panel = PanelFixture(host)
    with pytest.raises(AttributeError):
        panel.ui.measureButton.tooltip = "misspelt"
    with pytest.raises(AttributeError):
        panel.ui.inputSelector.currentText  # noqa: B018
    with pytest.raises(ValueError, match="no signal"):
        panel.ui.measureButton.connect("klicked(bool)", print)


def test_a_collapsed_box_hides_a_child_that_is_shown_until_it_is_unfolded(host):
    from panel_fixture import PanelFixture

    panel = PanelFixture(host)
    panel.ui.scanBox.collapsed = True
    panel.ui.scanMessageLabel.visible = True
    panel.host.process()
    assert not panel.ui.scanMessageLabel.visible
    panel.ui.scanBox.collapsed = False
    assert panel.ui.scanMessageLabel.visible


def test_a_closed_host_leaves_neither_scene_nor_views(tmp_path):
    """Hundreds of hosts are made in one process, with some 40 MB each."""
    from host.application import Host

    first = Host(tmp_path)
    panel = PanelFixture(first)
    panel.measure()
    of_first = [first.core.scene, first.window, *first.views(), *(view.view.window for view in first.views())]
    left = [weakref.ref(one) for one in of_first]
    first.close()
    Host(tmp_path).close()  # what Slicer's Python modules name is the second's from now on
    del first, panel, of_first
    gc.collect()
    assert [one() for one in left] == [None] * len(left)
