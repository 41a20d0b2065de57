"""What the page says of errors: what happened and what to do, and no folder of the machine that serves it."""

import asyncio
import errno
import json

import pytest
from aiohttp.test_utils import TestClient, TestServer

from MidlineShiftLogic.review_app.access import COOKIE, Access
from MidlineShiftLogic.review_app.cases import find_cases
from MidlineShiftLogic.review_app.page_text import hide_paths, not_saved_text
from MidlineShiftLogic.review_app.server import ReviewServer
from MidlineShiftLogic.review_app.worklist import Worklist


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("/srv/a/cut.nii.gz is damaged", "cut.nii.gz is damaged"),
        ("There is no result at /tmp/x/gone; give", "There is no result at gone; give"),
        ("Not found: '/srv/a b/c d'", "Not found: 'c d'"),
        (r"C:\Users\me\x.nii is damaged", "x.nii is damaged"),
        ("window 80/40, slice 5/31", "window 80/40, slice 5/31"),
    ],
)
def test_paths_are_names_only(tmp_path, text, shown):
    assert hide_paths(text, [tmp_path.__class__("/srv/a b/c d"), None]) == shown


def test_a_full_disk_and_another_fault_have_their_remedies():
    assert "Free space" in not_saved_text(OSError(errno.ENOSPC, "No space left on device"))
    other = not_saved_text(OSError(errno.EROFS, "Read-only file system", "/srv/results"))
    assert "NOT SAVED: Read-only file system. Check the folder of results" in other and "/srv" not in other


def test_a_damaged_scan_and_a_folder_that_cannot_be_written(results, monkeypatch):
    """Both are one sentence on the page, and neither says where the server keeps its files."""
    scan = results.parent / "left.nii.gz"
    scan.write_bytes(scan.read_bytes()[:1000])
    cases = find_cases([results])
    key = next(case.key for case in cases if case.name == "left")

    async def nothing(*_):
        pass

    monkeypatch.setattr(ReviewServer, "_warm_up", nothing)
    server = ReviewServer(Worklist(cases), Access("secret"), reader="Ada")

    async def ask():
        async with TestClient(TestServer(server.application()), cookies={COOKIE: "secret"}) as client:
            site = f"http://127.0.0.1:{client.port}"
            async with client.ws_connect(f"/socket/{key}", headers={"Origin": site}) as socket:
                said = [json.loads((await socket.receive(60)).data) for _ in range(2)][-1]
            (results / "reviews").rename(results / "kept")
            (results / "reviews").write_text("in the way")
            answer = await client.get("/cases.json")
            return said, answer.status, await answer.text()

    said, status, text = asyncio.run(ask())
    assert said["type"] == "failed" and said["text"].startswith("left.nii.gz is an incomplete")
    assert status == 503 and "reader's folder cannot be written" in text
    assert str(results.parent) not in said["text"] + text
