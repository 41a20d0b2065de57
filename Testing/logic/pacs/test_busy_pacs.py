"""A PACS that has no place now: said as it is, and asked again where nothing is done twice."""

import contextlib

import pytest
from pacs_case import SERIES, STUDY, head_series
from ports import free_port

from MidlineShiftLogic.cli import pacs as command
from MidlineShiftLogic.pacs import retries
from MidlineShiftLogic.pacs.dicom_files import find_dicom_files
from MidlineShiftLogic.pacs.dimse import DimseSender, add_supported_contexts, application_entity, associate
from MidlineShiftLogic.pacs.retries import Retries
from MidlineShiftLogic.pacs.targets import Busy, DicomTarget, Rejected, Unreachable


@pytest.fixture(autouse=True)
def no_waits(monkeypatch):
    monkeypatch.setattr(retries, "WAITS", (0.0, 0.0))


@contextlib.contextmanager
def serve(handlers, contexts=()):
    """A server of the DICOM protocol with these event handlers; yields its target."""
    entity = application_entity("PACS")
    add_supported_contexts(entity)
    for context in contexts:
        entity.add_supported_context(context)
    server = entity.start_server(("127.0.0.1", 0), block=False, evt_handlers=handlers)
    try:
        yield DicomTarget("PACS", "127.0.0.1", server.socket.getsockname()[1])
    finally:
        entity.shutdown()


def reject(*answers):
    """A handler that rejects one association with each (result, source, reason), and accepts the rest."""
    from pynetdicom import evt

    left = list(answers)

    def requested(event):
        if left:
            event.assoc.acse.send_reject(*left.pop(0))
            event.assoc.kill()

    return (evt.EVT_REQUESTED, requested)


@pytest.mark.parametrize(
    ("answer", "kind", "words"),
    [
        ((2, 3, 2), Busy, "is busy and takes no association now; try again"),
        ((2, 3, 1), Busy, "is busy"),
        ((2, 1, 1), Busy, "is busy"),
        ((1, 1, 3), Rejected, "from SCANNER; enter this AE title there."),
        ((2, 1, 3), Rejected, "from SCANNER; enter this AE title there."),
        ((1, 1, 7), Rejected, "its AE title is not PACS; give the right one"),
        ((1, 1, 1), Rejected, "enter this AE title there, and check that PACS is its own"),
    ],
)
def test_each_rejection_says_what_to_do(answer, kind, words):
    from pynetdicom import build_context

    with serve([reject(answer)]) as target, pytest.raises(kind, match=words) as error:
        associate(application_entity("SCANNER"), target, [build_context("1.2.840.10008.1.1")], None)
    assert type(error.value) is kind


def test_a_port_that_speaks_something_else(tmp_path):
    """Not "does not answer": it took the connection."""
    import socket
    import threading

    from pynetdicom import build_context

    with socket.create_server(("127.0.0.1", 0)) as server:
        threading.Thread(target=lambda: server.accept()[0].close(), daemon=True).start()
        target = DicomTarget("PACS", "127.0.0.1", server.getsockname()[1])
        with pytest.raises(Unreachable, match="speaks DICOM, without TLS"):
            associate(application_entity("SCANNER"), target, [build_context("1.2.840.10008.1.1")], None)


def test_push_sends_the_rest_when_there_is_room_again(midlineshift, tmp_path):
    """No file twice, although the PACS turns away two associations and one file in the middle."""
    from pynetdicom import evt

    stored, statuses = [], [0, 0xA700, 0, 0, 0]

    def store(event):
        status = statuses.pop(0)
        stored.extend([event.request.AffectedSOPInstanceUID] if status == 0 else [])
        return status

    folder = head_series(tmp_path / "series", slices=4)
    with serve([reject((2, 3, 2)), (evt.EVT_C_STORE, store)]) as target:
        done = midlineshift("pacs", "push", folder, "--to", target)
    assert done.code == 0 and done.out.startswith("4 objects sent"), done.err
    assert len(stored) == len(set(stored)) == 4
    busy, full = done.err.splitlines()
    assert "is busy" in busy and "no room for a CT Image Storage" in full and "next try" in full


def test_push_to_one_that_stays_busy(midlineshift, tmp_path):
    folder = head_series(tmp_path / "series", slices=4)
    with serve([reject(*[(2, 3, 2)] * 3)]) as target:
        done = midlineshift("pacs", "push", folder, "--to", target)
    assert done.code == 2 and "Traceback" not in done.err
    assert done.err.splitlines()[-1].endswith("try again in some minutes. 0 of 4 files were sent before that.")


def test_one_that_refuses_is_not_asked_again(tmp_path):
    asked = []

    def refuse():
        asked.append(1)
        raise Rejected("No.", "pacs-rejected")

    with pytest.raises(Rejected):
        Retries((0.0, 0.0)).run(refuse)
    assert len(asked) == 1


def archive(folder, port, moves):
    """Handlers of a PACS that sends its series to us; ``moves``: for each C-MOVE, how many images or a status."""
    import pydicom
    from pynetdicom import build_context, evt

    files = [pydicom.dcmread(path) for path in sorted(folder.iterdir())]

    def find(event):
        answer = pydicom.Dataset()
        answer.StudyInstanceUID = STUDY
        if event.identifier.QueryRetrieveLevel == "SERIES":
            answer.SeriesInstanceUID, answer.SeriesNumber, answer.Modality = SERIES, 2, "CT"
            answer.NumberOfSeriesRelatedInstances = len(files)
        yield 0xFF00, answer

    def move(event):
        what = moves.pop(0)
        yield ("127.0.0.1", port, {"contexts": [build_context(files[0].SOPClassUID)]})
        if what >= 0xA000:
            yield 1
            yield what, None
            return
        yield what
        for file in files[:what]:
            yield 0xFF00, file

    return [(evt.EVT_C_FIND, find), (evt.EVT_C_MOVE, move)]


MODELS = ("1.2.840.10008.5.1.4.1.2.2.1", "1.2.840.10008.5.1.4.1.2.2.2")
"""Study root: find and move."""


def pull(midlineshift, target, port, out):
    return midlineshift("pacs", "pull", "--from", target, "--port", port, "--study", STUDY, "--out", out)


def test_pull_asks_again_after_a_part(midlineshift, tmp_path):
    folder, port = head_series(tmp_path / "series", slices=4), free_port()
    moves = [2, 0xA701, 4]
    with serve([reject((2, 3, 2)), *archive(folder, port, moves)], MODELS) as target:
        done = pull(midlineshift, target, port, tmp_path / "out")
    assert done.code == 0 and not moves, done.err
    (fetched,) = (tmp_path / "out").iterdir()
    assert len(list(find_dicom_files([fetched]))) == 4
    assert [words in line for words, line in zip(("busy", "2 of 4", "0xA701"), done.err.splitlines(), strict=True)]


def test_pull_from_one_that_cannot_connect_to_us_is_not_repeated(midlineshift, tmp_path):
    folder, port = head_series(tmp_path / "series", slices=4), free_port()
    with serve(archive(folder, port, [0xA702]), MODELS) as target:
        done = pull(midlineshift, target, port, tmp_path / "out")
    assert done.code == 2 and "check that address there" in done.sentence and not (tmp_path / "out").exists()


@pytest.mark.parametrize("study", [None, "1.2"])
def test_an_archive_that_answers_nonsense_or_without_end(midlineshift, tmp_path, study):
    """A study without a UID, and studies that never end."""
    import pydicom
    from pynetdicom import evt

    def find(event):
        for number in range(1 if study is None else 5000):
            answer = pydicom.Dataset()
            answer.StudyDate = "20250101"
            if study:
                answer.StudyInstanceUID = f"{study}.{number}"
            yield 0xFF00, answer

    with serve([(evt.EVT_C_FIND, find)], MODELS) as target:
        done = pull(midlineshift, target, free_port(), tmp_path / "out")
    assert done.code == 2 and ("More than 500" if study else "no UID") in done.sentence


def test_the_command_waits_as_it_says(monkeypatch, capsys):
    """The command's waits are those of ``WAITS``, and each is said."""
    monkeypatch.setattr(retries, "WAITS", (3.0,))
    made, slept, answers = command._retries(), [], [Busy("Busy.", "pacs-busy")]

    def action():
        if answers:
            raise answers.pop()
        return "done"

    assert Retries(made.waits, made.report, slept.append).run(action) == "done" and slept == [3.0]
    assert capsys.readouterr().err == "Busy. The next try is in 3 s.\n"


def test_a_sender_alone_does_not_repeat(tmp_path):
    """The listener's queue has its own waits."""
    files = list(find_dicom_files([head_series(tmp_path / "series", slices=1)]))
    with serve([reject((2, 3, 2))]) as target, pytest.raises(Busy):
        list(DimseSender(target, "SCANNER").send(files))
