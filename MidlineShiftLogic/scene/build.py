"""Make the nodes of a measurement, and remove exactly these."""

from __future__ import annotations

from collections.abc import Generator, Iterator

from MidlineShiftLogic.errors import InputError
from MidlineShiftLogic.headct.headct import HeadCT
from MidlineShiftLogic.inference.dense_arrays import DenseScan
from MidlineShiftLogic.measurement.results import Measurement
from MidlineShiftLogic.scene.displacement import Steps, add_colours, add_magnitude, add_transform, add_warped
from MidlineShiftLogic.scene.folder import add_node_to_folder, add_to_folder, remove_from_folder
from MidlineShiftLogic.scene.grid import add_grid
from MidlineShiftLogic.scene.markups import add_markups, show_markups
from MidlineShiftLogic.scene.nodes import MADE, MARK, VOLUME, VOXELS, MeasurementNodes
from MidlineShiftLogic.scene.place import note_place
from MidlineShiftLogic.scene.planar_field import PlanarField
from MidlineShiftLogic.scene.shift_table import add_table, fill_table
from MidlineShiftLogic.scene.state import SceneState, without_voxels


def build_scene(
    volume_node, ct: HeadCT, measurement: Measurement, dense: DenseScan | None, original: Measurement | None = None
) -> MeasurementNodes:
    """Show a measurement in the scene of its volume; the slice of the case is the one shown. Views are not touched.

    Args:
        volume_node: the measured ``vtkMRMLScalarVolumeNode``.
        ct: ``head_ct_from_volume(volume_node)``, or a scan of the same slices.
        measurement: of ``ct``; not a refused one.
        dense: of ``ct``; None for a result that was read from a file, which shows no displacement then.
        original: the model's own measurement where ``measurement`` was edited before; ``measurement`` if None.

    Returns:
        Handle on the nodes, which are in one subject-hierarchy folder beside the volume.

    Raises:
        InputError: the measurement was refused, or the arrays are not of this scan. Nothing is left in the scene then.
    """
    steps = build_steps(volume_node, ct, measurement, dense, original)
    while True:
        try:
            next(steps)
        except StopIteration as end:
            return end.value


def build_steps(
    volume_node, ct: HeadCT, measurement: Measurement, dense: DenseScan | None, original: Measurement | None = None
) -> Generator[tuple[int, int], None, MeasurementNodes]:
    """Do the work of ``build_scene`` bit by bit, so that a program with a window can draw it in between.

    A generator that is closed before its end leaves nothing in the scene.

    Args: as for ``build_scene``.

    Yields:
        (steps done, steps in all), after each slice of the displacement's volumes.

    Returns:
        Handle on the nodes.

    Raises:
        InputError: as ``build_scene``, at the first step.
    """
    if measurement.slice is None:
        raise InputError("This scan was not measured; there is nothing to show.", "scene")
    if dense is not None:
        _check_shape(ct, dense)
    scene = volume_node.GetScene()
    prefix = f"{volume_node.GetName()} midline shift"
    text = scene.AddNewNodeByClass("vtkMRMLTextNode", f"{prefix} - measurement")
    text.SetAttribute(VOXELS, ct.source.get("sha256"))
    nodes = MeasurementNodes(text)
    try:
        nodes.put(VOLUME, volume_node)
        note_place(nodes)
        nodes.state = SceneState(measurement, original or measurement, without_voxels(ct), measurement.slice)
        add_markups(scene, nodes, prefix)
        if dense is not None:
            yield from _numbered(_add_fields(scene, nodes, ct, dense, prefix), 3 * _slices_of(volume_node))
            add_grid(scene, nodes, f"{prefix} - displacement grid")
        add_table(scene, nodes, prefix)
        fill_table(nodes)
        show_markups(nodes, nodes.shown_slice)
        add_to_folder(scene, nodes, prefix)
        text.SetAttribute(MARK, "1")  # only a complete measurement is found
    except BaseException:
        remove(nodes)
        raise
    return nodes


def add_displacement(nodes: MeasurementNodes, ct: HeadCT, dense: DenseScan) -> None:
    """Add the displacement to a measurement that was built without it, so that its landmarks can be shown at once.

    Args:
        nodes: From ``build_scene`` with ``dense`` None.
        ct: The measured scan.
        dense: Of ``ct``.

    Raises:
        InputError: The arrays are not of this scan, or its volume is no longer in the scene.
    """
    _check_shape(ct, dense)
    if nodes.volume is None:
        raise InputError("The scan of this measurement is no longer in the scene; load it again.", "scene")
    scene = nodes.volume.GetScene()
    prefix = f"{nodes.volume.GetName()} midline shift"
    for _ in _add_fields(scene, nodes, ct, dense, prefix):
        pass
    add_grid(scene, nodes, f"{prefix} - displacement grid")
    for role in ("transform", "warped", "magnitude", "grid"):
        if nodes.node(role) is not None:
            add_node_to_folder(nodes, nodes.node(role))


def _check_shape(ct: HeadCT, dense: DenseScan) -> None:
    if dense.warped_hu.shape != ct.hu.shape or dense.displacement_mm.shape != (ct.n_slices, 2, *ct.hu.shape[1:]):
        raise InputError("The displacement is not of this scan; measure it again.", "scene")


def _add_fields(scene, nodes: MeasurementNodes, ct: HeadCT, dense: DenseScan, prefix: str) -> Steps:
    """Make the nodes of the displacement."""
    volume = nodes.volume
    field = PlanarField(ct, dense.displacement_mm)
    nodes.put("transform", (yield from add_transform(scene, field, f"{prefix} - displacement")))
    nodes.put("warped", (yield from add_warped(volume, ct, field, dense.warped_hu, f"{prefix} - warped back")))
    nodes.put("colours", add_colours(scene, f"{prefix} - colours"))
    name = f"{prefix} - displacement (mm)"
    nodes.put("magnitude", (yield from add_magnitude(volume, ct, field, nodes.node("colours"), name)))


def _numbered(steps: Steps, expected: int) -> Iterator[tuple[int, int]]:
    """Count steps; where there are more than expected, the last are the expected ones."""
    for number, _ in enumerate(steps, 1):
        yield min(number, expected), expected


def _slices_of(volume_node) -> int:
    """Slices of a volume node along its third axis: about as many steps each of the three fields takes."""
    return max(1, volume_node.GetImageData().GetDimensions()[2])


def remove(nodes: MeasurementNodes) -> None:
    """Take out what ``build_scene`` made: the nodes, their display and storage nodes, and the folder if nothing else
    was put into it. The volume and everything of the user's stays. A second call does nothing."""
    text = nodes.state_node
    scene = text.GetScene()
    if scene is None:
        return
    made = [node for node in (nodes.node(role) for role in MADE) if node is not None]
    remove_from_folder(scene, [text, *made])
    for node in [*made, text]:
        remove_node(node)


def remove_node(node) -> None:
    """Take one node with its own display and storage nodes out of its scene."""
    scene = node.GetScene()
    helpers = _helpers(node)
    scene.RemoveNode(node)
    # only now: a slice view gives a volume that it shows without a display node a new one
    for helper in helpers:
        scene.RemoveNode(helper)


def _helpers(node) -> list:
    """Return display and storage nodes of a node that are its own."""
    helpers = []
    if node.IsA("vtkMRMLStorableNode"):
        helpers += [node.GetNthStorageNode(index) for index in range(node.GetNumberOfStorageNodes())]
    if node.IsA("vtkMRMLDisplayableNode"):
        helpers += [node.GetNthDisplayNode(index) for index in range(node.GetNumberOfDisplayNodes())]
    return [helper for helper in helpers if helper is not None]
