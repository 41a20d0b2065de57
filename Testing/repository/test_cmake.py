"""What CMake installs into Slicer: the packages, the panel, the models and the sample scans; and the extension's page."""

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from source_tree import ROOT, tracked

# Stands for Slicer: the macros that the lists call, installing what they are given below ``lib``.
STAND_IN = """
cmake_minimum_required(VERSION 3.16.3...3.28)
project(StandIn NONE)
set(Slicer_USE_FILE ${CMAKE_CURRENT_BINARY_DIR}/empty.cmake)
set(Slicer_EXTENSION_GENERATE_CONFIG ${Slicer_USE_FILE})
set(Slicer_EXTENSION_CPACK ${Slicer_USE_FILE})
file(WRITE ${Slicer_USE_FILE} "")
set(Slicer_QTSCRIPTEDMODULES_LIB_DIR lib)
set(Slicer_INSTALL_QTSCRIPTEDMODULES_LIB_DIR lib)
macro(project)
endmacro()
macro(find_package)
endmacro()
function(slicerMacroBuildScriptedModule)
  cmake_parse_arguments(MY "WITH_GENERIC_TESTS;WITH_SUBDIR" "NAME" "SCRIPTS;RESOURCES" ${ARGN})
  if(MY_UNPARSED_ARGUMENTS OR MY_KEYWORDS_MISSING_VALUES)
    message(FATAL_ERROR "not understood: ${MY_UNPARSED_ARGUMENTS} ${MY_KEYWORDS_MISSING_VALUES}")
  endif()
  foreach(file IN LISTS MY_SCRIPTS MY_RESOURCES)
    get_filename_component(folder ${file} DIRECTORY)
    if(MY_WITH_SUBDIR)
      set(folder ${MY_NAME}/${folder})
    endif()
    install(FILES ${file} DESTINATION lib/${folder})
  endforeach()
endfunction()
add_subdirectory("@ROOT@" extension)
"""


@pytest.fixture(scope="module")
def installed(tmp_path_factory) -> Path:
    """Folder of the modules after ``cmake --install``."""
    if not shutil.which("cmake"):
        pytest.skip("cmake is not installed")
    folder = tmp_path_factory.mktemp("cmake")
    (folder / "CMakeLists.txt").write_text(STAND_IN.replace("@ROOT@", ROOT.as_posix()), encoding="utf-8")
    for arguments in (["-S", ".", "-B", "build"], ["--install", "build", "--prefix", "installed"]):
        done = subprocess.run(["cmake", *arguments], cwd=folder, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
    return folder / "installed" / "lib"


def below(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def tracked_below(folder: str) -> set[str]:
    paths = (path.relative_to(ROOT) for path in tracked())
    return {path.relative_to(folder).as_posix() for path in paths if Path(folder) in path.parents}


def test_the_whole_logic_is_installed(installed):
    assert below(installed / "MidlineShiftLogic") == tracked_below("MidlineShiftLogic") - {"CMakeLists.txt"}


def test_the_whole_panel_is_installed(installed):
    others = {name for name in below(installed) if name.startswith(("MidlineShiftLogic/", "Resources/Models/"))}
    others |= {name for name in below(installed) if name.startswith("Resources/SampleScans/")}
    assert below(installed) - others == tracked_below("MidlineShift") - {"CMakeLists.txt"}


def test_models_and_sample_scans_are_installed(installed):
    assert below(installed / "Resources" / "Models") == tracked_below("Resources/Models")
    scans = {name for name in tracked_below("Resources/SampleScans") if name.endswith(".nii.gz")}
    assert scans and below(installed / "Resources" / "SampleScans") == scans


def test_extension_names_its_folders_and_metadata():
    text = (ROOT / "CMakeLists.txt").read_text(encoding="utf-8")
    assert "project(MidlineShift)" in text and "find_package(Slicer REQUIRED)" in text
    assert re.findall(r"add_subdirectory\((\w+)\)", text) == ["MidlineShift", "MidlineShiftLogic"]
    for name in ("HOMEPAGE", "CONTRIBUTORS", "DESCRIPTION", "ICONURL", "SCREENSHOTURLS", "DEPENDS"):
        assert re.search(rf'set\(EXTENSION_{name} "[^"]+"\)', text), name


ENTRY_KEYS = {"$schema", "category", "scm_url", "scm_revision", "scm_type", "build_dependencies", "dicom_support_rule",
              "build_subdirectory", "enabled", "tier"}  # fmt: skip
"""All that schema v1.0.2 of the ExtensionsIndex knows; it refuses others."""


def metadata(name: str) -> str:
    """Return an ``EXTENSION_`` value as the index reads it: from the raw text, variables not replaced."""
    text = (ROOT / "CMakeLists.txt").read_text(encoding="utf-8")
    return re.search(rf'set\(EXTENSION_{name}\s+"?([^")]+)"?\)', text, re.IGNORECASE)[1]


@pytest.mark.parametrize("name", ["HOMEPAGE", "ICONURL", "SCREENSHOTURLS"])
def test_the_index_sees_addresses_without_variables(name):
    """The check of the ExtensionsIndex reads the raw text and wants every address to begin with ``http``."""
    for address in metadata(name).split():
        assert re.fullmatch(r"https://[\w./#-]+", address), address


def test_pictures_of_the_extension_page_exist():
    addresses = [metadata("ICONURL"), *metadata("SCREENSHOTURLS").split()]
    assert len(addresses) >= 3
    for address in addresses:
        assert (ROOT / address.partition("/main/")[2]).is_file(), address


def test_the_entry_for_the_extensions_index():
    (file,) = (ROOT / "Resources" / "ExtensionsIndex").glob("*.json")
    entry = json.loads(file.read_text(encoding="utf-8"))
    assert {"$schema", "category", "scm_url"} <= set(entry) <= ENTRY_KEYS and "v1.0.2" in entry["$schema"]
    project = re.search(r"project\s*\(\s*([^\s)]+)", (ROOT / "CMakeLists.txt").read_text(encoding="utf-8"))[1]
    assert project == file.stem, "the extension is found by its name"
    assert entry["category"] == "Quantification" and entry["tier"] in range(1, 6) and entry["scm_type"] == "git"
    assert (ROOT / "LICENSE").is_file() and "/Slicer" in entry["scm_url"]
    repository = re.match(r"https://github\.com/([\w.-]+/[\w.-]+)#readme", metadata("HOMEPAGE"))[1]
    assert entry["scm_url"] == f"https://github.com/{repository}.git"
    assert entry["build_dependencies"] == metadata("DEPENDS").split()
