"""Find the nodes of one measurement through node references, also after a scene was saved and loaded."""

from __future__ import annotations

from functools import lru_cache

from MidlineShiftLogic.errors import InputError
from MidlineShiftLogic.headct.headct import HeadCT
from MidlineShiftLogic.measurement.edit import slice_of
from MidlineShiftLogic.measurement.results import Measurement, SliceMeasurement
from MidlineShiftLogic.scene.state import SceneState, from_json

MARK = "MidlineShift.measurement"
"""Attribute of the text nodes that hold a measurement."""

VOXELS = "MidlineShift.voxels"
"""Attribute of such a text node: digest of the voxels that the measurement was shown on."""

VOLUME = "volume"
MADE = (
    "landmarks",
    "landmark_labels",
    "ideal_midline",
    "deformed_midline",
    "distance",
    "transform",
    "warped",
    "magnitude",
    "colours",
    "grid",
    "healthy",
    "table",
    "case_table",
    "series",
    "case_series",
    "chart",
)
"""Roles of the nodes that are made for a measurement, beside its text node; ``healthy`` only when asked for."""


def reference(role: str) -> str:
    """Return node reference role in the text node."""
    return f"MidlineShift.{role}"


class MeasurementNodes:
    """Find the nodes of one measurement. A node that a user deleted is None, and everything else goes on without it.

    Attributes:
        state_node: ``vtkMRMLTextNode`` that holds the state (``scene.state``) and references all the others.
    """

    def __init__(self, state_node):
        self.state_node = state_node

    def __eq__(self, other) -> bool:
        return isinstance(other, MeasurementNodes) and other.state_node is self.state_node

    def __hash__(self) -> int:
        return hash(self.state_node)

    @property
    def state(self) -> SceneState:
        """Return what is kept; InputError if the text node was damaged."""
        return _parsed(self.state_node.GetText())

    @state.setter
    def state(self, state: SceneState) -> None:
        self.state_node.SetText(state.to_json())

    @property
    def damage(self) -> str:
        """Return one sentence about why the text node cannot be read; empty if it can."""
        try:
            _parsed(self.state_node.GetText())
        except InputError as error:
            return str(error)
        return ""

    @property
    def measurement(self) -> Measurement:
        """Return the measurement with edits and review."""
        return self.state.measurement

    @property
    def original(self) -> Measurement:
        """Return the measurement as the model gave it."""
        return self.state.original

    @property
    def geometry(self) -> HeadCT:
        """Return geometry of the measured scan, its voxels all air: what ``measurement.edit`` needs of a scan."""
        return self.state.geometry

    @property
    def shown(self) -> int:
        """Return slice whose landmarks are in the scene."""
        return self.state.shown

    @property
    def shown_slice(self) -> SliceMeasurement | None:
        """Return the slice that the number of the case was measured on."""
        state = self.state
        return slice_of(state.measurement, state.shown)

    def node(self, role: str):
        """Return the node of a role: ``VOLUME`` or one of ``MADE``."""
        return self.state_node.GetNodeReference(reference(role))

    def put(self, role: str, node) -> None:
        """Remember a node under a role."""
        self.state_node.SetNodeReferenceID(reference(role), node.GetID())

    @property
    def volume(self):
        """Return the measured ``vtkMRMLScalarVolumeNode``."""
        return self.node(VOLUME)

    @property
    def landmarks(self):
        """Return ``vtkMRMLMarkupsFiducialNode``: the four landmarks of the shown slice; labelled as ``scene.markups`` says."""
        return self.node("landmarks")

    @property
    def ideal_midline(self):
        """Return ``vtkMRMLMarkupsLineNode`` between the falx attachments of the shown slice."""
        return self.node("ideal_midline")

    @property
    def deformed_midline(self):
        """Return ``vtkMRMLMarkupsCurveNode`` of the shown slice."""
        return self.node("deformed_midline")

    @property
    def distance(self):
        """Return ``vtkMRMLMarkupsLineNode`` from the ideal to the shifted landmark; its label shows the millimetres."""
        return self.node("distance")

    @property
    def transform(self):
        """Return ``vtkMRMLGridTransformNode``; its direction is defined in ``scene.displacement``."""
        return self.node("transform")

    @property
    def warped(self):
        """Return scalar volume: the scan warped back to normal, on the volume's grid."""
        return self.node("warped")

    @property
    def magnitude(self):
        """Return scalar volume: length of the displacement in mm, on the volume's grid."""
        return self.node("magnitude")

    @property
    def healthy(self):
        """Return scalar volume: the pseudo-healthy image on the volume's grid (``scene.healthy``); None until it was made."""
        return self.node("healthy")

    @property
    def table(self):
        """Return ``vtkMRMLTableNode``: one row a measured slice; columns as ``scene.shift_table`` says."""
        return self.node("table")

    @property
    def chart(self):
        """Return ``vtkMRMLPlotChartNode``: shift against slice."""
        return self.node("chart")


@lru_cache(maxsize=8)
def _parsed(text: str) -> SceneState:
    """Parse a text once: every look at the state is a look at the text node, and states are not changed in place."""
    return from_json(text)


def find_all(scene) -> list[MeasurementNodes]:
    """Return every measurement in a scene, oldest first."""
    found = scene.GetNodesByClass("vtkMRMLTextNode")
    nodes = [found.GetItemAsObject(index) for index in range(found.GetNumberOfItems())]
    return [MeasurementNodes(node) for node in nodes if node.GetAttribute(MARK)]


def find_of_volume(volume_node) -> list[MeasurementNodes]:
    """Return the measurements of one volume, oldest first."""
    return [nodes for nodes in find_all(volume_node.GetScene()) if nodes.volume is volume_node]
