"""One opened case: real slice views, dragging through Slicer's interaction, the same arithmetic as everywhere."""

import csv
from dataclasses import replace

import numpy as np
import pytest
from review_case import make_results

from MidlineShiftLogic.errors import InputError
from MidlineShiftLogic.measurement.edit import move_landmarks, slice_of
from MidlineShiftLogic.reporting.measurement_json import to_dict
from MidlineShiftLogic.review_app.case_session import CaseSession
from MidlineShiftLogic.review_app.cases import find_cases
from MidlineShiftLogic.review_app.readings import ReaderFolder
from MidlineShiftLogic.review_app.scene_pool import ScenePool
from MidlineShiftLogic.scene.coordinates import lps_to_ras
from MidlineShiftLogic.scene.offscreen_views import MOVED, NORMAL, SCAN, VIEWS

pytest.importorskip("trame_slicer.views")
SIZE = 400
POOL = ScenePool()


@pytest.fixture
def open_case():
    """Open cases that are closed at the end."""
    opened = []

    def open_one(case, folder, blind=False, writable=True):
        session = CaseSession(case, folder, blind, writable, POOL)
        opened.append(session)
        for name in VIEWS:
            session.views.resize(name, SIZE, SIZE)
        session.fit()
        return session

    yield open_one
    for session in opened:
        session.close()


def drag(session, name, right_px):
    """Drag a landmark of the shown slice to the right of the picture, that is to the patient's left."""
    x, y = session.landmark_places()[name]
    session.drag("down", x, y)
    for step in range(1, 6):
        session.drag("move", x + right_px * step / 5 / (SIZE - 1), y)
    return session.drag("up", x + right_px / (SIZE - 1), y)


def test_the_views_show_the_measured_slice(case, folder, open_case):
    session = open_case(case, folder)
    assert session.shown == session.original.slice and session.load_displacement()
    pictures = {name: session.views.pixels(name).astype(int) for name in VIEWS}
    scan = session.ct.hu[session.shown]
    grey = pictures[SCAN][..., 1]
    assert grey.shape == (SIZE, SIZE) and grey.max() == 255 and (grey[:4, :4] == 0).all()
    # the patient's left is on the right: what is drawn at a place is the scan's value there
    for column, row in ((40, 60), (70, 60), (55, 90)):
        x, y = session.views.place_of(SCAN, lps_to_ras(session.ct.to_lps(session.shown, (column, row))))
        drawn = grey[round(y * (SIZE - 1)), round(x * (SIZE - 1))]
        assert drawn == pytest.approx(np.clip(scan[row, column], 0, 80) / 80 * 255, abs=40)
    x, _ = session.landmark_places()["shifted"]
    assert x > session.landmark_places()["ideal"][0], "shifted to the patient's left: right in the picture"
    coloured = [(np.ptp(picture, axis=2) > 60).sum() for picture in pictures.values()]
    assert min(coloured[0], coloured[2]) > 200, "landmarks in the scan, displacement in the third view"
    assert not np.array_equal(pictures[NORMAL], pictures[SCAN]) and not np.array_equal(pictures[MOVED], pictures[SCAN])


@pytest.mark.parametrize("which", [0, 1])
def test_dragging_gives_the_number_of_the_edit_function(results, open_case, which):
    case, folder = find_cases([results])[which], ReaderFolder(results, "Ada")
    session = open_case(case, folder)
    before = session.measurement
    assert drag(session, "shifted", 12)
    now = session.measurement
    assert now.signed_shift_mm > before.signed_shift_mm + 2, "to the right of the picture is to the patient's left"
    place = slice_of(now, session.shown).landmarks_lps_mm["shifted"]
    expected = move_landmarks(before, session.ct, session.shown, {"shifted": place}, session.original)
    assert now.signed_shift_mm == pytest.approx(expected.signed_shift_mm, abs=1e-3)
    assert folder.load(case).signed_shift_mm == pytest.approx(now.signed_shift_mm, abs=1e-4)
    with (folder.folder / "results.csv").open() as stream:
        (row,) = csv.DictReader(stream)
    assert float(row["signed_shift_mm"]) == pytest.approx(now.signed_shift_mm, abs=1e-3)
    assert session.describe()["signed_shift_mm"] == pytest.approx(now.signed_shift_mm, abs=0.01)
    session.undo()
    assert to_dict(session.measurement) == to_dict(before) and folder.load(case) is None
    session.redo()
    assert session.measurement.signed_shift_mm == now.signed_shift_mm and folder.load(case) is not None


def test_what_was_done_is_there_when_the_case_is_opened_again(case, folder, open_case):
    first = open_case(case, folder)
    first.nudge("shifted", 2.0, 0.0)
    first.show(first.shown + 1)
    first.pin(True)
    first.decide(True, "sure")
    number = first.measurement.signed_shift_mm
    again = open_case(case, folder)
    assert again.measurement.signed_shift_mm == pytest.approx(number, abs=1e-4)
    assert again.describe()["status"] == "accepted with edits" and again.measurement.review.reader == "Ada Lovelace"
    again.restore(False)
    again.restore(True)
    assert again.describe()["status"] == "unread" and folder.load(case) is None
    assert case.load_measurement().review is None, "the model's result is never changed"


def test_undo_and_redo_reach_back_over_a_reload(case, folder, open_case):
    first = open_case(case, folder)
    said = [to_dict(first.measurement)]
    for mm in (2.0, 3.0, -1.5):
        first.nudge("shifted", mm, 0.0)
        said.append(to_dict(first.measurement))
    first.undo()
    second = open_case(case, folder)
    assert to_dict(second.measurement) == said[2]
    second.redo()
    assert to_dict(second.measurement) == said[3] and not second.history.can_redo
    for expected in reversed(said[:3]):
        second.undo()
        assert to_dict(second.measurement) == expected
    assert folder.load(case) is None and not second.history.can_undo
    third = open_case(case, folder)
    third.redo()
    assert to_dict(third.measurement) == said[1] == to_dict(folder.load(case))
    third.nudge("shifted", 1.0, 0.0)
    last = open_case(case, folder)
    assert not last.history.can_redo, "a new step ends what was undone"
    last.undo()
    assert to_dict(last.measurement) == said[1]


def test_steps_of_another_measurement_or_that_cannot_be_read_are_none(case, folder, open_case):
    session = open_case(case, folder)
    session.nudge("shifted", 2.0, 0.0)
    steps = folder.history_folder(case, blind=False)
    own = folder.load(case)
    folder.save(
        case,
        move_landmarks(own, session.ct, own.slices[0].index, {"shifted": (40.0, 50.0)}, own, space="px"),
        session.ct,
    )
    assert not open_case(case, folder).history.can_undo, "the reader worked elsewhere meanwhile"
    folder.save(case, own, session.ct)
    assert open_case(case, folder).history.can_undo
    (steps / "present.txt").unlink()
    assert open_case(case, folder).history.can_undo, "the position is found again"
    for file in steps.glob("*.json"):
        file.write_text("{", encoding="utf-8")
    again = open_case(case, folder)
    assert not again.history.can_undo
    again.nudge("shifted", 1.0, 0.0)
    assert open_case(case, folder).history.can_undo


def test_the_oldest_steps_are_dropped(case, folder, open_case, monkeypatch):
    from MidlineShiftLogic.review_app import history_files

    monkeypatch.setattr(history_files, "STORED", 2)
    session = open_case(case, folder)
    for _ in range(4):
        session.nudge("shifted", 1.0, 0.0)
    assert len(list(folder.history_folder(case, blind=False).glob("*.json"))) == 3
    again = open_case(case, folder)
    again.undo()
    again.undo()
    assert not again.history.can_undo and again.history.can_redo


def test_nudges_go_to_the_patients_left_and_back(case, folder, open_case):
    session = open_case(case, folder)
    place = slice_of(session.measurement, session.shown).landmarks_lps_mm["shifted"]
    session.nudge("shifted", 1.5, 0.5)
    moved = slice_of(session.measurement, session.shown).landmarks_lps_mm["shifted"] - place
    assert moved == pytest.approx([1.5, 0.5, 0.0], abs=1e-3)


def test_a_slice_without_landmarks_gets_them_by_three_clicks(case, folder, open_case):
    session = open_case(case, folder)
    index = session.original.slices[0].index - 1
    session.show(index)
    assert not session.describe()["has_landmarks"]
    for x, y in ((0.5, 0.2), (0.5, 0.8)):
        session.place(x, y)
    assert len(session.describe()["pending"]) == 2 and folder.load(case) is None
    session.place(0.55, 0.5)
    one = slice_of(session.measurement, index)
    assert one.edited and one.signed_shift_mm > 0 and not session.describe()["pending"]
    with pytest.raises(InputError, match="drag them"):
        session.place(0.5, 0.5)


def test_blind_reading_shows_and_keeps_only_the_readers_landmarks(case, folder, open_case):
    session = open_case(case, folder, blind=True)
    state = session.describe()
    assert state["signed_shift_mm"] is None and state["slices"] == [] and state["landmarks"] == {}
    assert not session.load_displacement()
    blank = session.views.pixels(SCAN).astype(int)
    assert (np.ptp(blank, axis=2) > 60).sum() == 0, "no landmark of the model is drawn"
    session.show(session.original.slice)
    for x, y in ((0.5, 0.2), (0.5, 0.8), (0.56, 0.5)):
        session.place(x, y)
    own = session.measurement
    assert [one.index for one in own.slices] == [session.original.slice] and own.interval_mm is None
    assert (np.ptp(session.views.pixels(SCAN).astype(int), axis=2) > 60).sum() > 100
    assert drag(session, "shifted", 10) and session.measurement.signed_shift_mm > own.signed_shift_mm + 1
    session.decide(True, "")
    kept = folder.load(case)
    assert [one.index for one in kept.slices] == [
        session.original.slice
    ] and kept.review.decision == "accepted with edits"
    assert len(case.load_measurement().slices) > 1, "the model's is kept, too"
    again = open_case(case, folder, blind=True)
    assert again.measurement.signed_shift_mm == pytest.approx(kept.signed_shift_mm, abs=1e-4)
    again.undo()
    assert again.measurement.review is None and again.measurement.signed_shift_mm is not None
    again.redo()
    assert not open_case(case, folder).history.can_undo, "a blind review's steps are its own"
    again.restore(False)
    assert again.describe()["slices"] == []


def test_read_only_changes_nothing(case, folder, open_case):
    session = open_case(case, folder, writable=False)
    before = session.measurement
    assert not drag(session, "shifted", 12) and session.measurement is before
    with pytest.raises(InputError, match="Another reader"):
        session.pin(True)
    assert folder.load(case) is None


def test_without_fields_only_the_scan_is_shown(tmp_path, open_case):
    results = make_results(tmp_path, {"plain": 5.0}, fields=False)
    session = open_case(find_cases([results])[0], ReaderFolder(results, "Ada"))
    assert not session.load_displacement() and not session.describe()["displacement"]


def test_zoom_keeps_the_place_under_the_pointer(case, folder, open_case):
    session = open_case(case, folder)
    places = {}
    for factor in (1.0, 2.0):
        session.views.zoom(factor, SCAN, (0.3, 0.6))
        places[factor] = session.views.place_at(SCAN, 0.3, 0.6)
    assert places[1.0] == pytest.approx(places[2.0], abs=0.6)
    before = session.views.place_at(SCAN, 0.5, 0.5)
    session.views.pan(SCAN, 0.1, 0.0)
    assert session.views.place_at(SCAN, 0.6, 0.5) == pytest.approx(before, abs=0.6)


def test_a_scan_that_is_another_or_gone_is_refused(case, folder, tmp_path):
    other = replace(case, source=tmp_path / "right.nii.gz")
    with pytest.raises(InputError, match="changed after it was measured"):
        CaseSession(other, folder, False, True, POOL)
    with pytest.raises(InputError, match="--scans"):
        CaseSession(replace(case, source=tmp_path / "gone.nii.gz"), folder, False, True, POOL)
    with pytest.raises(InputError, match="--scans"):
        CaseSession(replace(case, source=None), folder, False, True, POOL)


def test_a_scene_is_used_again_and_nothing_of_the_case_before_is_in_it(results, open_case):
    pool = ScenePool()
    scenes, nodes = set(), set()
    for case in find_cases([results]):
        session = CaseSession(case, ReaderFolder(results, "Ada"), False, True, pool)
        session.load_displacement()
        scene = session.nodes.volume.GetScene()
        scenes.add(scene)
        session.close()
        nodes.add(scene.GetNumberOfNodes())
        for kind in ("ScalarVolume", "Markups", "Text", "GridTransform", "PlotSeries"):
            assert scene.GetNumberOfNodesByClass(f"vtkMRML{kind}Node") == 0
    assert len(scenes) == 1 and len(nodes) == 1
