"""Read a list of scans: a CSV file with a header line and one scan a row.

Columns: ``path`` (needed), ``id`` (name of the case), ``spacing`` (``Z,Y,X`` mm, for ``.npy``), ``prior`` (earlier
results of the same patient, several separated by ``;`` or ``|``). Other columns are ignored. Relative paths start at
the folder of the list. The separator may be comma, semicolon or tab.
"""

from __future__ import annotations

import csv
import re
import stat
from pathlib import Path
from typing import Any

from MidlineShiftLogic.batch.case import Case, Millimetres, parse_spacing
from MidlineShiftLogic.errors import InputError
from MidlineShiftLogic.reporting.case_name import case_name

LARGEST_BYTES = 64 * 2**20
"""Some 500,000 scans."""


def read_case_list(file: Path, spacing: Millimetres | None) -> list[Case]:
    """Return the cases of a list; their numbers are set later.

    Args:
        file: The list.
        spacing: Spacing in mm for rows that give none.

    Raises:
        InputError: The file is missing or not a list, or a row cannot be used; the sentence names the line.
    """
    try:
        about = file.stat()
        if not stat.S_ISREG(about.st_mode) or about.st_size > LARGEST_BYTES:
            raise InputError(f"{file} is not a CSV list but a device or a very large file.", "list")
        text = file.read_text(encoding="utf-8-sig")
    except FileNotFoundError as error:
        raise InputError(f"There is no file {file}; check the path.", "no-such-path") from error
    except UnicodeDecodeError as error:
        raise InputError(f"{file} is not a CSV list in UTF-8; save it as such.", "list") from error
    except OSError as error:
        raise InputError(f"{file} cannot be opened ({error.strerror}); check the permissions.", "unreadable") from error
    if "\0" in text:
        raise InputError(f"{file} is not a CSV list but holds binary data.", "list")
    head = text.partition("\n")[0]
    lines, delimiter = text.splitlines(), max(",;\t", key=head.count)
    _require_closed_quotes(file, lines, delimiter)
    rows = csv.reader(lines, delimiter=delimiter)
    try:
        return _cases(file, rows, spacing)
    except csv.Error as error:
        raise InputError(f"{file}, line {rows.line_num}: this is not a row of a CSV list ({error}).", "list") from error


def _require_closed_quotes(file: Path, lines: list[str], delimiter: str) -> None:
    """Raise InputError where a quotation mark stays open: every later row would be part of one value."""
    try:
        for _row in csv.reader(lines, delimiter=delimiter, strict=True):
            pass
    except csv.Error as error:
        if "unexpected end of data" in str(error):
            raise InputError(f"{file}: a quotation mark is not closed; close it, or remove it.", "list") from error


def _cases(file: Path, rows: Any, spacing: Millimetres | None) -> list[Case]:
    """Return the cases of the rows of a ``csv.reader``."""
    columns = [name.strip().lower() for name in next(rows, [])]
    if "path" not in columns:
        raise InputError(f"{file} has no column 'path'; its first line must name the columns.", "list")
    cases: list[Case] = []
    lines: dict[str, int] = {}
    for row in rows:
        values = dict(zip(columns, (value.strip() for value in row), strict=False))
        if any(values.values()):
            case = _case(file, rows.line_num, values, spacing)
            given = values.get("id", "")
            if given and lines.setdefault(case.name.casefold(), rows.line_num) != rows.line_num:
                first = lines[case.name.casefold()]
                raise InputError(
                    f"{file}, line {rows.line_num}: the id {given!r} is already used on line {first}.", "list"
                )
            cases.append(case)
    if not cases:
        raise InputError(f"{file} names no scan.", "list")
    return cases


def _case(file: Path, line: int, values: dict[str, str], spacing: Millimetres | None) -> Case:
    where = f"{file}, line {line}"
    if not values.get("path"):
        raise InputError(f"{where}: there is no path.", "list")
    if values.get("spacing"):
        try:
            spacing = parse_spacing(re.sub(r"[\s;x×]+", ",", values["spacing"]))
        except ValueError as error:
            raise InputError(
                f"{where}: {values['spacing'][:40]!r} is not three positive millimetres such as 5,0.5,0.5.", "list"
            ) from error
    source = file.parent / values["path"]
    priors = tuple(file.parent / one.strip() for one in re.split(r"[;|]", values.get("prior", "")) if one.strip())
    return Case(0, case_name(values.get("id") or source), source, spacing, priors)
