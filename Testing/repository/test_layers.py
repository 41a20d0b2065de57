"""Imports between modules go down the layers of docs/developer/architecture.md and never in a circle.

The real imports are read: those inside functions and those for type checkers count, too.
"""

import re
import sys
from pathlib import Path

import networkx
import pytest
from source_tree import PACKAGES, ROOT, import_graph, imports, modules

# Lowest first. A module may import its own layer and those below; folders of one layer must not import each other in a
# circle, either.
LAYERS = {
    "MidlineShiftLogic": [
        {
            "device",
            "errors",
            "exit_codes",
            "masks",
            "parallel",
            "progress",
            "quality",
            "software",
            "threads",
            "text",
            "unfinished",
        },
        {"geometry", "headct", "networks"},
        {"measurement", "models"},
        {"inference"},
        {"api", "reporting"},
        {"batch", "dicom_objects", "scene"},
        {"pacs", "review_app"},
        {"cli"},
    ],
    "midlineshift_training": [
        {"datasets", "losses"},
        {"trainers"},
        {"distributed"},
        {"calibration", "evaluation", "export"},
        {"cli"},
    ],
}
# Entry points, which stand above all layers and which nothing imports.
ENTRY_POINTS = {"MidlineShiftLogic", "MidlineShiftLogic.__main__", "midlineshift_training"}
# Packages that only keep an earlier name alive.
EARLIER_NAMES = {"dicom_objects"}
# Which package may import which.
MAY_IMPORT = {
    "MidlineShiftLogic": set(),
    "midlineshift_training": {"MidlineShiftLogic"},
    "MidlineShiftLib": {"MidlineShiftLogic"},
}
KNOWN = Path(__file__).with_name("known_violations.txt")


def layer_of(module: str) -> int | None:
    """Return the layer's number, 0 lowest; None for what has no layers."""
    package, _, rest = module.partition(".")
    folder = rest.partition(".")[0]
    for number, names in enumerate(LAYERS.get(package, [])):
        if folder in names:
            return number
    return None


def unit_of(module: str) -> str:
    """Return the folder or file directly below the package that a module belongs to."""
    return ".".join(module.split(".")[:2])


def upward(graph: dict[str, set[str]]) -> set[str]:
    """Return the imports that go up a layer, or into a package that must not be known."""
    found = set()
    for module, targets in graph.items():
        for target in targets:
            package, other = module.partition(".")[0], target.partition(".")[0]
            if package != other:
                wrong = other not in MAY_IMPORT[package]
            else:
                own, its = layer_of(module), layer_of(target)
                wrong = own is not None and (target in ENTRY_POINTS or (its is not None and its > own))
            if wrong:
                found.add(f"{module} -> {target}")
    return found


def circles(graph: dict[str, set[str]]) -> set[str]:
    """Return the groups of modules that import each other, directly or through others."""
    links = networkx.DiGraph([(module, target) for module, targets in graph.items() for target in targets])
    return {" <-> ".join(sorted(group)) for group in networkx.strongly_connected_components(links) if len(group) > 1}


def between_units(graph: dict[str, set[str]]) -> dict[str, set[str]]:
    """Return the graph of folders and files directly below the packages."""
    units: dict[str, set[str]] = {}
    for module, targets in graph.items():
        own = unit_of(module)
        units.setdefault(own, set()).update(unit_of(target) for target in targets if unit_of(target) != own)
    return units


def violations(graph: dict[str, set[str]]) -> set[str]:
    """Return all that is wrong; a circle of folders is named only where no import up explains it."""
    found = upward(graph)
    excused = {tuple(map(unit_of, line.split(" -> "))) for line in found}
    level = {
        own: {target for target in targets if (own, target) not in excused}
        for own, targets in between_units(graph).items()
    }
    return found | circles(graph) | circles(level)


def test_no_import_goes_up_and_none_in_a_circle():
    """``known_violations.txt`` may only shrink: a line is removed together with what it names."""
    known = {line for line in KNOWN.read_text(encoding="utf-8").splitlines() if line and not line.startswith("#")}
    found = violations(import_graph(modules()))
    new, mended = sorted(found - known), sorted(known - found)
    assert not new, "imports against the layers:\n" + "\n".join(new)
    assert not mended, f"no longer so; remove from {KNOWN.relative_to(ROOT)}:\n" + "\n".join(mended)


@pytest.mark.parametrize("package", LAYERS)
def test_the_page_on_architecture_names_every_layer(package):
    text = (ROOT / "docs/developer/architecture.md").read_text(encoding="utf-8")
    table = text.partition(f"`{package}` |")[2].partition("\n\n")[0]
    rows = dict(re.findall(r"^\| (\d) \| (.*) \|$", table, re.MULTILINE))
    for number, names in enumerate(LAYERS[package], 1):
        named = set(re.findall(r"`(\w+)/?`", rows[str(number)]))
        assert names - EARLIER_NAMES == named, f"layer {number}"


def test_every_folder_has_a_layer():
    for module in modules():
        if module.partition(".")[0] in LAYERS and module not in ENTRY_POINTS:
            assert layer_of(module) is not None, f"{module}: give {unit_of(module)} a layer"


@pytest.mark.parametrize(
    "graph, wrong",
    [
        ({"MidlineShiftLogic.headct.nifti": {"MidlineShiftLogic.api"}}, 1),
        ({"MidlineShiftLogic.headct.nifti": {"MidlineShiftLogic"}}, 1),
        ({"MidlineShiftLogic.api": {"MidlineShiftLogic.headct.nifti"}}, 0),
        ({"MidlineShiftLogic.errors": {"midlineshift_training.losses.a"}}, 1),
        ({"midlineshift_training.losses.a": {"MidlineShiftLogic.errors"}}, 0),
        ({"midlineshift_training.trainers.a": {"midlineshift_training.cli.b"}}, 1),
        ({"MidlineShiftLib.a": {"midlineshift_training.losses.a"}}, 1),
        ({"MidlineShiftLib.a": {"MidlineShiftLib.b"}, "MidlineShiftLib.b": {"MidlineShiftLib.a"}}, 1),
        # Three folders of one layer in a circle through different files.
        (
            {
                "MidlineShiftLogic.headct.a": {"MidlineShiftLogic.geometry.b"},
                "MidlineShiftLogic.geometry.c": {"MidlineShiftLogic.networks.d"},
                "MidlineShiftLogic.networks.e": {"MidlineShiftLogic.headct.f"},
            },
            1,
        ),
    ],
)
def test_planted_imports_are_found(graph, wrong):
    assert len(violations(graph)) == wrong


def test_imports_of_every_kind_are_read(tmp_path):
    text = """
from typing import TYPE_CHECKING
import p.a
from p import b
from . import c
from .d import e
if TYPE_CHECKING:
    from p.f import G
def late():
    import p.h as other
"""
    for name in "abcdfh":
        (tmp_path / f"{name}.py").write_text("", encoding="utf-8")
    (tmp_path / "own.py").write_text(text, encoding="utf-8")
    found = modules({"p": tmp_path})
    assert import_graph(found)["p.own"] == {f"p.{name}" for name in "abcdfh"}


def imported_packages(path: Path) -> set[str]:
    return {item.module.partition(".")[0] for item in imports(path)}


def test_slicer_is_known_to_the_scene_builder_only():
    """Nothing of the logic knows the training's packages, and only the scene builder knows slicer and vtk."""
    foreign = {"lightning", "monai", "qt", "slicer", "vtk"}
    scene = PACKAGES["MidlineShiftLogic"] / "scene"
    for path in PACKAGES["MidlineShiftLogic"].rglob("*.py"):
        found = imported_packages(path) & foreign
        found -= {"slicer", "vtk"} if scene in path.parents else set()
        assert not found, f"{path.relative_to(ROOT)} imports {found}"


def test_the_panel_imports_only_what_slicer_has_at_file_scope():
    """Packages that have to be installed first are imported inside functions."""
    import ast

    allowed = {"qt", "ctk", "slicer", "vtk", "numpy", "MidlineShiftLogic", ""} | sys.stdlib_module_names
    for path in (ROOT / "MidlineShift").rglob("*.py"):
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) and not node.level else []
            assert {name.partition(".")[0] for name in names} <= allowed, f"{path.name}: {names}"
