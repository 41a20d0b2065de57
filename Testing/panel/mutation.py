"""Mutants of the panel: one node of a function's syntax tree is changed, and the module is loaded from the changed tree.

No file is changed and no text is matched: a mutant names a file, a function and the kind and number of the change. Run as
a program it makes every mutant of some files and tells which of them no scenario notices::

    python Testing/panel/mutation.py MidlineShift/MidlineShiftLib/views/plot.py --scenarios measuring_shows_the_number
"""

from __future__ import annotations

import ast
import copy
import importlib.abc
import importlib.machinery
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
COMPARE = {
    ast.Lt: ast.GtE, ast.LtE: ast.Gt, ast.Gt: ast.LtE, ast.GtE: ast.Lt, ast.Eq: ast.NotEq, ast.NotEq: ast.Eq,
    ast.Is: ast.IsNot, ast.IsNot: ast.Is, ast.In: ast.NotIn, ast.NotIn: ast.In,
}  # fmt: skip
ARITHMETIC = {ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Div, ast.Div: ast.Mult}
UNWRAPPED = ("abs", "reversed", "sorted", "round")
SWAPPED = {"left": "right", "right": "left", " L": " R", " R": " L", "L": "R", "R": "L"}


@dataclass(frozen=True)
class Mutant:
    """One change.

    Attributes:
        file: path in the checkout. where: ``Class.method``, ``function``, or ``<module>`` for what is outside of them.
        kind: of ``KINDS``. number: which of the places of that kind, from 0.
    """

    file: str
    where: str
    kind: str
    number: int = 0

    def __str__(self) -> str:
        return f"{Path(self.file).stem}.{self.where}:{self.kind}:{self.number}"

    def tree(self) -> ast.Module:
        """The changed syntax tree; ValueError if there is no such place."""
        module = ast.parse((ROOT / self.file).read_text(encoding="utf-8"))
        function = dict(functions(module)).get(self.where)
        if function is None:
            raise ValueError(f"{self.file} has no {self.where}")
        changes = list(KINDS[self.kind](function))
        if self.number >= len(changes):
            raise ValueError(f"{self.where} has {len(changes)} places for {self.kind!r}")
        changes[self.number]()
        return ast.fix_missing_locations(module)


def functions(module: ast.Module) -> Iterator[tuple[str, ast.AST]]:
    """Name -> node of every function of a file, and the file's own statements."""
    yield "<module>", module
    for node in module.body:
        if isinstance(node, ast.FunctionDef):
            yield node.name, node
        elif isinstance(node, ast.ClassDef):
            for one in node.body:
                if isinstance(one, ast.FunctionDef):
                    yield f"{node.name}.{one.name}", one


def _walk(scope: ast.AST) -> Iterator[ast.AST]:
    """Nodes of a function without docstrings; of a module, only what is outside functions and classes."""
    if isinstance(scope, ast.Module):
        for statement in scope.body:
            if isinstance(statement, ast.Assign | ast.AnnAssign):
                yield from ast.walk(statement)
        return
    for statement in scope.body:
        if not (isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)):
            yield from ast.walk(statement)


def _compare(scope):
    for node in _walk(scope):
        if isinstance(node, ast.Compare) and type(node.ops[0]) in COMPARE:
            yield lambda node=node: node.ops.__setitem__(0, COMPARE[type(node.ops[0])]())


def _arithmetic(scope):
    for node in _walk(scope):
        if isinstance(node, ast.BinOp) and type(node.op) in ARITHMETIC:
            yield lambda node=node: setattr(node, "op", ARITHMETIC[type(node.op)]())


def _negate(scope):
    for node in _walk(scope):
        if isinstance(node, ast.If | ast.IfExp | ast.While):
            yield lambda node=node: setattr(node, "test", ast.UnaryOp(ast.Not(), node.test))


def _and_or(scope):
    for node in _walk(scope):
        if isinstance(node, ast.BoolOp):
            yield lambda node=node: setattr(node, "op", ast.Or() if isinstance(node.op, ast.And) else ast.And())


def _number(scope):
    for node in _walk(scope):
        if isinstance(node, ast.Constant) and type(node.value) in (int, float):
            yield lambda node=node: setattr(node, "value", node.value + 1)


def _side(scope):
    for node in _walk(scope):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value in SWAPPED:
            yield lambda node=node: setattr(node, "value", SWAPPED[node.value])


def _boolean(scope):
    for node in _walk(scope):
        if isinstance(node, ast.Constant) and isinstance(node.value, bool):
            yield lambda node=node: setattr(node, "value", not node.value)


def _statement(scope):
    """A call, an assignment to an attribute, or a bare return is left out."""
    for node in [scope, *_walk(scope)]:
        for field in ("body", "orelse", "finalbody"):
            body = getattr(node, field, None)
            if isinstance(scope, ast.Module) or not isinstance(body, list):
                continue
            for index, one in enumerate(body):
                call = isinstance(one, ast.Expr) and isinstance(one.value, ast.Call)
                attribute = isinstance(one, ast.Assign) and isinstance(one.targets[0], ast.Attribute)
                bare = isinstance(one, ast.Return) and one.value is None
                if call or attribute or bare:
                    yield lambda body=body, index=index: body.__setitem__(index, ast.Pass())


def _sign(scope):
    for node in _walk(scope):
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
            yield lambda node=node: setattr(node, "op", ast.UAdd())


def _unwrap(scope):
    """A call such as ``abs(x)`` or ``reversed(x)`` becomes ``x``."""
    for node in _walk(scope):
        for name, value in ast.iter_fields(node):
            places = list(enumerate(value)) if isinstance(value, list) else [(None, value)]
            for index, one in places:
                if (
                    isinstance(one, ast.Call)
                    and isinstance(one.func, ast.Name)
                    and one.func.id in UNWRAPPED
                    and len(one.args) == 1
                ):
                    if index is None:
                        yield lambda node=node, name=name, one=one: setattr(node, name, one.args[0])
                    else:
                        yield lambda value=value, index=index, one=one: value.__setitem__(index, one.args[0])


def _arguments(scope):
    """The first two arguments of a call are swapped."""
    for node in _walk(scope):
        if isinstance(node, ast.Call) and len(node.args) >= 2 and not isinstance(node.args[0], ast.Starred):
            yield lambda node=node: node.args.__setitem__(slice(0, 2), [node.args[1], node.args[0]])


def _entries(scope):
    """The values of the first two entries of a dict or the first two elements of a tuple are swapped."""
    for node in _walk(scope):
        if isinstance(node, ast.Dict) and len(node.values) >= 2:
            yield lambda node=node: node.values.__setitem__(slice(0, 2), [node.values[1], node.values[0]])
        elif isinstance(node, ast.Tuple) and len(node.elts) >= 2 and isinstance(node.ctx, ast.Load):
            yield lambda node=node: node.elts.__setitem__(slice(0, 2), [node.elts[1], node.elts[0]])


def _drop_entry(scope):
    """One entry of a dict or tuple is left out."""
    for node in _walk(scope):
        if isinstance(node, ast.Dict):
            for index in range(len(node.keys)):
                yield lambda node=node, index=index: (node.keys.pop(index), node.values.pop(index))
        elif isinstance(node, ast.Tuple) and isinstance(node.ctx, ast.Load) and len(node.elts) > 2:
            for index in range(len(node.elts)):
                yield lambda node=node, index=index: node.elts.pop(index)


KINDS: dict[str, Callable[[ast.AST], Iterator[Callable[[], object]]]] = {
    "compare": _compare, "arithmetic": _arithmetic, "negate": _negate, "and-or": _and_or, "number": _number,
    "side": _side, "boolean": _boolean, "statement": _statement, "arguments": _arguments, "entries": _entries,
    "drop": _drop_entry, "sign": _sign, "unwrap": _unwrap,
}  # fmt: skip


def mutants(file: str) -> list[Mutant]:
    """Every mutant of a file."""
    module = ast.parse((ROOT / file).read_text(encoding="utf-8"))
    return [
        Mutant(file, where, kind, number)
        for where, function in functions(module)
        for kind, make in KINDS.items()
        for number in range(len(list(make(copy.deepcopy(function)))))
    ]


class MutantFinder(importlib.abc.MetaPathFinder):
    """Loads one file of the checkout as a mutant of it."""

    def __init__(self, mutant: Mutant):
        self.path = ROOT / mutant.file
        self.code = compile(mutant.tree(), str(self.path), "exec")
        parts = self.path.relative_to(ROOT).with_suffix("").parts
        self.name = ".".join(parts[1:] if parts[0] == "MidlineShift" else parts)
        self.loaded = False

    def find_spec(self, name, path=None, target=None):
        return importlib.machinery.ModuleSpec(name, self, origin=str(self.path)) if name == self.name else None

    def create_module(self, spec):
        return None

    def exec_module(self, module):
        module.__file__ = str(self.path)
        self.loaded = True
        exec(self.code, vars(module))


def forget(name: str) -> None:
    """Let the panel's files, those of the scene and one more be imported anew."""
    import MidlineShiftLogic

    for one in list(sys.modules):
        if one == "MidlineShift" or one == name or one.startswith(("MidlineShiftLib", "MidlineShiftLogic.scene")):
            del sys.modules[one]
    vars(MidlineShiftLogic).pop("scene", None)


def outcome(mutant: Mutant, scenario_names: list[str], folder: Path) -> str:
    """``noticed by X``, ``crashed in X`` or ``SURVIVED``: what the scenarios made of a mutant."""
    import scenarios
    from host.application import Host
    from panel_fixture import PanelFixture

    finder = MutantFinder(mutant)
    sys.meta_path.insert(0, finder)
    crashed = ""
    try:
        for name in scenario_names:
            forget(finder.name)
            errors: list[str] = []
            sys.excepthook = lambda kind, error, trace, errors=errors: errors.append(kind.__name__)
            host = None
            try:
                host = Host(folder)
                getattr(scenarios, name)(PanelFixture(host))
            except AssertionError:
                return f"noticed by {name}"
            except Exception as error:
                crashed = crashed or f"crashed in {name} ({type(error).__name__})"
            finally:
                if host is not None:
                    try:
                        host.close()
                    except Exception as error:
                        crashed = crashed or f"crashed in {name} ({type(error).__name__})"
            if errors:
                crashed = crashed or f"crashed in {name} ({errors[0]})"
        return crashed or ("SURVIVED" if finder.loaded else "NEVER LOADED")
    finally:
        sys.meta_path.remove(finder)
        forget(finder.name)


def main() -> None:
    """Make the mutants of files and print what became of each."""
    import argparse
    import tempfile

    here = Path(__file__).resolve().parent
    sys.path[:0] = [str(here), str(here.parent / "helpers"), str(ROOT / "MidlineShift")]
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", nargs="+")
    parser.add_argument("--scenarios", nargs="+", default=["measuring_shows_the_number"])
    parser.add_argument("--only", default="", help="part of the names of the mutants to make")
    options = parser.parse_args()
    counts: dict[str, int] = {}
    for file in options.files:
        for mutant in mutants(file):
            if options.only not in str(mutant):
                continue
            said = outcome(mutant, options.scenarios, Path(tempfile.mkdtemp()))
            counts[said.split()[0]] = counts.get(said.split()[0], 0) + 1
            print(mutant, said, flush=True)
    print(counts)


if __name__ == "__main__":
    main()
