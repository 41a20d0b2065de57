"""Texts from outside cannot forge lines, act on a terminal, turn the order of display, or run in a spreadsheet."""

import csv
import io

import pytest

from MidlineShiftLogic.errors import InputError, format_error
from MidlineShiftLogic.reporting.case_name import case_name
from MidlineShiftLogic.text import clean_text, counted, csv_text

HARMFUL = ["\r\n", "\x1b[2J", "\x9b31m", "\u202e", "\u2066", "\u200b", "\u2028", "\x00", "\x07", "\ud800", "\x85"]


@pytest.mark.parametrize("part", HARMFUL)
def test_nothing_harmful_is_left(part):
    cleaned = clean_text(f"CT{part}ERROR job 1: forged")
    assert cleaned.startswith("CT") and "job 1: forged" in cleaned
    assert not set(part) & set(cleaned) - set("[2J31m")
    assert cleaned.isprintable()
    assert part not in case_name(f"a{part}b.nii")
    assert part not in format_error(InputError(f"no such {part} file"))


def test_ordinary_names_are_kept():
    for name in ("Müller 頭部 CT-1", "naïve (2)", "Ünal_ç.nii", "a  b"):
        assert clean_text(name, keep_spaces=True) == name


@pytest.mark.parametrize(
    "text", ["=1+1", "+1", "-1+1", "@SUM(A1)", ";=1+1", "\uff1d1+1", "\t=1+1", " =1", "'=1", '"=1', "|calc"]
)
def test_no_cell_is_a_formula(text):
    cell = csv_text(text)
    assert cell.startswith("'") and "\t" not in cell
    row = io.StringIO()
    csv.writer(row).writerow([cell])
    assert next(csv.reader([row.getvalue()])) == [cell]


def test_long_texts_are_cut():
    assert len(clean_text("a" * 10**6)) == 2000


def test_a_number_has_its_noun_in_the_right_form():
    assert [counted(number, "case") for number in (0, 1, 2)] == ["0 cases", "1 case", "2 cases"]
