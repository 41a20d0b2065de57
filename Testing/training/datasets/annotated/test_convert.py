"""Sets as groups have them become a documented set; everything that is wrong with them is listed at once."""

import csv
import json
import pickle

import jsonschema
import numpy as np
import pytest
from click.testing import CliRunner
from drawn_phantoms import PIXEL_MM, draw_cohort
from landmark_sets import (
    SPACING,
    SPACING_TEXT,
    drawn_case,
    landmark_row,
    write_authors_layout,
    write_markups,
    write_scan,
    write_table,
)
from make_scans import write_dicom
from scan_files import save_nifti

from midlineshift_training.cli.main import main
from midlineshift_training.datasets.annotated.authors import read_authors_set
from midlineshift_training.datasets.annotated.load import load_dataset, train_and_validation
from midlineshift_training.datasets.annotated.manifest import read_cases, schema
from midlineshift_training.datasets.annotated.split import split_by_patient
from MidlineShiftLogic.errors import InputError
from MidlineShiftLogic.headct import read


def convert(*arguments, code=0):
    result = CliRunner().invoke(main, ["convert", "--no-align", *map(str, arguments)])
    assert result.exit_code == code, result.output
    assert "Traceback" not in result.output
    return result


def manifest(folder):
    return json.loads((folder / "set.json").read_text())


@pytest.fixture(scope="module")
def authors(tmp_path_factory):
    return write_authors_layout(tmp_path_factory.mktemp("authors"), cases=6)


def test_the_authors_layout(authors, tmp_path):
    convert("--authors", authors, "--spacing", SPACING_TEXT, "--out", tmp_path / "set")
    content = manifest(tmp_path / "set")
    jsonschema.validate(content, schema())
    assert [case["shifted"] for case in content["cases"]] == [False, True] * 3
    assert [len(case["landmarks"]) for case in content["cases"]] == [0, 1, 0, 2, 0, 0]
    assert [case["shift_mm"] for case in content["cases"]] == pytest.approx([0, 7.2, 0, 7.2, 0, 7.2], abs=0.01)
    theirs = pickle.loads(authors.read_bytes())["patient_3"]
    case = read_cases(tmp_path / "set")[3]
    assert case.pixel_spacing == (PIXEL_MM, PIXEL_MM)
    ct, landmarks = case.read()
    assert np.array_equal(ct.hu, np.load(authors.parent / theirs[0]))
    assert ct.pixel_spacing == (PIXEL_MM, PIXEL_MM) and np.diff(ct.heights) == pytest.approx(5.0)
    assert landmarks.keys() == theirs[2].keys()
    for index, points in theirs[2].items():
        assert landmarks[index] == pytest.approx(points, abs=1e-3)
    assert case.signed_mm == pytest.approx(7.2, abs=0.01)
    # a file of the set is a scan like any other
    assert read(case.path).hu.shape == ct.hu.shape


def test_a_pickle_reads_directly_and_alike(authors, tmp_path):
    convert("--authors", authors, "--spacing", SPACING_TEXT, "--out", tmp_path / "set")
    for direct, kept in zip(load_dataset(authors, SPACING), read_cases(tmp_path / "set"), strict=True):
        assert direct.name == kept.name
        assert direct.limit_mm == pytest.approx(kept.limit_mm)
        (a, points), (b, same) = direct.read(), kept.read()
        assert np.array_equal(a.hu, b.hu) and points.keys() == same.keys()


def test_a_set_without_spacing_asks_for_it(authors, tmp_path):
    result = convert("--authors", authors, "--out", tmp_path / "set", code=2)
    assert "give --spacing Z,Y,X" in result.output and len(result.output.splitlines()) == 1
    assert not (tmp_path / "set").exists()
    for command in (["diffusion", "--cohort", "all"], ["deformation"]):
        result = CliRunner().invoke(main, [*command, "--data", str(authors), "--out", str(tmp_path / "run")])
        assert (result.exit_code == 2 and "--spacing" in result.output) or "denoisers" in result.output
    (tmp_path / "scans").mkdir()
    np.save(tmp_path / "scans" / "a.npy", np.zeros((3, 4, 4)))
    assert "give --spacing" in convert("--scans", tmp_path / "scans", "--out", tmp_path / "set", code=2).output
    assert convert("--authors", authors, "--spacing", "5,0", "--out", tmp_path / "set", code=2)


def test_missing_labels_are_missing_not_wrong(tmp_path):
    hu, landmarks = drawn_case(tmp_path, 1, 6.0)
    for name in "abcde":
        np.save(tmp_path / f"{name}.npy", hu)
    index, points = next(iter(landmarks.items()))
    records = {
        "a": ["a.npy"],
        "b": ["b.npy", 1],
        "c": ["c.npy", 1, {index: points}],
        "d": ["d.npy", None, {index: points}, None],
        "e": ["e.npy", 0, {}, 0],
    }
    (tmp_path / "set.pkl").write_bytes(pickle.dumps(records))
    cases = {case.name: case for case in load_dataset(tmp_path / "set.pkl", SPACING)}
    assert np.isnan([cases["a"].limit_mm, cases["b"].limit_mm]).all()
    assert cases["c"].limit_mm == cases["d"].limit_mm == pytest.approx(6.0, abs=0.01)
    assert cases["e"].limit_mm == 0
    assert [case.is_shifted(1.5) for case in cases.values()] == [None, True, True, True, False]


def test_repeated_records_become_a_weight(tmp_path):
    path = write_authors_layout(tmp_path, cases=2)
    records = pickle.loads(path.read_bytes())
    records["again"] = records["patient_1"]
    records["and_again"] = records["patient_1"]
    path.write_bytes(pickle.dumps(records))
    cases, problems = read_authors_set(path, SPACING)
    assert [case.weight for case in cases] == [1, 3] and not problems
    records["otherwise"] = [records["patient_1"][0], 0, {}, 0]
    path.write_bytes(pickle.dumps(records))
    assert "with other labels" in str(read_authors_set(path, SPACING)[1][0])


def test_shifts_in_millimetres_are_noticed(tmp_path):
    path = write_authors_layout(tmp_path, cases=2)
    records = pickle.loads(path.read_bytes())
    records["patient_1"][3] *= PIXEL_MM
    path.write_bytes(pickle.dumps(records))
    _, (warning,) = read_authors_set(path, SPACING)
    assert "--shift-unit mm" in str(warning) and warning.severity == "warning"
    cases, problems = read_authors_set(path, SPACING, unit="mm")
    assert cases[1].case_mm == pytest.approx(7.2, abs=0.01) and not problems


def test_everything_that_is_wrong_is_reported_with_its_file(tmp_path):
    path = write_authors_layout(tmp_path, cases=4)
    records = pickle.loads(path.read_bytes())
    hu = np.load(tmp_path / "images" / "0.npy")
    points = next(iter(drawn_case(tmp_path, 1, 6.0)[1].values()))
    np.save(tmp_path / "flat.npy", hu[0])
    np.save(tmp_path / "grey.npy", np.clip(hu, 0, 80) / 80)
    records |= {
        "lost": ["nowhere.npy", 1, {}, 3],
        "no_list": "images/0.npy",
        "label": ["images/2.npy", 2],
        "shape": [str(tmp_path / "images" / "1.npy"), 1, {9: points[:3]}, 3],
        "late": ["images/3.npy", 1, {99: points}, 8],
        "grey": ["grey.npy", 0],
    }
    records["patient_0"][2] = {12: points[:, ::-1] + 60}  # rows and columns exchanged
    records["patient_3"] = ["images/3.npy", 1, {12: points[[1, 0, 2, 3]]}, 8]  # front and back exchanged
    del records["late"]
    records["patient_2"] = ["images/2.npy", 1, {99: points}, 8]
    path.write_bytes(pickle.dumps(records))
    arguments = ["--authors", path, "--spacing", SPACING_TEXT, "--out", tmp_path / "set"]
    output = convert(*arguments, code=2).output
    for name, what in {
        "lost": "nowhere.npy was found in none of",
        "no_list": "its record must be",
        "label": "must be 0 or 1, not 2",
        "shape": "shape (3, 2), not (4, 2)",
        "patient_2": "slice 99 is labelled",
        "patient_0": "outside the picture",
        "patient_3": "behind the posterior",
        "grey": "grey.npy",
    }.items():
        assert any(name in line and what in line for line in output.splitlines()), (name, output)
    assert "8 problems" in output and "Nothing was written" in output
    assert not any(one.name.startswith(".set") or one.name == "set" for one in tmp_path.iterdir())
    convert(*arguments, "--skip-bad")
    content = manifest(tmp_path / "set")
    assert [case["name"] for case in content["cases"]] == ["patient_1"]
    assert len(content["left_out"]) == 8


@pytest.fixture(scope="module")
def scans(tmp_path_factory):
    """Three scans, one of them DICOM, and their true landmarks."""
    folder = tmp_path_factory.mktemp("scans")
    found = {}
    for name, seed, shift in (("left", 1, 6.0), ("right", 2, -5.0)):
        _, found[name] = write_scan(folder, name, seed, shift)
    _, found["dicom"] = write_scan(folder / "other", "dicom", 3, 4.0)
    write_dicom(read(folder / "other" / "dicom.nii.gz"), folder / "dicom", PatientID="secret-17")
    (folder / "other" / "dicom.nii.gz").unlink()
    (folder / "other").rmdir()
    return folder, found


def test_scans_with_tables(scans, tmp_path):
    folder, found = scans
    index, points = list(found["left"].items())[3]
    other, others = list(found["dicom"].items())[2]
    rows = [landmark_row("left", index, points), landmark_row("dicom", other, others)]
    landmarks = write_table(tmp_path / "landmarks.csv", rows)
    cases = write_table(
        tmp_path / "cases.csv",
        [
            {"case": "left", "patient": "p1", "mls": 1, "shift_mm": ""},
            {"case": "right", "patient": "p1", "mls": "", "shift_mm": 5},
        ],
    )
    convert("--scans", folder, "--landmarks", landmarks, "--cases", cases, "--out", tmp_path / "set")
    entries = {case["name"]: case for case in manifest(tmp_path / "set")["cases"]}
    assert entries.keys() == {"left", "right", "dicom"}
    assert entries["left"]["patient"] == entries["right"]["patient"] == "p1"
    assert entries["left"]["split"] == entries["right"]["split"]
    assert (entries["left"]["shifted"], entries["right"]["shift_mm"]) == (True, 5)
    assert entries["left"]["spacing_mm"] == pytest.approx([5, 0.9, 0.9], abs=1e-4)
    (label,) = entries["left"]["landmarks"]
    assert label["slice"] == index
    # the ideal point was left out and is the foot of the perpendicular
    assert np.array(label["points_px"]) == pytest.approx(points, abs=0.02)
    assert entries["dicom"]["patient"] == "dicom-00001" and "secret" not in (tmp_path / "set" / "set.json").read_text()


def test_further_points_confidence_and_several_readers(scans, tmp_path):
    folder, points = scans
    name = next(iter(points))
    index, own = next(iter(points[name].items()))
    row = {key.replace("shifted", "midline"): value for key, value in landmark_row(name, index, own).items()}
    extra = {"front_col": 100, "front_row": 60, "back_col": "", "back_row": "", "structure": "septum"}
    first = row | extra | {"reader": "A", "confidence": "high", "fold": 2}
    moved = {key: value + 2 if key == "midline_col" else value for key, value in row.items()}
    second = moved | extra | {"front_col": 104, "reader": "B", "confidence": "0.5", "fold": 2}
    unseen = row | {"slice": index + 1, "midline_col": "", "midline_row": ""} | extra
    unseen |= {"reader": "A", "confidence": "low", "fold": 2}
    table = write_table(tmp_path / "points.csv", [first, second, unseen])
    result = convert("--scans", folder, "--landmarks", table, "--out", tmp_path / "set")
    assert "midline is empty" in result.output
    jsonschema.validate(manifest(tmp_path / "set"), schema())
    case = next(case for case in read_cases(tmp_path / "set") if case.name == name)
    assert case.fold == 2 and list(case.landmarks) == [index]
    assert case.landmarks[index][2] == pytest.approx(own[2] + (1, 0), abs=1e-3)
    details = case.details[index]
    assert details.midline == {"front": (102.0, 60.0)}
    assert (details.confidence, details.structure) == (0.75, "septum")
    others = [case for case in read_cases(tmp_path / "set") if case.name != name]
    assert all(case.fold is None and not case.details for case in others)


def test_confidence_and_fold_are_checked(scans, tmp_path):
    folder, points = scans
    name = next(iter(points))
    rows = [landmark_row(name, index, own) for index, own in list(points[name].items())[:2]]
    columns = [{"confidence": "sure", "fold": 1}, {"confidence": "high", "fold": "second"}]
    table = write_table(tmp_path / "points.csv", [row | more for row, more in zip(rows, columns, strict=True)])
    result = convert("--scans", folder, "--landmarks", table, "--out", tmp_path / "set", code=2)
    assert "confidence is 'sure'" in result.output and "'second' is not a number" in result.output


def test_landmarks_in_millimetres_keep_their_side(scans, tmp_path):
    folder, found = scans
    for name, sign in (("left", 1), ("right", -1)):
        ct = read(folder / f"{name}.nii.gz")
        index, points = list(found[name].items())[3]
        lps = {one: ct.to_lps(index, point) for one, point in zip(NAMES, points, strict=True)}
        for system, turn in (("LPS", 1), ("RAS", -1)):
            row = {"case": name}
            for one in NAMES[:3]:
                x, y, z = lps[one]
                row |= {f"{one}_x": turn * x, f"{one}_y": turn * y, f"{one}_z": z}
            out = tmp_path / f"{name}-{system}"
            table = write_table(tmp_path / "mm.csv", [row])
            convert("--scans", folder, "--landmarks", table, "--coordinates", system, "--out", out)
            case = {case.name: case for case in read_cases(out)}[name]
            assert case.signed_mm * sign == pytest.approx(abs(case.signed_mm)) and abs(case.signed_mm) > 4
            assert case.landmarks[index] == pytest.approx(points, abs=0.02)


NAMES = ("anterior_falx", "posterior_falx", "shifted", "ideal")


@pytest.mark.parametrize("system", ["LPS", "RAS"])
@pytest.mark.parametrize("names", [NAMES, None])
def test_slicers_markups(scans, tmp_path, system, names):
    folder, found = scans
    ct = read(folder / "left.nii.gz")
    (a, first), (b, second) = list(found["left"].items())[3:5]
    points = [*ct.to_lps(a, first), *ct.to_lps(b, second)]
    write_markups(tmp_path / "left.reader1.mrk.json", points, [*names, *names] if names else None, system)
    convert("--scans", folder, "--markups", tmp_path, "--out", tmp_path / "set")
    case = {case.name: case for case in read_cases(tmp_path / "set")}["left"]
    assert case.landmarks.keys() == {a, b}
    assert case.landmarks[a] == pytest.approx(first, abs=0.02) and case.signed_mm > 0


def test_tables_that_do_not_fit(scans, tmp_path):
    folder, found = scans
    index, points = list(found["left"].items())[3]
    rows = [
        landmark_row("left", index, points),
        landmark_row("left", index, points),
        landmark_row("stranger", index, points),
        landmark_row("right", 99, points),
        landmark_row("dicom", index, points) | {"shifted_col": "here"},
    ]
    table = write_table(tmp_path / "landmarks.csv", rows)
    (tmp_path / "marks").mkdir()
    write_markups(tmp_path / "marks" / "nobody.mrk.json", [[0, 0, 0]] * 4, None)
    write_markups(tmp_path / "marks" / "dicom.mrk.json", [[0, 0, 900]] * 4, list(NAMES))
    (tmp_path / "marks" / "left.mrk.json").write_text("[]")
    write_table(tmp_path / "cases.csv", [{"case": "left", "mls": "yes", "shift_mm": ""}])
    output = convert(
        "--scans", folder, "--landmarks", table, "--markups", tmp_path / "marks", "--cases", tmp_path / "cases.csv",
        "--out", tmp_path / "set", code=2,
    ).output  # fmt: skip
    for what in (
        "labelled twice",
        "'stranger' is not among the scans",
        "labels slice 99",
        "line 6: 'here' is not a number",
        "nobody.mrk.json: it belongs to none of the scans",
        "off the nearest slice",
        "left.mrk.json: it is not a list of markups",
        "mls is 'yes', not 0 or 1",
    ):
        assert what in output, (what, output)
    (tmp_path / "no.csv").write_text("case,slice\nleft,1\n")
    assert (
        "needs the columns"
        in convert("--scans", folder, "--landmarks", tmp_path / "no.csv", "--out", tmp_path / "s", code=2).output
    )


def test_thin_slices_that_share_a_slab_keep_the_larger_shift(tmp_path):
    hu, landmarks = drawn_case(tmp_path, 1, 6.0)
    thin = np.repeat(hu, 4, axis=0)
    np.save(tmp_path / "thin.npy", thin)
    index, points = list(landmarks.items())[3]
    less = points.copy()
    less[2] = points[3]
    records = {"a": ["thin.npy", 1, {4 * index: points, 4 * index + 1: less}], 1: ["thin.npy"], "1": ["thin.npy"]}
    (tmp_path / "set.pkl").write_bytes(pickle.dumps(records))
    cases, problems = read_authors_set(tmp_path / "set.pkl", (1.25, *SPACING[1:]))
    assert len(problems) == 2 and "rename one" in str(problems[0])
    ct, placed = cases[0].read()
    assert ct.n_slices == len(hu) and placed.keys() == {index}
    assert placed[index] == pytest.approx(points)


def test_a_damaged_scan_is_named(scans, tmp_path):
    folder = tmp_path / "scans"
    write_scan(folder, "good", 1, 6.0)
    whole = (folder / "good.nii.gz").read_bytes()
    (folder / "cut.nii.gz").write_bytes(whole[: len(whole) // 2])
    save_nifti(folder / "few.nii.gz", np.zeros((3, 64, 64)), SPACING)
    output = convert("--scans", folder, "--out", tmp_path / "set", code=2).output
    assert "cut.nii.gz" in output and "few.nii.gz" in output and "good.nii.gz" not in output


def test_an_existing_folder_is_kept(authors, tmp_path):
    (tmp_path / "set").mkdir()
    (tmp_path / "set" / "mine").write_text("x")
    result = convert("--authors", authors, "--spacing", SPACING_TEXT, "--out", tmp_path / "set", code=2)
    assert "already exists" in result.output
    assert [one.name for one in tmp_path.iterdir()] == ["set"]


def test_phantoms_as_a_sparse_set(tmp_path):
    draw_cohort(tmp_path / "phantoms", 4)
    convert("--phantoms", tmp_path / "phantoms", "--out", tmp_path / "set")
    cases = read_cases(tmp_path / "set")
    for case, path in zip(cases, sorted((tmp_path / "phantoms").iterdir()), strict=True):
        truth = np.load(path)["signed_shift_mm"]
        assert case.signed_mm == pytest.approx(truth[np.nanargmax(np.abs(truth))], abs=0.01)
    assert all(len(case.landmarks) > 5 for case in cases)


def test_the_manifest_is_checked(authors, tmp_path):
    convert("--authors", authors, "--spacing", SPACING_TEXT, "--out", tmp_path / "set")
    path = tmp_path / "set" / "set.json"
    good = json.loads(path.read_text())
    for change, said in (
        (lambda c: c["cases"][0].pop("spacing_mm"), "spacing_mm"),
        (lambda c: c["cases"][1].update(file="../x.npz"), "cases/1/file"),
        (lambda c: c["cases"][0].update(name=c["cases"][1]["name"]), "two cases of one name"),
        (lambda c: c.update(format="midlineshift-set/9"), "format"),
    ):
        content = json.loads(json.dumps(good))
        change(content)
        path.write_text(json.dumps(content))
        with pytest.raises(InputError, match=said):
            read_cases(tmp_path / "set")
    path.write_text("[" * 200_000)
    with pytest.raises(InputError, match="nested too deeply"):
        read_cases(tmp_path / "set")
    path.write_text(json.dumps(good))
    (tmp_path / "set" / good["cases"][0]["file"]).unlink()
    with pytest.raises(InputError, match="lacks 1 of its scans"):
        read_cases(tmp_path / "set")


def test_splits_are_by_patient_seeded_and_keep_both_sorts():
    cases = [(f"p{k % 20}", k % 20 < 6) for k in range(60)]
    split = split_by_patient(cases, 0.2, 0.2, seed=4)
    assert split == split_by_patient(reversed(cases), 0.2, 0.2, seed=4)
    assert split != split_by_patient(cases, 0.2, 0.2, seed=5)
    for part, shifted, count in (
        ("validation", True, 1),
        ("test", True, 1),
        ("validation", False, 3),
        ("test", False, 3),
    ):
        members = [patient for patient, one in dict(cases).items() if split[patient] == part and one == shifted]
        assert len(members) == count
    assert set(split_by_patient(cases, 0.0, 0.0, 0).values()) == {"train"}
    unknown = split_by_patient([*cases, *((f"u{k}", None) for k in range(4))], 0.2, 0.0, seed=4)
    assert sum(part == "validation" for patient, part in unknown.items() if patient.startswith("u")) == 1


def test_no_patient_is_learned_from_and_checked_with(authors, tmp_path):
    convert("--authors", authors, "--spacing", SPACING_TEXT, "--out", tmp_path / "set")
    parts = train_and_validation([tmp_path / "set"], [], None, 0)
    names = [{case.patient for case in part} for part in parts]
    assert not names[0] & names[1]
    direct = train_and_validation([authors], [], SPACING, 0)
    assert not {case.patient for case in direct[0]} & {case.patient for case in direct[1]}
    with pytest.raises(InputError, match="both in --data and in --validation-data"):
        train_and_validation([authors], [authors], SPACING, 0)


def test_a_pickle_that_is_trained_on_directly_is_checked_too(tmp_path):
    path = write_authors_layout(tmp_path, cases=6)
    records = pickle.loads(path.read_bytes())
    for name in ("patient_1", "patient_3"):
        points = next(iter(records[name][2].values()))
        records[name][2] = {12: points[[1, 0, 2, 3]]}
    path.write_bytes(pickle.dumps(records))
    arguments = [
        "diffusion",
        "--data",
        str(path),
        "--spacing",
        SPACING_TEXT,
        "--cohort",
        "all",
        "--out",
        str(tmp_path / "r"),
    ]
    (tmp_path / "c.yaml").write_text("frame: as scanned")
    found = set()
    for seed in ("0", "1"):
        result = CliRunner().invoke(main, [*arguments, "--config", str(tmp_path / "c.yaml"), "--seed", seed])
        assert result.exit_code == 2 and "behind the posterior" in result.output and "Traceback" not in result.output
        found |= {name for name in ("patient_1", "patient_3") if name in result.output}
    assert found and not (tmp_path / "r").exists()


def test_tables_and_folders_without_landmarks_are_named(tmp_path, scans):
    """A wrong path would make a set without a single label, and training would only be strangely bad."""
    (tmp_path / "landmarks.csv").write_text(",".join(landmark_row("left", 3, np.zeros((3, 2)))) + "\n")
    for option, path, message in (
        ("--landmarks", tmp_path / "landmarks.csv", "has no row below its names of columns"),
        ("--markups", tmp_path, "is no folder with point lists of 3D Slicer"),
        ("--markups", tmp_path / "nowhere", "is no folder with point lists of 3D Slicer"),
    ):
        assert message in convert("--scans", scans[0], option, path, "--out", tmp_path / "set", code=2).output
    assert not (tmp_path / "set").exists()


def test_contradicting_labels_are_reported(tmp_path, scans):
    write_table(tmp_path / "cases.csv", [{"case": "left", "mls": 0, "shift_mm": 5}])
    output = convert("--scans", scans[0], "--cases", tmp_path / "cases.csv", "--out", tmp_path / "set").output
    assert "says unshifted, its shift is 5.0 mm" in output and "warnings: 1" in output
    assert {case["name"]: case["shift_mm"] for case in manifest(tmp_path / "set")["cases"]}["left"] == 0


def test_the_cases_csv_needs_no_more_than_the_case(tmp_path, scans):
    with (tmp_path / "cases.csv").open("w", newline="") as file:
        csv.writer(file).writerows([["case"], ["left"]])
    convert("--scans", scans[0], "--cases", tmp_path / "cases.csv", "--out", tmp_path / "set")
