"""pyproject.toml, constraints.txt, Makefile and the checks that a change must pass."""

import ast
import json
import re
import sys

import pytest
from audit_dependencies import judge
from source_tree import PACKAGES, ROOT, tracked

requirements = pytest.importorskip("packaging.requirements")
tomllib = pytest.importorskip("tomllib")


def pyproject() -> dict:
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def test_constraints_pin_every_dependency():
    """Each dependency of pyproject.toml, whatever its extra, has one exact version that it allows."""
    project = pyproject()["project"]
    wanted = [*project["dependencies"]]
    for extra in project["optional-dependencies"].values():
        wanted += extra
    pins = dict(
        line.lower().split("==")
        for line in (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
        if line and not line.startswith("#")
    )
    for text in wanted:
        requirement = requirements.Requirement(text)
        name = requirement.name.lower()
        assert name in pins, f"constraints.txt does not pin {name}"
        assert pins[name] in requirement.specifier


def test_the_lock_has_the_same_versions_and_their_hashes():
    """``requirements.lock`` holds at least the pins, each with the hashes of its files."""
    pins = dict(
        line.split("==")
        for line in (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
        if line and not line.startswith("#")
    )
    locked = {}
    for entry in re.split(
        r"^(?=[a-z0-9])", (ROOT / "requirements.lock").read_text(encoding="utf-8"), flags=re.MULTILINE
    )[1:]:
        name, version = re.match(r"([a-z0-9._-]+)==([^ ;\\]+)", entry).groups()
        assert re.search(r"--hash=sha256:[0-9a-f]{64}\b", entry), f"no hash of {name}"
        locked[name] = version

    def normal(name):
        return re.sub(r"[-_.]+", "-", name).lower()

    locked = {normal(name): version for name, version in locked.items()}
    assert {name: locked.get(normal(name)) for name in pins} == pins, "run: make lock"


@pytest.mark.parametrize(
    ("packages", "code", "text"),
    [
        ([{"name": "a", "version": "1", "vulns": []}], 0, "1 packages were compared; none"),
        (
            [{"name": "a", "version": "1", "vulns": [{"id": "CVE-1", "fix_versions": ["2"]}]}],
            1,
            "a 1: CVE-1, mended in 2",
        ),
        ([{"name": "a", "skip_reason": "Dependency not found on PyPI"}], 3, "1 could not be compared (a)"),
        ([{"name": "torch", "skip_reason": "not found"}, {"name": "a", "version": "1", "vulns": []}], 0, "1 packages"),
        ([{"name": "torch", "skip_reason": "not found"}], 3, "0 packages were compared"),
        (None, 3, "could not be reached"),
    ],
)
def test_an_audit_that_compared_nothing_is_no_success(packages, code, text):
    report = "" if packages is None else json.dumps({"dependencies": packages})
    found, lines = judge(report)
    assert found == code and text in "\n".join(lines)


def test_pins_are_in_alphabetical_order():
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    names = [line.partition("==")[0].lower() for line in lines if line and not line.startswith("#")]
    assert names == sorted(names) and len(names) == len(set(names))


@pytest.mark.parametrize("package", ["MidlineShiftLogic", "midlineshift_training"])
def test_every_file_of_a_package_is_packaged(package):
    """What is no Python file is installed only where package-data names it."""
    data = pyproject()["tool"]["setuptools"]["package-data"]
    for path in tracked():
        folder = PACKAGES[package]
        if folder not in path.parents or path.suffix == ".py" or path.name == "CMakeLists.txt":
            continue
        where = ".".join([package, *path.relative_to(folder).parts[:-1]])
        assert any(path.match(pattern) for pattern in data.get(where, [])), (
            f"package-data of {where} misses {path.name}"
        )


PLAIN = ("losses", "datasets/phantoms", "datasets/transforms", "datasets/unlabelled")
"""Parts of the training package that work with a plain installation, in other people's MONAI training."""


def test_data_and_losses_need_no_more_than_a_plain_installation():
    names = {"scikit-image": "skimage"}
    dependencies = [requirements.Requirement(one).name for one in pyproject()["project"]["dependencies"]]
    allowed = {names.get(one, one) for one in dependencies} | {"midlineshift_training", "MidlineShiftLogic"}
    assert {"monai", "skimage"} <= allowed
    for path in tracked():
        folder = PACKAGES["midlineshift_training"]
        if path.suffix != ".py" or not any(folder / part in path.parents for part in PLAIN):
            continue
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            found = [one.name for one in node.names] if isinstance(node, ast.Import) else []
            found += [node.module] if isinstance(node, ast.ImportFrom) else []
            roots = {name.partition(".")[0] for name in found} - set(sys.stdlib_module_names)
            assert roots <= allowed, f"{path} imports {sorted(roots - allowed)}"


@pytest.mark.parametrize("package", ["MidlineShiftLogic", "midlineshift_training"])
def test_packages_say_that_they_are_typed(package):
    assert (PACKAGES[package] / "py.typed").is_file()


def test_every_folder_with_python_files_is_a_package():
    """Without ``__init__.py`` setuptools would leave the folder out."""
    for package in ("MidlineShiftLogic", "midlineshift_training"):
        for path in PACKAGES[package].rglob("*.py"):
            assert (path.parent / "__init__.py").is_file(), path.parent


def test_makefile_has_its_commands_and_ci_calls_them():
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for target in ("demo", "test", "lint", "docs", "venv"):
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), target
    ci = ROOT / ".ci" / "run"
    text = ci.read_text(encoding="utf-8")
    assert ci.stat().st_mode & 0o100
    for target in ("lint", "docs", "test"):
        assert f"make {target}" in text, target


def test_help_of_the_makefile_names_every_target():
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = re.search(r"^\.PHONY: (.+)$", makefile, re.MULTILINE)[1].split()
    for target in targets:
        assert target == "help" or f"make {target}" in makefile, target


def test_public_workflow_runs_the_tests_on_three_systems():
    yaml = pytest.importorskip("yaml")
    workflow = yaml.safe_load((ROOT / ".github" / "workflows" / "tests.yml").read_text(encoding="utf-8"))
    job = workflow["jobs"]["test"]
    systems = {name.partition("-")[0] for name in job["strategy"]["matrix"]["os"]}
    assert systems == {"ubuntu", "macos", "windows"}
    assert any("make test" in step.get("run", "") for step in job["steps"])


def test_the_version_is_the_same_everywhere():
    yaml = pytest.importorskip("yaml")
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert citation["version"] == pyproject()["project"]["version"]
    assert citation["license"] == pyproject()["project"]["license"]


def test_no_module_is_excused_from_the_type_check():
    for entry in pyproject()["tool"]["mypy"]["overrides"]:
        assert not entry.get("ignore_errors"), f"mend the types of {entry['module']}"
