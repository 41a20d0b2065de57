"""Tables that say something of whole cases: names are matched, wrong cells are named, scores are those of the definition."""

import numpy as np
import pytest

from midlineshift_training.evaluation.case_tables import f1_scores, key_of, load_reads, load_sizes, summarise_reads
from midlineshift_training.evaluation.jobs import READS, THIS_MODEL, ModelResult
from midlineshift_training.evaluation.plan import Plan, plan_jobs
from MidlineShiftLogic.errors import InputError

HEADER = "name,Category,R1:ICH,R1:MidlineShift,R2:MidlineShift,R3:MidlineShift\n"


def result(case, measured, p=None):
    refused = "no-head" if measured is None else ""
    return ModelResult(READS, case, THIS_MODEL, None, measured, 5, refused, "", 1.0, p_over_5mm=p)


@pytest.fixture
def reads(tmp_path):
    """CQ500's form: four scans, of which two shift by the majority."""
    path = tmp_path / "reads.csv"
    path.write_text(
        HEADER + "CQ500-CT-0,B1,1,1,1,0\nCQ500-CT-1,B1,0,0,0,0\nCQ500-CT-2,B2,0,0,1,0\nCQ500-CT-3,B2,1,1,1,1\n"
    )
    return path


def test_names_are_matched_however_they_are_spelt():
    spellings = ("CQ500-CT-0", "CQ500CT0 CQ500CT0", "cq500_ct_0", "CQ500CT0_cq500ct0", "CQ500-CT-0 CQ500-CT-0")
    assert {key_of(name) for name in spellings} == {"cq500ct0"}
    assert key_of("CQ500-CT-1") != key_of("CQ500-CT-10")
    assert [key_of(name) for name in ("1", "11", "1-1", "1 1", "1111", "")] == ["1", "11", "11", "1", "1111", ""]


def test_reads_are_held_against_measured_shifts(reads):
    found = load_reads(reads)
    results = [result("CQ500CT0 CQ500CT0", -6.0, 0.9), result("CQ500CT1", 1.0, 0.1), result("CQ500CT2", 3.5, 0.2)]
    numbers = summarise_reads([*results, result("CQ500CT3", 4.0, 0.4), result("other", 9.0)], found)
    assert (numbers["n"], numbers["refused"], numbers["positive"]) == (4, 0, 2)
    assert numbers["unanimous"]["count"] == 2
    assert numbers["auc"]["value"] == 1.0 and numbers["auc_probability"]["value"] == 1.0
    at_3, at_5 = numbers["at_3_mm"], numbers["at_5_mm"]
    assert (at_3["sensitivity"]["value"], at_3["specificity"]["value"]) == (1.0, 0.5)
    assert (at_5["sensitivity"]["value"], at_5["specificity"]["value"]) == (0.5, 1.0)
    refused = summarise_reads([result("CQ500CT0", None), results[1]], found)
    assert (refused["n"], refused["refused"]) == (1, 1)
    assert summarise_reads([result("other", 1.0)], found) is None


def test_f1_is_that_of_its_definition():
    measured, truth = np.array([6.0, -4.0, 0.5, 5.5, 2.0]), np.array([7.0, 6.0, 0.2, 1.0, 2.5])
    found = f1_scores(measured, truth)
    # at 5 mm: one hit, one false alarm, one missed
    assert found["at_5_mm"]["value"] == pytest.approx(2 / (2 + 1 + 1))
    assert found["at_1_mm"]["value"] == pytest.approx(1.0)
    assert f1_scores(np.array([0.1]), np.array([0.2])) == {}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("name,Category\na,b\n", "needs the columns name and R1:MidlineShift"),
        (HEADER + "a,B1,1,1,yes,0\n", "line 2: midline shift is 1, yes, 0"),
        (HEADER + "a 1,B1,1,1,1,0\nA-1,B1,1,1,1,0\n", "line 3: the case 'A-1' is there already"),
    ],
)
def test_a_wrong_table_of_reads_is_named(tmp_path, text, message):
    (tmp_path / "reads.csv").write_text(text)
    with pytest.raises(InputError, match=message):
        load_reads(tmp_path / "reads.csv")


@pytest.mark.parametrize(
    ("text", "message"), [("case,mm\na,1\n", "needs the columns case and shift_mm"), ("case,shift_mm\na,\n", "line 2")]
)
def test_a_wrong_table_of_sizes_is_named(tmp_path, text, message):
    (tmp_path / "sizes.csv").write_text(text)
    with pytest.raises(InputError, match=message):
        load_sizes(tmp_path / "sizes.csv")


def test_scans_get_what_the_tables_say_of_them(tmp_path, reads):
    scans = tmp_path / "scans"
    scans.mkdir()
    for name in ("CQ500-CT-0", "CQ500-CT-1", "case_9", "case_10"):
        (scans / f"{name}.nii.gz").touch()
    (tmp_path / "sizes.csv").write_text("case,shift_mm\nCase 9,-4.5\n")
    jobs = plan_jobs(Plan(scans=scans, reads=reads, sizes=tmp_path / "sizes.csv", robustness_cases=0), {})
    sets = {job.case: (job.set, job.size_mm, job.warps) for job in jobs}
    assert sets["case_9"] == ("case sizes", 4.5, 0)
    assert sets["CQ500-CT-0"] == ("radiologists' reads", None, 0)
    assert sets["case_10"] == ("no reading", None, 4)
    (tmp_path / "sizes.csv").write_text("case,shift_mm\nelsewhere,1\n")
    with pytest.raises(InputError, match="names none of the scans"):
        plan_jobs(Plan(scans=scans, sizes=tmp_path / "sizes.csv"), {})
    (scans / "CQ500CT0.nii.gz").touch()
    with pytest.raises(InputError, match="The scans CQ500-CT-0, CQ500CT0 are one name to"):
        plan_jobs(Plan(scans=scans, reads=reads), {})
