"""The two arrangements of slice views that the panel asks for."""

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


def showScan(volumeNode) -> None:
    """One large axial view of the scan."""
    layoutManager = slicer.app.layoutManager()
    layoutManager.setLayout(slicer.vtkMRMLLayoutNode.SlicerLayoutOneUpRedSliceView)
    slicer.util.setSliceViewerLayers(background=volumeNode, foreground=None, label=None)
    layoutManager.sliceWidget(SCAN_VIEW).mrmlSliceNode().SetOrientationToAxial()
    layoutManager.sliceWidget(SCAN_VIEW).sliceLogic().FitSliceToAll()


def showReview(volumeNode, warpedNode, magnitudeNode, showDisplacement: bool = True) -> None:
    """The scan, the scan set back to normal, and the displacement over the scan: linked, at one place.

    ``warpedNode`` and ``magnitudeNode`` may be None where a user deleted them.
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
        sliceLogic.FitSliceToAll()
        sliceLogic.SetSliceOffset(layoutManager.sliceWidget(SCAN_VIEW).sliceLogic().GetSliceOffset())
    showMagnitude(magnitudeNode if showDisplacement else None)


def placeOverlays(nodes, sideBySide: bool) -> None:
    """Side by side, each overlay is drawn where it says something; otherwise in every view."""
    views = {
        "landmarks": (SCAN_VIEW,),
        "ideal_midline": (SCAN_VIEW, NORMAL_VIEW),
        "deformed_midline": (SCAN_VIEW,),
        "distance": (SCAN_VIEW,),
    }
    for role, tags in views.items():
        node = nodes.node(role)
        if node is not None:
            display = node.GetDisplayNode()
            display.RemoveAllViewNodeIDs()
            for tag in tags if sideBySide else ():
                display.AddViewNodeID(f"vtkMRMLSliceNode{tag}")


def showMagnitude(magnitudeNode) -> None:
    """Lay the displacement in colour over the third view; None takes it away."""
    composite = slicer.mrmlScene.GetNodeByID(f"vtkMRMLSliceCompositeNode{MOVED_VIEW}")
    if composite is not None:
        composite.SetForegroundVolumeID(magnitudeNode.GetID() if magnitudeNode else None)
        composite.SetForegroundOpacity(DISPLACEMENT_OPACITY if magnitudeNode else 0.0)
