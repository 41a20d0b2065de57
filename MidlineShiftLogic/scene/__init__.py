"""Show a measurement in a MRML scene, edit it, save it, remove it. The only part of the logic that imports slicer.

Runs in 3D Slicer and on ``slicer-core`` without Qt, torch or a screen. What a panel does with it::

    ct = head_ct_from_volume(volume_node)                  # the canonical scan of a volume node
    nodes = build_scene(volume_node, ct, measurement, dense)
    show_slice(nodes, nodes.measurement.slice)             # landmarks and lines of a slice; views go there
    edited = apply_edits(nodes)                            # on nodes.landmarks' PointModifiedEvent: the new Measurement
    update(nodes, move_landmarks(...))                     # or any function of measurement.edit / measurement.review
    set_visible(nodes, "grid", True)                       # one of PARTS
    add_healthy(nodes, healthy)                            # the pseudo-healthy image, when it was asked for
    for nodes in find_all(slicer.mrmlScene): ...           # also after a saved scene was loaded
    remove(nodes)                                          # exactly what build_scene made

``MeasurementNodes`` is a handle without state of its own: everything is in a text node and its node references, so it
is saved with the scene, and two handles on one measurement agree.
"""

from MidlineShiftLogic.scene.build import add_displacement, build_scene, build_steps, remove
from MidlineShiftLogic.scene.edits import apply_edits, read_edits, update
from MidlineShiftLogic.scene.healthy import add_healthy, remove_healthy
from MidlineShiftLogic.scene.nodes import MeasurementNodes, find_all, find_of_volume
from MidlineShiftLogic.scene.place import was_moved
from MidlineShiftLogic.scene.scan_volume import add_scan_volume
from MidlineShiftLogic.scene.state import damage_of
from MidlineShiftLogic.scene.views import show_slice, slice_at
from MidlineShiftLogic.scene.visibility import PARTS, is_visible, set_visible
from MidlineShiftLogic.scene.volume import head_ct_from_volume

__all__ = [
    "PARTS",
    "MeasurementNodes",
    "add_displacement",
    "add_healthy",
    "add_scan_volume",
    "apply_edits",
    "build_scene",
    "build_steps",
    "damage_of",
    "find_all",
    "find_of_volume",
    "head_ct_from_volume",
    "is_visible",
    "read_edits",
    "remove",
    "remove_healthy",
    "set_visible",
    "show_slice",
    "slice_at",
    "update",
    "was_moved",
]
