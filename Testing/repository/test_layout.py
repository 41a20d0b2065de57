"""The tree: what stands at the top, that tests mirror the packages, that nothing is large or bound to one machine."""

import ast
import re
import sys
from collections import Counter

import numpy as np
import pytest
from PIL import Image
from source_tree import PACKAGES, ROOT, tracked

TEXT = {".py", ".md", ".toml", ".txt", ".yaml", ".yml", ".json", ".cmake", ".cff", ""}
# Put together so that this file does not find itself.
MACHINE_PATH = re.compile("|".join([rf"(?<![\w./])/{name}/" for name in ("work", "root", "home", "farm", "Users")]))
LARGEST_FILE = 9_000_000  # bytes; the weights of one network in half precision, a denoiser of 4.4 M parameters
LARGEST_CHECKOUT = 50_000_000  # bytes, without the history; both models carry the same three networks


def test_top_level_folders_are_known():
    """The folders are given (issue tracker, Slicer's build); settings of tools are files or begin with a point."""
    folders = {path.relative_to(ROOT).parts[0] for path in tracked() if path.parent != ROOT}
    visible = {name for name in folders if not name.startswith(".")}
    assert visible == {"MidlineShift", "MidlineShiftLogic", "Resources", "Testing", "docs", "training"}


def test_code_is_in_packages_only():
    """No Python file at the top level, and a package of tests has no ``__init__``, so names may repeat."""
    assert not [path.name for path in ROOT.glob("*.py")]


# Folders of Testing that mirror no package: what is shared, and what looks at the whole.
OF_THE_WHOLE = {"benchmarks", "fuzz", "helpers", "panel", "repository", "review", "scene"}
MIRRORS = {"logic": PACKAGES["MidlineShiftLogic"], "training": PACKAGES["midlineshift_training"]}
# Tests of what no single folder owns.
BESIDE = {"logic": {"released"}, "training": set()}


@pytest.mark.parametrize("tests", MIRRORS)
def test_folders_of_tests_mirror_the_package(tests):
    package, folder = MIRRORS[tests], ROOT / "Testing" / tests
    used = {path.parent.relative_to(folder) for path in tracked() if folder in path.parents and path.suffix == ".py"}
    for place in used - set(map(type(folder), [".", *BESIDE[tests]])):
        assert (package / place).is_dir(), f"Testing/{tests}/{place} mirrors no folder of {package.name}"


def test_folders_of_testing_are_known():
    folders = {path.relative_to(ROOT / "Testing").parts[0] for path in tracked() if ROOT / "Testing" in path.parents}
    assert {name for name in folders if (ROOT / "Testing" / name).is_dir()} <= OF_THE_WHOLE | set(MIRRORS)


def test_no_two_files_differ_in_case_only():
    """Windows and macOS cannot tell such files apart."""
    names = Counter(path.relative_to(ROOT).as_posix().lower() for path in tracked())
    assert not [name for name, count in names.items() if count > 1]


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
    large = [(path.name, size) for path in tracked() if (size := path.stat().st_size) > LARGEST_FILE]
    assert not large
    assert sum(path.stat().st_size for path in tracked()) < LARGEST_CHECKOUT


def test_module_registers():
    """The module's file has the four classes Slicer looks for."""
    tree = ast.parse((ROOT / "MidlineShift" / "MidlineShift.py").read_text(encoding="utf-8"))
    names = {node.name for node in tree.body if isinstance(node, ast.ClassDef)}
    assert {f"MidlineShift{kind}" for kind in ("", "Widget", "Logic", "Test")} <= names


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
