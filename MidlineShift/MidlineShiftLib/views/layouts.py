"""The two arrangements of slice views that the panel asks for."""

from typing import Protocol

import slicer

REVIEW_LAYOUT_ID = 23409
SCAN_VIEW, NORMAL_VIEW, MOVED_VIEW = "Red", "MidlineShiftNormal", "MidlineShiftMoved"
REVIEW_VIEWS = (SCAN_VIEW, NORMAL_VIEW, MOVED_VIEW)
LABELS = {SCAN_VIEW: "Scan", NORMAL_VIEW: "Set back to normal", MOVED_VIEW: "Displacement"}
DISPLACEMENT_OPACITY = 0.6

_VIEW = """
 <item><view class="vtkMRMLSliceNode" singletontag="{tag}">
  <property name="orientation" action="default">Axial</property>
  <property name="viewlabel" action="default">{label}</property>
  <property name="viewcolor" action="default">{colour}</property>
 </view></item>"""
_COLOURS = {SCAN_VIEW: "#F34A33", NORMAL_VIEW: "#6EB04B", MOVED_VIEW: "#EDD54C"}


def reviewLayout() -> str:
    """Layout description of the three views beside one another."""
    views = "".join(
        _VIEW.format(tag=tag, label="R" if tag == SCAN_VIEW else LABELS[tag][0], colour=_COLOURS[tag])
        for tag in REVIEW_VIEWS
    )
    return f'<layout type="horizontal" split="true">{views}\n</layout>'


class Views(Protocol):
    """What the panel asks of the slice views; ``SliceViews`` says what each does."""

    def showScan(self, volumeNode) -> None: ...

    def showReview(self, volumeNode, warpedNode) -> None: ...

    def isReview(self) -> bool: ...

    def caption(self, withHealthy: bool, magnitudeNode, warpedNode) -> str: ...

    def placeOverlays(self, nodes, gridEverywhere: bool) -> None: ...

    def showMagnitude(self, magnitudeNode) -> None: ...

    def showHealthy(self, healthyNode) -> None: ...


class SliceViews:
    """``Views`` on Slicer's layout manager."""

    def showScan(self, volumeNode) -> None:
        """One large axial view of the scan."""
        layoutManager = slicer.app.layoutManager()
        layoutManager.setLayout(slicer.vtkMRMLLayoutNode.SlicerLayoutOneUpRedSliceView)
        slicer.util.setSliceViewerLayers(background=volumeNode, foreground=None, label=None)
        layoutManager.sliceWidget(SCAN_VIEW).mrmlSliceNode().SetOrientationToAxial()
        layoutManager.sliceWidget(SCAN_VIEW).sliceLogic().FitSliceToAll()
        self._mark(layoutManager.sliceWidget(SCAN_VIEW).mrmlSliceNode())

    @staticmethod
    def _mark(sliceNode) -> None:
        """Show which side is the patient's right, and a ruler; what a user chose before stays."""
        if sliceNode.GetOrientationMarkerType() == sliceNode.OrientationMarkerTypeNone:
            sliceNode.SetOrientationMarkerType(sliceNode.OrientationMarkerTypeAxes)
            sliceNode.SetOrientationMarkerSize(sliceNode.OrientationMarkerSizeMedium)
        if sliceNode.GetRulerType() == sliceNode.RulerTypeNone:
            sliceNode.SetRulerType(sliceNode.RulerTypeThin)

    def isReview(self) -> bool:
        """Whether the three views are shown."""
        return slicer.app.layoutManager().layout == REVIEW_LAYOUT_ID

    def caption(self, withHealthy: bool, magnitudeNode, warpedNode) -> str:
        """What the three views show, from left to right; empty for one view.

        ``magnitudeNode``: whose colours are told, None where they are not shown. ``warpedNode``: None where there is none.
        """
        if not self.isReview():
            return ""
        colours = ""
        if magnitudeNode is not None:
            display = magnitudeNode.GetDisplayNode()
            colours = f" (red {display.GetLowerThreshold():.0f} to yellow {display.GetWindowLevelMax():.0f} mm)"
        middle = "pseudo-healthy image" if withHealthy else LABELS[NORMAL_VIEW].lower() if warpedNode else "scan"
        return f"Views: scan | {middle} | {LABELS[MOVED_VIEW].lower()}{colours}"

    def showReview(self, volumeNode, warpedNode) -> None:
        """The scan, the scan set back to normal, and the scan again for the displacement: linked, at one place.

        ``warpedNode`` may be None where a user deleted it, or where a result was loaded from a file.
        """
        layoutManager = slicer.app.layoutManager()
        layoutNode = layoutManager.layoutLogic().GetLayoutNode()
        if not layoutNode.IsLayoutDescription(REVIEW_LAYOUT_ID):
            layoutNode.AddLayoutDescription(REVIEW_LAYOUT_ID, reviewLayout())
        layoutManager.setLayout(REVIEW_LAYOUT_ID)
        backgrounds = {SCAN_VIEW: volumeNode, NORMAL_VIEW: warpedNode or volumeNode, MOVED_VIEW: volumeNode}
        scanNode = layoutManager.sliceWidget(SCAN_VIEW).mrmlSliceNode()
        scanNode.SetOrientationToAxial()
        for tag, background in backgrounds.items():
            sliceLogic = layoutManager.sliceWidget(tag).sliceLogic()
            composite = sliceLogic.GetSliceCompositeNode()
            composite.SetBackgroundVolumeID(background.GetID())
            composite.SetForegroundVolumeID(None)
            composite.SetLinkedControl(True)
            composite.SetHotLinkedControl(True)
            sliceLogic.GetSliceNode().SetOrientationToAxial()
            self._mark(sliceLogic.GetSliceNode())
            sliceLogic.FitSliceToAll()
            sliceLogic.SetSliceOffset(layoutManager.sliceWidget(SCAN_VIEW).sliceLogic().GetSliceOffset())

    def placeOverlays(self, nodes, gridEverywhere: bool) -> None:
        """In the three views, each overlay is drawn where it says something; in one view, all are.

        Args:
            gridEverywhere: also lay the grid over the scan and over the scan set back to normal.
        """
        views = {
            "landmarks": (SCAN_VIEW,),
            "ideal_midline": (SCAN_VIEW, NORMAL_VIEW),
            "deformed_midline": (SCAN_VIEW,),
            "distance": (SCAN_VIEW,),
            "grid": REVIEW_VIEWS if gridEverywhere else (MOVED_VIEW,),
        }
        for role, tags in views.items():
            node = nodes.node(role)
            display = None if node is None else node.GetDisplayNode()
            wanted = tuple(f"vtkMRMLSliceNode{tag}" for tag in tags) if self.isReview() else ()
            if display is not None and tuple(display.GetViewNodeIDs() or ()) != wanted:
                modifying = display.StartModify()
                display.RemoveAllViewNodeIDs()
                for view in wanted:
                    display.AddViewNodeID(view)
                display.EndModify(modifying)

    def showMagnitude(self, magnitudeNode) -> None:
        """Lay the displacement in colour over the third view; None takes it away."""
        self._layOver(MOVED_VIEW, magnitudeNode, DISPLACEMENT_OPACITY)

    def showHealthy(self, healthyNode) -> None:
        """Lay the pseudo-healthy image over the scan set back to normal, never over the scan; None takes it away.

        Slicer's own opacity slider of that view fades between the two.
        """
        self._layOver(NORMAL_VIEW, healthyNode, 1.0)

    def _layOver(self, tag: str, node, opacity: float) -> None:
        composite = slicer.mrmlScene.GetNodeByID(f"vtkMRMLSliceCompositeNode{tag}")
        if composite is None or composite.GetForegroundVolumeID() == (node.GetID() if node else None):
            return
        composite.SetForegroundVolumeID(node.GetID() if node else None)
        composite.SetForegroundOpacity(opacity if node else 0.0)
