"""``midlineshift pacs push`` and ``pull`` with a real PACS, by both protocols, and what they say when it fails."""

import pydicom
import pytest
from orthanc_server import Orthanc
from pacs_case import SERIES, STUDY, head_series, result_files
from ports import free_port

from MidlineShiftLogic.errors import InputError
from MidlineShiftLogic.pacs.targets import DicomTarget, WebTarget, parse_target


@pytest.fixture(scope="module")
def port():
    return free_port()


@pytest.fixture(scope="module")
def pacs(tmp_path_factory, port):
    """A PACS that holds a study of two CT series and a localizer's study."""
    folder = tmp_path_factory.mktemp("pacs")
    server = Orthanc(folder / "orthanc", {"midlineshift": ("MIDLINESHIFT", port)})
    server.start()
    server.put_files(head_series(folder / "one"))
    server.put_files(head_series(folder / "two", SERIES + ".2", slices=5, SeriesNumber=3))
    server.put_files(head_series(folder / "mr", SERIES + ".3", slices=5, SeriesNumber=4, Modality="MR"))
    yield server
    server.stop()


def where(pacs, kind, port):
    return [pacs.web] if kind == "web" else [pacs.target, "--port", port]


@pytest.mark.parametrize("kind", ["web", "dicom"])
def test_push(midlineshift, pacs, port, tmp_path, kind):
    results = tmp_path / "case"
    results.mkdir()
    files = result_files(head_series(tmp_path / "series", slices=4), results)
    (results / "measurement.json").write_text("{}")
    to = where(pacs, kind, port)[0]
    done = midlineshift("pacs", "push", results, "--to", to)
    assert (done.code, done.out, done.err) == (0, f"3 objects sent to {to}\n", "")
    before = len(pacs.get("/instances"))
    again = midlineshift("pacs", "push", results, "--to", to)
    assert again.code == 0 and len(pacs.get("/instances")) == before, "the same objects again are no others"
    stored = {pacs.get(f"/instances/{one}")["MainDicomTags"]["SOPInstanceUID"] for one in pacs.get("/instances")}
    assert {pydicom.dcmread(file).SOPInstanceUID for file in files} <= stored


@pytest.mark.parametrize("kind", ["web", "dicom"])
def test_pull(midlineshift, pacs, port, tmp_path, kind):
    arguments = ["pacs", "pull", "--from", *where(pacs, kind, port), "--study", STUDY, "--out", tmp_path / "out"]
    done = midlineshift(*arguments)
    assert done.code == 0 and done.err == "", done.err
    folders = sorted((tmp_path / "out").iterdir())
    assert [(folder.name[:9], len(list(folder.iterdir()))) for folder in folders] == [
        ("series_2_", 12),
        ("series_3_", 5),
    ]
    original = head_series(tmp_path / "original")
    fetched = {ds.SOPInstanceUID: ds for ds in map(pydicom.dcmread, folders[0].iterdir())}
    for path in original.iterdir():
        expected = pydicom.dcmread(path)
        assert fetched[expected.SOPInstanceUID].PixelData == expected.PixelData
        assert fetched[expected.SOPInstanceUID].PatientName == expected.PatientName
    again = midlineshift(*arguments)
    assert again.code == 0 and again.out.count("is there already") == 2


@pytest.mark.parametrize("kind", ["web", "dicom"])
@pytest.mark.parametrize(
    ("query", "lines"),
    [
        (["--study", STUDY], 2),
        (["--patient-id", "SECRETID4711"], 2),
        (["--accession", "SECRETACC"], 2),
        (["--date", "20250301-20250331"], 2),
        (["--study", STUDY, "--series", SERIES], 1),
        (["--study", STUDY, "--modality", "MR"], 1),
    ],
)
def test_list(midlineshift, pacs, port, kind, query, lines):
    done = midlineshift("pacs", "pull", "--from", *where(pacs, kind, port), *query, "--list")
    assert done.code == 0 and len(done.out.splitlines()) == lines, done.err
    assert all("20250304" in line and STUDY in line for line in done.out.splitlines())
    if "--series" in query:
        assert "series 2  12 images" in done.out


@pytest.mark.parametrize("kind", ["web", "dicom"])
def test_nothing_found(midlineshift, pacs, port, tmp_path, kind):
    done = midlineshift(
        "pacs", "pull", "--from", *where(pacs, kind, port), "--study", "1.2.3", "--out", tmp_path / "out"
    )
    assert done.code == 2 and "has no such series" in done.sentence and not (tmp_path / "out").exists()


def test_an_unknown_place_to_send_to(midlineshift, pacs, tmp_path):
    done = midlineshift(
        "pacs",
        "pull",
        "--from",
        pacs.target,
        "--study",
        STUDY,
        "--out",
        tmp_path,
        "--aet",
        "NOBODY",
        "--port",
        free_port(),
    )
    assert done.code == 2 and "NOBODY" in done.sentence and not list(tmp_path.iterdir())


def test_a_wrong_port_of_ours(midlineshift, pacs, tmp_path):
    """The PACS knows us elsewhere: it cannot send, and nothing half is left."""
    done = midlineshift(
        "pacs", "pull", "--from", pacs.target, "--study", STUDY, "--out", tmp_path, "--port", free_port()
    )
    assert done.code == 2 and "check that address there" in done.sentence and not list(tmp_path.iterdir())


@pytest.mark.parametrize("to", ["PACS@127.0.0.1:{port}", "http://127.0.0.1:{port}/dicom-web"])
def test_nobody_answers(midlineshift, tmp_path, to):
    to = to.format(port=free_port())
    folder = head_series(tmp_path / "series", slices=4)
    done = midlineshift("pacs", "push", folder, "--to", to)
    assert done.code == 2 and done.out == ""
    assert f"{to} does not answer; check the address" in done.sentence and "0 of 4 files were sent" in done.sentence
    done = midlineshift("pacs", "pull", "--from", to, "--study", STUDY, "--out", tmp_path / "out")
    assert done.code == 2 and "does not answer" in done.sentence and not (tmp_path / "out").exists()


def test_a_pacs_that_does_not_take_us(midlineshift, pacs, tmp_path):
    """The web server of the PACS is no DICOM server, and the other way round; a wrong AE title of its own."""
    folder = head_series(tmp_path / "series", slices=4)
    for to in (
        f"ORTHANC@127.0.0.1:{pacs.http_port}",
        f"http://127.0.0.1:{pacs.dicom_port}",
        f"http://127.0.0.1:{pacs.http_port}/no",
    ):
        done = midlineshift("pacs", "push", folder, "--to", to)
        assert done.code == 2 and done.sentence.startswith("Error: "), to
    done = midlineshift("pacs", "push", folder, "--to", f"OTHER@127.0.0.1:{pacs.dicom_port}")
    assert done.code == 2 and "does not accept an association from MIDLINESHIFT" in done.sentence


def test_a_service_with_passwords(midlineshift, tmp_path, monkeypatch, port):
    """They come from the netrc file; without them, or with wrong ones, the sentence says so."""
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login me password secret\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    server = Orthanc(tmp_path / "orthanc", {}, AuthenticationEnabled=True, RegisteredUsers={"me": "secret"})
    server.start()
    try:
        folder = head_series(tmp_path / "series", slices=4)
        assert midlineshift("pacs", "push", folder, "--to", server.web).code == 0
        netrc.write_text("machine 127.0.0.1 login me password wrong\n")
        done = midlineshift("pacs", "push", folder, "--to", server.web)
        assert done.code == 2 and "user name and a password" in done.sentence and "netrc" in done.sentence
    finally:
        server.stop()


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["push", "{tmp}/missing", "--to", "A@127.0.0.1:1"], "There is no file or folder"),
        (["push", "{tmp}", "--to", "A@127.0.0.1:1"], "no DICOM files"),
        (["push", "{tmp}", "--to", "nowhere"], "is not a PACS"),
        (["pull", "--from", "A@127.0.0.1:1", "--out", "{tmp}"], "Name the study"),
        (["pull", "--from", "A@127.0.0.1:1", "--study", "x", "--out", "{tmp}"], "is not a UID"),
        (["pull", "--from", "A@127.0.0.1:1", "--patient-id", "*", "--out", "{tmp}"], "Wildcards"),
        (["pull", "--from", "A@127.0.0.1:1", "--study", "1.2"], "Give --out"),
        (["queue", "{tmp}"], "is not the spool of a listener"),
    ],
)
def test_wrong_usage_is_one_sentence(midlineshift, tmp_path, arguments, sentence):
    done = midlineshift("pacs", *(part.format(tmp=tmp_path) for part in arguments))
    assert done.code == 2 and sentence in done.sentence


def test_targets():
    assert parse_target("PACS 1@[::1]:104") == DicomTarget("PACS 1", "::1", 104)
    assert parse_target("https://pacs.example:8443/dicom-web/") == WebTarget("https://pacs.example:8443/dicom-web")
    for wrong in (
        "PACS",
        "PACS@host",
        "PACS@host:0",
        "PACS@host:99999",
        "@host:1",
        "A\\B@host:1",
        "http://",
        "http://h:x/",
    ):
        with pytest.raises(InputError):
            parse_target(wrong)
    with pytest.raises(InputError, match="netrc"):
        parse_target("https://me:secret@pacs.example/")
