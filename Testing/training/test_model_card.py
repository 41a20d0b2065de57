"""The model card says what was measured, the worst cases included."""

from midlineshift_training.model_card import WORST, worst_cases


def test_the_farthest_readings_come_first_and_refused_cases_stay_out(tmp_path):
    rows = [f"phantoms,{k:05d},{k}.0,{k + 0.1 * k:.2f},5,,,1.0" for k in range(1, 8)]
    rows += ["readings,far,-12.0,-6.0,20,,skull-open,1.0", "phantoms,refused,9.0,,,too-few-slices,,0.1"]
    rows += ["no reading,unread,,2.5,9,,,1.0"]
    header = "set,case,truth_mm,measured_mm,slice,refused,flags,seconds"
    (tmp_path / "cases.csv").write_text("\n".join([header, *rows]) + "\n")
    lines = worst_cases(tmp_path).splitlines()[2:]
    assert len(lines) == WORST
    assert lines[0] == "| readings | far | -12.0 | -6.0 | skull-open |"
    assert lines[1] == "| phantoms | 00007 | +7.0 | +7.7 | none |"
    assert not any("refused" in line or "unread" in line for line in lines)
