"""The repository's own files and the imports between its modules, for the tests of the repository."""

from __future__ import annotations

import ast
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

# Import name of each package and the folder that holds it.
PACKAGES = {
    "MidlineShiftLogic": ROOT / "MidlineShiftLogic",
    "midlineshift_training": ROOT / "training" / "midlineshift_training",
    "MidlineShiftLib": ROOT / "MidlineShift" / "MidlineShiftLib",
}


@dataclass(frozen=True)
class Import:
    """One imported name: ``from module import name``, or ``import module`` where ``name`` is None."""

    module: str
    name: str | None
    line: int


def tracked() -> list[Path]:
    """Return the files of the repository, new ones included, without those that git ignores."""
    done = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard", "-z"], cwd=ROOT, capture_output=True, text=True
    )
    if done.returncode:
        pytest.skip("not a git checkout")
    return [ROOT / name for name in done.stdout.split("\0") if name and (ROOT / name).is_file()]


def modules(packages: dict[str, Path] = PACKAGES) -> dict[str, Path]:
    """Return the file of every module of the packages, by its full import name."""
    found = {}
    for package, folder in packages.items():
        for path in sorted(folder.rglob("*.py")):
            parts = [package, *path.relative_to(folder).with_suffix("").parts]
            if parts[-1] == "__init__":
                parts.pop()
            found[".".join(parts)] = path
    return found


@cache
def syntax_tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def imports(path: Path, module: str = "") -> Iterator[Import]:
    """Yield every import of a file: at file scope, inside functions, and those for type checkers only.

    Args:
        path: the Python file.
        module: its import name; needed to resolve relative imports, which are skipped without it.
    """
    package = module.split(".") if path.name == "__init__.py" else module.split(".")[:-1]
    for node in ast.walk(syntax_tree(path)):
        if isinstance(node, ast.Import):
            yield from (Import(alias.name, None, node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                if not module:
                    continue
                parent = package[: len(package) - node.level + 1]
                base = ".".join([*parent, *filter(None, [node.module])])
            yield from (Import(base, alias.name, node.lineno) for alias in node.names)


def import_graph(found: dict[str, Path]) -> dict[str, set[str]]:
    """Return the modules among ``found`` that each module of ``found`` imports, itself left out.

    ``from package import name`` is an import of the module ``package.name`` if there is one, else of ``package``.
    """
    graph: dict[str, set[str]] = {}
    for module, path in found.items():
        graph[module] = set()
        for item in imports(path, module):
            full = f"{item.module}.{item.name}" if item.name else item.module
            target = full if full in found else item.module
            if target in found and target != module:
                graph[module].add(target)
    return graph


@cache
def defined_names(path: Path) -> set[str] | None:
    """Return the names that a module defines or imports, or None where ``__getattr__`` makes them."""
    names: set[str] = set()
    for node in ast.walk(syntax_tree(path)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            if node.name == "__getattr__":
                return None
            names.add(node.name)
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            names.add(node.id)
        elif isinstance(node, ast.Import | ast.ImportFrom):
            names |= {(alias.asname or alias.name).partition(".")[0] for alias in node.names}
    return names
