"""Texts in the slice views: the patient's sides, the case, the slice and what the view shows.

They are drawn into the views and are no nodes, so that they are never saved with a scene. Slicer's own annotations are in
the other three corners.
"""

from dataclasses import dataclass

import vtk

COLOUR = (1.0, 0.95, 0.6)
SMALLEST_FONT, LARGEST_FONT = 11, 30
LINES_A_VIEW = 42.0
"""The letters are this part of the view's height: that fits small and large views, and dense screens."""
SIDE_SCALE = 1.5
"""The letters of the sides are larger than the other texts by this factor."""
RAS_ENDS = (("L", "R"), ("P", "A"), ("I", "S"))
"""Letters of the negative and the positive end of each axis of RAS."""
BAR = "bar"
BAR_PLACE, BAR_WIDTH, BAR_HEIGHT = (0.86, 0.03), 0.12, 0.38
"""Of the colour bar, in parts of the view: the lower right corner."""
DARKNESS = 0.55
"""Of the field behind texts and bar: they must be legible on white bone and on the headrest."""
BAR_TITLE_PIXELS = 6
"""Between the unit and the highest label."""
BAR_STEPS = 6
"""Labels of the bar: 0, 2, 4, 6, 8 and 10 mm."""

PLACES = {"right": (0.015, 0.5), "left": (0.985, 0.5), "case": (0.985, 0.015), "title": (0.5, 0.985)}
"""Where each text is, in parts of the view. ``right`` and ``left`` are the patient's: pictures are radiological, so the
patient's right is on the left. Where a user turned the view, the letters say what is there then (``sideLetters``)."""
SIDES = ("right", "left")
"""The places at the left and the right edge of a view."""
ALIGNED = {
    "right": ("left", "middle"), "left": ("right", "middle"), "case": ("right", "bottom"), "title": ("middle", "top"),
}  # fmt: skip


@dataclass(frozen=True)
class ViewTexts:
    """What is written into one view.

    Attributes:
        title: what the view shows. case: name of the case. place: name of the slice.
        colours: display node of a volume of millimetres whose colours are explained by a bar; None for no bar.
    """

    title: str
    case: str = ""
    place: str = ""
    colours: object = None

    def byPlace(self) -> dict[str, str]:
        """Return texts by the names of ``PLACES``, without the letters of the sides."""
        return {
            "case": "\n".join(text for text in (self.case, self.place) if text),
            "title": self.title,
        }


def sideLetters(sliceNode) -> tuple[str, str]:
    """Return the patient's directions at the left and the right edge of a view, for example ``("R", "L")``.

    A view that a user turned to sagittal or coronal has those of its own plane.
    """
    place = sliceNode.GetSliceToRAS()
    across = [place.GetElement(axis, 0) for axis in range(3)]
    axis = max(range(3), key=lambda one: abs(across[one]))
    low, high = RAS_ENDS[axis]
    return (low, high) if across[axis] > 0 else (high, low)


@dataclass(frozen=True)
class _Marked:
    """A view that has texts: its actors by place, among them the bar, and who follows its orientation."""

    renderer: object
    actors: dict
    sliceNode: object
    observer: int


class ViewMarks:
    """Keeps the text actors of every view."""

    def __init__(self):
        self._marked: dict[str, _Marked] = {}  # by the tag of the view

    def show(self, tag: str, widget, texts: ViewTexts | None) -> None:
        """Write texts into a view.

        Args:
            tag: of the view. widget: its slice widget, None where no layout made it. texts: None takes them away.
        """
        if widget is None or texts is None:
            self._remove(tag)
            return
        window = widget.sliceView().renderWindow()
        renderer = window.GetRenderers().GetFirstRenderer()
        sliceNode = widget.mrmlSliceNode()
        marked = self._marked.get(tag)
        if marked is not None and (marked.renderer is not renderer or marked.sliceNode is not sliceNode):
            self._remove(tag)
        if tag not in self._marked:
            self._marked[tag] = _mark(renderer, sliceNode)
        marked = self._marked[tag]
        size = int(min(max(window.GetSize()[1] / LINES_A_VIEW, SMALLEST_FONT), LARGEST_FONT))
        for place, text in texts.byPlace().items():
            marked.actors[place].SetInput(text)
        for place in PLACES:
            style = marked.actors[place].GetTextProperty()
            style.SetFontSize(int(size * (SIDE_SCALE if place in SIDES else 1)))
        _showColours(marked.actors[BAR], texts.colours, size)
        widget.sliceView().scheduleRender()

    def clear(self) -> None:
        """Take the texts out of every view."""
        for tag in list(self._marked):
            self._remove(tag)

    def _remove(self, tag: str) -> None:
        if tag in self._marked:
            marked = self._marked.pop(tag)
            marked.sliceNode.RemoveObserver(marked.observer)
            for actor in marked.actors.values():
                marked.renderer.RemoveViewProp(actor)


def _mark(renderer, sliceNode) -> _Marked:
    """Put actors into a view; the letters of the sides follow its orientation from now on, whoever turns it."""
    actors = {place: _text(renderer, place) for place in PLACES}

    def showSides(node) -> None:
        for place, letter in zip(SIDES, sideLetters(node), strict=True):
            if actors[place].GetInput() != letter:
                actors[place].SetInput(letter)

    showSides(sliceNode)
    observer = sliceNode.AddObserver(vtk.vtkCommand.ModifiedEvent, lambda caller, event: showSides(caller))
    return _Marked(renderer, {**actors, BAR: _bar(renderer)}, sliceNode, observer)


def _text(renderer, place: str):
    actor = vtk.vtkTextActor()
    actor.GetPositionCoordinate().SetCoordinateSystemToNormalizedViewport()
    actor.SetPosition(*PLACES[place])
    style = actor.GetTextProperty()
    style.SetColor(*COLOUR)
    style.SetBold(place in SIDES)
    style.ShadowOn()
    _darken(style)
    across, along = ALIGNED[place]
    {"left": style.SetJustificationToLeft, "right": style.SetJustificationToRight,
     "middle": style.SetJustificationToCentered}[across]()  # fmt: skip
    {"top": style.SetVerticalJustificationToTop, "middle": style.SetVerticalJustificationToCentered,
     "bottom": style.SetVerticalJustificationToBottom}[along]()  # fmt: skip
    renderer.AddViewProp(actor)
    return actor


def _darken(style) -> None:
    style.SetBackgroundColor(0.0, 0.0, 0.0)
    style.SetBackgroundOpacity(DARKNESS)


def _bar(renderer):
    actor = vtk.vtkScalarBarActor()
    actor.SetOrientationToVertical()
    actor.GetPositionCoordinate().SetCoordinateSystemToNormalizedViewport()
    actor.SetPosition(*BAR_PLACE)
    actor.SetWidth(BAR_WIDTH)
    actor.SetHeight(BAR_HEIGHT)
    actor.SetTitle("mm")
    actor.SetLabelFormat("{:.0f}" if vtk.vtkVersion().GetVTKMajorVersion() > 9 else "%.0f")
    actor.SetNumberOfLabels(BAR_STEPS)
    actor.UnconstrainedFontSizeOn()
    actor.DrawBackgroundOn()
    actor.GetBackgroundProperty().SetColor(0.0, 0.0, 0.0)
    actor.GetBackgroundProperty().SetOpacity(DARKNESS)
    actor.SetVerticalTitleSeparation(BAR_TITLE_PIXELS)
    for style in (actor.GetTitleTextProperty(), actor.GetLabelTextProperty()):
        style.SetColor(*COLOUR)
        style.ShadowOn()
        style.ItalicOff()
        style.BoldOff()
    _darken(actor.GetTitleTextProperty())  # the unit is above the bar's own field
    actor.VisibilityOff()
    renderer.AddViewProp(actor)
    return actor


def _showColours(actor, display, size: int) -> None:
    """Explain the colours of a display node from 0 mm to the end of its window; None takes the bar away."""
    actor.SetVisibility(display is not None)
    if display is None:
        return
    table = vtk.vtkLookupTable()
    table.DeepCopy(display.GetColorNode().GetLookupTable())
    table.SetRange(0.0, display.GetWindowLevelMax())
    actor.SetLookupTable(table)
    for style in (actor.GetTitleTextProperty(), actor.GetLabelTextProperty()):
        style.SetFontSize(size)
