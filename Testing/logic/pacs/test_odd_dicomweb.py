"""A DICOMweb service that answers nonsense: one sentence, no loop without end, nothing left behind."""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from make_scans import make_head, write_dicom

JSON = "application/dicom+json"
SERIES = "1.2.3"


def study(uid="1.2"):
    return {"0020000D": {"vr": "UI", "Value": [uid]}}


def series():
    return {"0020000E": {"vr": "UI", "Value": [SERIES]}, "00080060": {"vr": "CS", "Value": ["CT"]}}


@pytest.fixture
def service():
    """A function that starts a service: ``studies`` and ``objects`` are what it answers; its address."""
    servers = []

    def start(studies, objects=b"", kind=JSON):
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                path = self.path.partition("?")[0]
                if path.endswith("/studies"):
                    body, what = (studies if isinstance(studies, bytes) else json.dumps(studies).encode()), JSON
                elif path.endswith("/series"):
                    body, what = json.dumps([series()]).encode(), JSON
                else:
                    body, what = objects, kind
                self.send_response(200)
                self.send_header("Content-Type", what)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass

        servers.append(ThreadingHTTPServer(("127.0.0.1", 0), Handler))
        threading.Thread(target=servers[-1].serve_forever, daemon=True).start()
        return f"http://127.0.0.1:{servers[-1].server_port}/dicom-web"

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


def pull(midlineshift, address, *more):
    return midlineshift("pacs", "pull", "--from", address, "--study", "1.2", *more)


@pytest.mark.parametrize("studies", [b"<html>", b"{", {"a": 1}, 5, [{"0020000D": {"vr": "XX", "Value": 5}}], [7]])
def test_what_is_no_dicomweb(midlineshift, service, tmp_path, studies):
    done = pull(midlineshift, service(studies), "--out", tmp_path / "out")
    assert done.code == 2 and "something that is not DICOMweb" in done.sentence and not (tmp_path / "out").exists()


def test_a_service_that_ignores_the_offset_is_asked_twice(midlineshift, service):
    """It sends the first page for ever."""
    done = pull(midlineshift, service([study()]), "--list")
    assert done.code == 0 and len(done.out.splitlines()) == 1 and SERIES in done.out


def test_studies_without_a_uid_or_too_many(midlineshift, service):
    assert "no UID" in pull(midlineshift, service([{}]), "--list").sentence
    assert "More than 500" in pull(midlineshift, service([study(f"1.{n}") for n in range(501)]), "--list").sentence


def test_objects_that_are_none_or_of_another_series(midlineshift, service, tmp_path):
    (file,) = write_dicom(make_head(1, size=16), tmp_path / "other", SeriesInstanceUID="1.2.4").iterdir()
    parts = 'multipart/related; type="application/dicom"; boundary=B'
    for content, kind, words in (
        (b"no DICOM", "application/dicom", "not DICOMweb"),
        (b"--B\r\nContent-Type: application/dicom\r\n\r\nxx\r\n--B--", parts, "not DICOMweb"),
        (b"--B\r\nContent-Type: application/dicom\r\n\r\n" + file.read_bytes() + b"\r\n--B--", parts, "another series"),
    ):
        done = pull(midlineshift, service([study()], content, kind), "--out", tmp_path / "out")
        assert done.code == 2 and words in done.sentence and not (tmp_path / "out").exists()
