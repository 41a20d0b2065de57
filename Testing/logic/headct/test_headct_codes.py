"""Every code in the source is documented, and every documented one exists."""

import ast
import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]


def codes_in_source():
    """(codes of flags and refusals, codes of a scan's InputError) as they stand in the calls."""
    flags, errors = set(), set()
    logic = ROOT / "MidlineShiftLogic"
    for path in (
        path for folder in ("headct", "measurement", "inference", "scene") for path in (logic / folder).glob("*.py")
    ):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Name):
                continue
            if node.func.id in ("Quality", "_fatal") and node.args and isinstance(node.args[0], ast.Constant):
                flags.add(node.args[0].value)
            coded = len(node.args) > 1 and isinstance(node.args[1], ast.Constant)
            if node.func.id == "RefusedError" and coded:
                flags.add(node.args[1].value)
            if node.func.id == "InputError" and coded and path.parent.name != "scene":
                errors.add(node.args[1].value)
    return flags, errors


def test_codes_and_documentation_agree():
    tables, _, rest = (
        (ROOT / "docs" / "reference" / "quality-codes.md")
        .read_text(encoding="utf-8")
        .partition("## Input that is not a scan")
    )
    rest, _, _ = rest.partition("## Other codes")
    flags, errors = codes_in_source()
    assert set(re.findall(r"^\| `([a-z0-9-]+)` \|", tables, re.MULTILINE)) == flags
    assert set(re.findall(r"`([a-z-]+)`", rest)) - {"error"} - {"InputError.code"} == errors
