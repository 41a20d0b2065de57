"""Keep the nodes of a measurement in one subject-hierarchy folder beside its volume."""

from __future__ import annotations

import slicer

from MidlineShiftLogic.scene.nodes import MADE, MeasurementNodes


def add_to_folder(scene, nodes: MeasurementNodes, name: str) -> None:
    """Make a folder in the place of the volume (its study, if it has one) and put every node there."""
    hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(scene)
    volume_item = _item(hierarchy, nodes.volume)
    folder = hierarchy.CreateFolderItem(hierarchy.GetItemParent(volume_item), name)
    for node in (nodes.state_node, *(nodes.node(role) for role in MADE if role != "colours")):
        if node is not None:
            hierarchy.SetItemParent(_item(hierarchy, node), folder)


def add_node_to_folder(nodes: MeasurementNodes, node) -> None:
    """Put one more node into the measurement's folder."""
    hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(node.GetScene())
    hierarchy.SetItemParent(_item(hierarchy, node), folder_of(nodes))


def folder_of(nodes: MeasurementNodes) -> int:
    """Return item of the folder, found from the text node in it."""
    hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(nodes.state_node.GetScene())
    return hierarchy.GetItemParent(hierarchy.GetItemByDataNode(nodes.state_node))


def remove_from_folder(scene, made: list) -> None:
    """Take the nodes' items out; their folder goes too if it is a folder and nothing is left in it."""
    hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(scene)
    items = [hierarchy.GetItemByDataNode(node) for node in made]
    folder = hierarchy.GetItemParent(items[0]) if items[0] else 0
    for item in items:
        if item:
            hierarchy.RemoveItem(item, False, False)
    is_folder = folder and hierarchy.GetItemLevel(folder) == "Folder"
    if is_folder and not hierarchy.GetNumberOfItemChildren(folder):
        hierarchy.RemoveItem(folder, False, False)


def _item(hierarchy, node) -> int:
    """Return the node's item; Slicer makes one when a node is added, the bare core does not."""
    invalid = hierarchy.GetInvalidItemID()
    item = hierarchy.GetItemByDataNode(node)
    return item if item != invalid else hierarchy.CreateItem(hierarchy.GetSceneItemID(), node)
