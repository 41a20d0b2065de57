"""The arrangements of slice views that the panel asks for, and what each view shows.

A saved scene keeps only the number of its layout, so the review layout must be known to Slicer before a scene that used it
is loaded: ``registerReviewLayout`` is called at Slicer's start and after every import.
"""

from dataclasses import dataclass, field
from typing import Protocol

import qt
import slicer
from slicer.i18n import tr as _

from .head_box import HeadBox, zoomTo
from .marks import ViewMarks, ViewTexts

REVIEW_LAYOUT_ID = 23409
SCAN_VIEW, NORMAL_VIEW, MOVED_VIEW = "Red", "MidlineShiftNormal", "MidlineShiftMoved"
REVIEW_VIEWS = (SCAN_VIEW, NORMAL_VIEW, MOVED_VIEW)
DISPLACEMENT_OPACITY = 0.6

_VIEW = """
  <view class="vtkMRMLSliceNode" singletontag="{tag}">
   <property name="orientation" action="default">Axial</property>
   <property name="viewlabel" action="default">{label}</property>
   <property name="viewcolor" action="default">{colour}</property>
  </view>"""
_LAYOUT = """<layout type="horizontal" split="true">
 <item splitSize="680">{scan}</item>
 <item splitSize="320"><layout type="vertical" split="true">
  <item>{normal}</item>
  <item>{moved}</item>
 </layout></item>
</layout>"""
_COLOURS = {SCAN_VIEW: "#F34A33", NORMAL_VIEW: "#6EB04B", MOVED_VIEW: "#EDD54C"}
_LETTERS = {SCAN_VIEW: "R", NORMAL_VIEW: "N", MOVED_VIEW: "D"}


def reviewLayout() -> str:
    """Describe one large view of the scan and two smaller ones beside it."""
    scan, normal, moved = (_VIEW.format(tag=tag, label=_LETTERS[tag], colour=_COLOURS[tag]) for tag in REVIEW_VIEWS)
    return _LAYOUT.format(scan=scan, normal=normal, moved=moved)


def registerReviewLayout() -> None:
    """Make the review layout known, and show it where a loaded scene asks for it; nothing without a main window."""
    layoutManager = slicer.app.layoutManager()
    if layoutManager is None:
        return
    layoutNode = layoutManager.layoutLogic().GetLayoutNode()
    if not layoutNode.IsLayoutDescription(REVIEW_LAYOUT_ID):
        layoutNode.AddLayoutDescription(REVIEW_LAYOUT_ID, reviewLayout())
    if layoutNode.GetViewArrangement() == REVIEW_LAYOUT_ID and not layoutNode.GetCurrentLayoutDescription():
        # The layout manager ignores its present number; the node takes it up with the description that is there now.
        layoutNode.SetViewArrangement(REVIEW_LAYOUT_ID)


@dataclass(frozen=True)
class Overlays:
    """What is laid over the review's views.

    Attributes:
        magnitude: volume of the displacement in mm, None for none. healthy: pseudo-healthy volume, None for none.
        gridEverywhere: lay the grid over the scan too.
    """

    magnitude: object = None
    healthy: object = None
    gridEverywhere: bool = False


class Views(Protocol):
    """What the panel asks of the slice views; ``SliceViews`` says what each does."""

    def showScan(self, volumeNode, box: HeadBox | None) -> None: ...

    def showReview(self, volumeNode, warpedNode, box: HeadBox | None) -> bool: ...

    def isReview(self) -> bool: ...

    def placeOverlays(self, nodes, overlays: Overlays) -> None: ...

    def showTexts(self, texts: dict[str, ViewTexts]) -> None: ...

    def widgets(self) -> list: ...

    def close(self) -> None: ...


@dataclass
class SliceViews:
    """``Views`` on Slicer's layout manager. A view that a layout did not make is left out."""

    _marks: ViewMarks = field(default_factory=ViewMarks)
    _box: HeadBox | None = None

    def widgets(self) -> list:
        """Return the slice widgets of the panel's views that are there."""
        return [widget for widget in map(_widget, REVIEW_VIEWS) if widget is not None]

    def showScan(self, volumeNode, box: HeadBox | None) -> None:
        """Show the scan in one large axial view, zoomed to the head."""
        layoutManager = slicer.app.layoutManager()
        if layoutManager is None:
            return
        layoutManager.setLayout(slicer.vtkMRMLLayoutNode.SlicerLayoutOneUpRedSliceView)
        slicer.util.setSliceViewerLayers(background=volumeNode, foreground=None, label=None)
        widget = _widget(SCAN_VIEW)
        if widget is not None:
            _orient(widget, box)
        self._zoomLater(box)

    def showReview(self, volumeNode, warpedNode, box: HeadBox | None) -> bool:
        """Show the scan large, beside it the scan warped back to normal and the displacement: linked, at one place.

        Args:
            warpedNode: None where a user deleted it, or where a result was loaded from a file.

        Returns:
            Whether every view is there; without a main window or with a layout of the user's they may not be.
        """
        registerReviewLayout()
        layoutManager = slicer.app.layoutManager()
        if layoutManager is None:
            return False
        layoutManager.layoutLogic().GetLayoutNode().SetViewArrangement(REVIEW_LAYOUT_ID)
        backgrounds = {SCAN_VIEW: volumeNode, NORMAL_VIEW: warpedNode or volumeNode, MOVED_VIEW: volumeNode}
        scan = _widget(SCAN_VIEW)
        for tag, background in backgrounds.items():
            widget = _widget(tag)
            if widget is None:
                continue
            composite = widget.sliceLogic().GetSliceCompositeNode()
            composite.SetBackgroundVolumeID(background.GetID())
            composite.SetForegroundVolumeID(None)
            composite.SetLinkedControl(True)
            composite.SetHotLinkedControl(True)
            _orient(widget, box)
            if scan is not None:
                widget.sliceLogic().SetSliceOffset(scan.sliceLogic().GetSliceOffset())
        self._zoomLater(box)
        return len(self.widgets()) == len(REVIEW_VIEWS)

    def _zoomLater(self, box: HeadBox | None) -> None:
        """Zoom once more when the views have their sizes: a new layout gives them these only when Slicer draws it."""
        self._box = box
        qt.QTimer.singleShot(0, self._zoom)

    def _zoom(self) -> None:
        box, self._box = self._box, None
        for widget in self.widgets() if box is not None else []:
            zoomTo(widget.mrmlSliceNode(), box)

    def isReview(self) -> bool:
        """Return whether the review's views are shown."""
        layoutManager = slicer.app.layoutManager()
        return layoutManager is not None and layoutManager.layout == REVIEW_LAYOUT_ID

    def placeOverlays(self, nodes, overlays: Overlays) -> None:
        """Draw each overlay in the view where it says something; in one view, draw all of them there."""
        review = self.isReview()
        views = {
            "landmarks": (SCAN_VIEW,),
            "landmark_labels": (SCAN_VIEW,),
            "ideal_midline": (SCAN_VIEW, NORMAL_VIEW),
            "deformed_midline": (SCAN_VIEW,),
            "distance": (SCAN_VIEW,),
            "grid": REVIEW_VIEWS if overlays.gridEverywhere else (MOVED_VIEW,),
        }
        for role, tags in views.items():
            node = nodes.node(role)
            _showIn(None if node is None else node.GetDisplayNode(), tags if review else ())
        _layOver(MOVED_VIEW, overlays.magnitude, DISPLACEMENT_OPACITY)
        # Never over the scan itself. Slicer's own opacity slider of that view fades between the two.
        _layOver(NORMAL_VIEW, overlays.healthy, 1.0)

    def showTexts(self, texts: dict[str, ViewTexts]) -> None:
        """Write the sides, the case, the slice and the title into the views; those without texts are cleared."""
        for tag in REVIEW_VIEWS:
            self._marks.show(tag, _widget(tag), texts.get(tag))

    def close(self) -> None:
        """Take everything out of the views that is no node of the scene."""
        self._box = None
        self._marks.clear()


def _widget(tag: str):
    layoutManager = slicer.app.layoutManager()
    return None if layoutManager is None else layoutManager.sliceWidget(tag)


def _orient(widget, box: HeadBox | None) -> None:
    """Turn a view to axial and zoom it to the head; the letters of ``ViewMarks`` replace the orientation marker."""
    sliceNode = widget.mrmlSliceNode()
    sliceNode.SetOrientationToAxial()
    if widget.mrmlSliceNode().GetLayoutName() == SCAN_VIEW and sliceNode.GetRulerType() == sliceNode.RulerTypeNone:
        sliceNode.SetRulerType(sliceNode.RulerTypeThin)
    widget.sliceLogic().FitSliceToAll()
    if box is not None:
        zoomTo(sliceNode, box)


def _showIn(display, tags: tuple[str, ...]) -> None:
    """Restrict a display node to some views; an empty tuple means all."""
    wanted = tuple(f"vtkMRMLSliceNode{tag}" for tag in tags)
    if display is not None and tuple(display.GetViewNodeIDs() or ()) != wanted:
        modifying = display.StartModify()
        display.RemoveAllViewNodeIDs()
        for view in wanted:
            display.AddViewNodeID(view)
        display.EndModify(modifying)


def _layOver(tag: str, node, opacity: float) -> None:
    composite = slicer.mrmlScene.GetNodeByID(f"vtkMRMLSliceCompositeNode{tag}")
    if composite is None or composite.GetForegroundVolumeID() == (node.GetID() if node else None):
        return
    composite.SetForegroundVolumeID(node.GetID() if node else None)
    composite.SetForegroundOpacity(opacity if node else 0.0)


def reviewTexts(case: str, place: str, *, warped: bool, healthy: bool, magnitude, edited: bool) -> dict:
    """Return the texts of the review's three views.

    Args:
        case: name of the case. place: name of the shown slice.
        warped: whether the scan warped back to normal is there. healthy: whether the pseudo-healthy image is shown.
        magnitude: volume of the displacement that is shown, None for none.
        edited: whether the number is the reader's, so that displacement and warped scan are of the model's result and not
            of the edit.
    """
    ofModel = " " + _("(the model's, not the edit's)") if edited else ""
    normal = _("Scan")
    if healthy:
        normal = _("Pseudo-healthy image (experimental)")
    elif warped:
        normal = _("Warped back to normal") + ofModel
    titles = {
        SCAN_VIEW: _("Scan"),
        NORMAL_VIEW: normal,
        MOVED_VIEW: _("Displacement") + ofModel if magnitude else _("Scan"),
    }
    colours = None if magnitude is None else magnitude.GetDisplayNode()
    return {
        SCAN_VIEW: ViewTexts(titles[SCAN_VIEW], case, place),
        NORMAL_VIEW: ViewTexts(titles[NORMAL_VIEW]),
        MOVED_VIEW: ViewTexts(titles[MOVED_VIEW], colours=colours),
    }


def scanTexts(case: str, place: str) -> dict:
    """Return the texts of the one large view."""
    return {SCAN_VIEW: ViewTexts("", case, place)}
