"""The repository itself: its layout, its CMake lists, its documents."""

import ast
import json
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

ROOT = Path(__file__).parents[2]
FOLDERS = {"MidlineShift", "MidlineShiftLogic", "Resources", "Testing", "docs", "training", ".ci"}
FILES = {
    ".gitignore", "CHANGELOG.md", "CMakeLists.txt", "CONTRIBUTING.md", "LICENSE", "Makefile", "README.md",
    "constraints.txt", "pyproject.toml",
}  # fmt: skip
TEXT = {".py", ".md", ".toml", ".txt", ".yaml", ".yml", ".json", ".cmake", ""}
# Put together so that this file does not find itself.
MACHINE_PATH = re.compile("|".join([rf"(?<![\w./])/{name}/" for name in ("work", "root", "home", "farm", "Users")]))


def tracked() -> list[Path]:
    """Files of the repository, new ones too, without what git ignores."""
    done = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard", "-z"], cwd=ROOT, capture_output=True, text=True
    )
    if done.returncode:
        pytest.skip("not a git checkout")
    return [ROOT / name for name in done.stdout.split("\0") if name and (ROOT / name).is_file()]


def listed(cmake: Path, variable: str) -> list[str]:
    """Entries of ``set(variable ...)``."""
    text = re.sub(r"#.*", "", cmake.read_text(encoding="utf-8"))
    return re.search(rf"set\({variable}\s([^)]*)\)", text)[1].split()


def test_top_level_is_what_it_should_be():
    paths = [path.relative_to(ROOT) for path in tracked()]
    assert {path.parts[0] for path in paths if len(path.parts) > 1} == FOLDERS
    assert {path.name for path in paths if len(path.parts) == 1} == FILES


@pytest.mark.parametrize("kind", ["PYTHON_SCRIPTS", "PYTHON_RESOURCES"])
def test_cmake_lists_every_file_of_the_logic(kind):
    folder = ROOT / "MidlineShiftLogic"
    found = [path.relative_to(folder).as_posix() for path in tracked() if folder in path.parents]
    scripts = kind == "PYTHON_SCRIPTS"
    wanted = {name for name in found if name.endswith(".py") == scripts and not name.endswith("CMakeLists.txt")}
    entries = listed(folder / "CMakeLists.txt", f"MidlineShiftLogic_{kind}")
    assert len(entries) == len(set(entries))
    missing, surplus = sorted(wanted - set(entries)), sorted(set(entries) - wanted)
    assert not missing and not surplus, f"{kind}: add {missing}, remove {surplus}"


def test_cmake_lists_every_file_of_the_panel():
    folder = ROOT / "MidlineShift"
    found = {path.relative_to(folder).as_posix() for path in tracked() if folder in path.parents} - {"CMakeLists.txt"}
    for kind in ("SCRIPTS", "RESOURCES"):
        entries = listed(folder / "CMakeLists.txt", f"MODULE_PYTHON_{kind}")
        entries = {entry.replace("${MODULE_NAME}", "MidlineShift") for entry in entries}
        assert entries == {name for name in found if name.endswith(".py") == (kind == "SCRIPTS")}


def test_cmake_installs_the_models_and_sample_scans():
    kinds = {"Models": ("*",), "SampleScans": ("*.nii.gz",)}
    files = [path.relative_to(ROOT / "Resources") for path in tracked() if ROOT / "Resources" in path.parents]
    wanted = {
        f"Resources/{path.as_posix()}"
        for path in files
        if any(path.match(pattern) for pattern in kinds.get(path.parts[0], ()))
    }
    assert set(listed(ROOT / "CMakeLists.txt", "MidlineShift_DATA")) == wanted


def test_extension_names_its_folders_and_metadata():
    text = (ROOT / "CMakeLists.txt").read_text(encoding="utf-8")
    assert "project(MidlineShift)" in text and "find_package(Slicer REQUIRED)" in text
    assert re.findall(r"add_subdirectory\((\w+)\)", text) == ["MidlineShift", "MidlineShiftLogic"]
    for name in ("HOMEPAGE", "CONTRIBUTORS", "DESCRIPTION", "ICONURL", "SCREENSHOTURLS", "DEPENDS"):
        assert re.search(rf'set\(EXTENSION_{name} "[^"]+"\)', text), name
    pictures = re.findall(r"\$\{MidlineShift_PICTURES\}/([\w./]+)", text)
    assert len(pictures) >= 2 and all((ROOT / name).is_file() for name in pictures)


def test_the_entry_for_the_extensions_index():
    entry = json.loads((ROOT / "Resources" / "ExtensionsIndex" / "MidlineShift.json").read_text(encoding="utf-8"))
    text = (ROOT / "CMakeLists.txt").read_text(encoding="utf-8")
    assert {"$schema", "category", "scm_url"} <= set(entry)
    repository = re.search(r'set\(MidlineShift_REPOSITORY "([^"]+)"\)', text)[1]
    assert entry["scm_url"] == f"https://github.com/{repository}.git"
    assert entry["build_dependencies"] == re.search(r'set\(EXTENSION_DEPENDS "([^"]+)"\)', text)[1].split()


def test_icon_is_what_its_script_draws():
    icon = Image.open(ROOT / "MidlineShift" / "Resources" / "Icons" / "MidlineShift.png")
    assert icon.size == (128, 128) and icon.mode == "RGBA"
    sys.path.insert(0, str(ROOT / "Resources"))
    try:
        from make_icon import draw
    finally:
        sys.path.pop(0)
    difference = np.abs(np.asarray(draw(), dtype=int) - np.asarray(icon, dtype=int))
    assert difference.max() <= 2  # Pillow's rounding may change


def test_module_registers():
    """The module's file has the four classes Slicer looks for."""
    tree = ast.parse((ROOT / "MidlineShift" / "MidlineShift.py").read_text(encoding="utf-8"))
    names = {node.name for node in tree.body if isinstance(node, ast.ClassDef)}
    assert {f"MidlineShift{kind}" for kind in ("", "Widget", "Logic", "Test")} <= names


def test_the_panel_imports_only_what_slicer_has_at_file_scope():
    """What has to be installed first is imported inside functions; the module's own file imports no part of the
    package of the same name as its logic class."""
    allowed = {"qt", "ctk", "slicer", "vtk", "numpy", "MidlineShiftLogic", ""} | sys.stdlib_module_names
    for path in (ROOT / "MidlineShift").rglob("*.py"):
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) and not node.level else []
            assert {name.partition(".")[0] for name in names} <= allowed, f"{path.name}: {names}"


def imports(path: Path) -> set[str]:
    """Full names of the modules a file imports anywhere in it."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return names


LOGIC = sorted((ROOT / "MidlineShiftLogic").rglob("*.py"))


def test_the_logic_needs_neither_the_training_nor_slicer():
    """Only the scene builder knows slicer and vtk, and nothing of the logic needs the scene builder."""
    foreign = {"midlineshift_training", "slicer", "qt", "vtk", "monai", "lightning"}
    scene = ROOT / "MidlineShiftLogic" / "scene"
    for path in LOGIC:
        found = {name.partition(".")[0] for name in imports(path)} & foreign
        found -= {"slicer", "vtk"} if scene in path.parents else set()
        assert not found, f"{path.relative_to(ROOT)} imports {found}"


def test_lower_floors_know_nothing_of_higher_ones():
    """The floors of docs/architecture.md; what stands on none of them is free."""
    floors = [
        "headct", "geometry", "networks", "models", "measurement", "inference", "reporting", "scene", "pacs", "cli",
    ]  # fmt: skip
    for path in LOGIC:
        own = path.relative_to(ROOT / "MidlineShiftLogic").parts[0]
        used = {name.split(".")[1] for name in imports(path) if name.startswith("MidlineShiftLogic.")}
        if own in floors:
            higher = used & {*floors[floors.index(own) + 1 :], *(["api"] if own != "cli" else [])}
            assert not higher, f"{path.relative_to(ROOT)} imports {higher}"


def test_no_paths_of_one_machine():
    found = []
    for path in tracked():
        if path.suffix not in TEXT or path.name == "LICENSE":
            continue
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
            if MACHINE_PATH.search(line):
                found.append(f"{path.relative_to(ROOT)}:{number}: {line.strip()[:100]}")
    assert not found, "\n".join(found)


def test_repository_stays_small():
    large = [(path.name, size) for path in tracked() if (size := path.stat().st_size) > 7_000_000]
    assert not large
    assert sum(path.stat().st_size for path in tracked()) < 40_000_000


def test_readme_commands_and_options_exist():
    """Every ``midlineshift`` and ``midlineshift-train`` line of the README names a command and options that exist."""
    import click

    from midlineshift_training.cli.main import main as train
    from MidlineShiftLogic.cli.main import cli

    text = (ROOT / "README.md").read_text(encoding="utf-8")
    lines = re.findall(r"^(midlineshift(?:-train)? .+)$", text, re.MULTILINE)
    assert len(lines) > 8
    for line in lines:
        words = line.split()
        command = {"midlineshift": cli, "midlineshift-train": train}[words.pop(0)]
        context = click.Context(command)
        while isinstance(command, click.Group):
            name = words.pop(0)
            command = command.get_command(context, name)
            assert command is not None, f"no command {name!r} in: {line}"
        known = {option for parameter in command.params for option in parameter.opts}
        used = {word for word in words if word.startswith("--")}
        assert used <= known, f"unknown {used - known} in: {line}"


def test_readme_says_the_whole_measure_command():
    from MidlineShiftLogic.cli.measure import measure

    text = (ROOT / "README.md").read_text(encoding="utf-8")
    for parameter in measure.params:
        if parameter.opts[0].startswith("--"):
            assert parameter.opts[0] in text, f"README does not mention {parameter.opts[0]}"


def test_makefile_has_the_two_commands_and_ci_calls_test():
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for target in ("demo", "test", "lint", "venv"):
        assert re.search(rf"^{target}:", makefile, re.MULTILINE)
    ci = ROOT / ".ci" / "run"
    assert "make test" in ci.read_text(encoding="utf-8") and ci.stat().st_mode & 0o100


def test_links_of_the_documents_lead_somewhere():
    for document in (path for path in tracked() if path.suffix == ".md"):
        for target in re.findall(r"\]\((?!https?:|#|mailto:)([^)#\s]+)", document.read_text(encoding="utf-8")):
            assert (document.parent / target).exists(), f"{document.name} links to {target}"


def test_constraints_pin_every_dependency():
    """Each dependency of pyproject.toml has one exact version that it allows."""
    requirements = pytest.importorskip("packaging.requirements")
    tomllib = pytest.importorskip("tomllib")
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    wanted = [*project["dependencies"]]
    for extra in ("training", "cluster", "dicom", "pdf", "pacs", "slicer", "test"):
        wanted += project["optional-dependencies"][extra]
    pins = dict(
        line.lower().split("==")
        for line in (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
        if line and not line.startswith("#")
    )
    for text in wanted:
        requirement = requirements.Requirement(text)
        assert pins[requirement.name.lower()] in requirement.specifier


@pytest.mark.parametrize("name", ["sample_shifted", "sample_unshifted"])
def test_sample_scans_pass_every_check(name):
    """The shipped samples are small, synthetic by their header, and measurable without a warning."""
    import nibabel

    from MidlineShiftLogic.headct import check, read

    path = ROOT / "Resources" / "SampleScans" / f"{name}.nii.gz"
    assert path.stat().st_size < 3_000_000
    assert b"synthetic" in bytes(nibabel.load(path).header["descrip"])
    ct = read(path)
    assert not [flag for flag in (*ct.quality, *check(ct)) if flag.severity != "info"]
