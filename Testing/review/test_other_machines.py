"""A review for other machines: password and TLS, through real clients, and what becomes of a result reviewed there."""

import asyncio
import csv
import http.client
import shutil
import socket
import subprocess
from pathlib import Path

import aiohttp
import pytest
from click.testing import CliRunner
from review_case import Server, make_results, wait_until
from review_client import LOOPBACK, ReviewClient
from review_page import Page

from midlineshift_training.cli import main
from MidlineShiftLogic.reporting.html import read_result
from MidlineShiftLogic.review_app.launch import shown_host

PASSWORD = "correct horse battery"
SHIFTS = {"left": 8.0, "right": -6.0}
MOVES = {"left": 3.0, "right": -2.5}
"""By how much the reader moves the landmark to the patient's left, mm: outward on either side."""
CODE_OF_REFUSAL = 403


@pytest.fixture(scope="module")
def secure(tmp_path_factory):
    """A server that any machine may reach, and its own certificate."""
    pytest.importorskip("trame_slicer.views")
    if not shutil.which("openssl"):
        pytest.skip("no openssl to make a certificate with")
    folder = tmp_path_factory.mktemp("secure")
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", "key.pem", "-out", "cert.pem", "-days", "2",
         "-subj", "/CN=review", "-addext", f"subjectAltName=IP:{LOOPBACK}"],
        cwd=folder, check=True, capture_output=True, timeout=60,
    )  # fmt: skip
    (folder / "password.txt").write_text(PASSWORD + "\n", encoding="utf-8")
    results = make_results(folder, SHIFTS, dicom=True)
    server = Server(
        results, "--reader", "Grace Hopper", "--host", "0.0.0.0", "--password-file", folder / "password.txt",
        "--tls-cert", folder / "cert.pem", "--tls-key", folder / "key.pem",
    )  # fmt: skip
    server.start()
    yield server, folder
    server.stop()


@pytest.fixture(scope="module")
def reviewed(secure):
    """The reader's results: one landmark of each case moved, and accepted, over TLS."""
    server, folder = secure

    async def walk() -> dict[str, dict]:
        async with ReviewClient(server.address, folder / "cert.pem") as client:
            await client.enter()
            await client.log_in(PASSWORD)
            return {
                case["name"]: await client.review(
                    case["key"],
                    {"type": "nudge", "landmark": "shifted", "left_mm": MOVES[case["name"]], "back_mm": 0.0},
                    {"type": "decide", "accepted": True, "reason": "checked"},
                )
                for case in await client.cases()
            }

    return asyncio.run(walk()), folder


def test_the_printed_address_can_be_opened_from_another_desk(secure):
    assert secure[0].site == f"https://{socket.gethostname()}:{secure[0].port}"
    assert [shown_host(host) for host in ("127.0.0.1", "::1", "desk")] == ["127.0.0.1", "[::1]", "desk"]


def test_address_and_password_are_both_wanted(secure):
    server, folder = secure

    async def knock() -> None:
        async with ReviewClient(server.address, folder / "cert.pem") as client:
            for path in ("/", "/login", "/cases.json", "/page/style.css", "/?token=wrong"):
                status, text = await client.get(path)
                assert status == CODE_OF_REFUSAL and str(folder) not in text, path
            assert (await client.log_in(PASSWORD))[0] == CODE_OF_REFUSAL, "the password alone is not enough"
            status, text = await client.enter()
            assert status == 200 and 'type="password"' in text, "the address leads to the password"
            assert (await client.get("/cases.json"))[0] == CODE_OF_REFUSAL, "the address alone is not enough"
            for wrong in ("", PASSWORD.upper(), PASSWORD + " "):
                status, place, cookies = await client.log_in(wrong)
                assert place == "/login?wrong=1" and not cookies
            assert "The password is wrong." in (await client.get("/login?wrong=1"))[1]
            with pytest.raises(aiohttp.WSServerHandshakeError):
                await client.review("0" * 12)
            status, place, cookies = await client.log_in(PASSWORD)
            assert place == "/"
            (cookie,) = cookies.values()
            assert cookie["httponly"] and cookie["secure"] and cookie["samesite"] == "Strict"
            assert client.token not in cookie.value and PASSWORD not in cookie.value
            assert {case["name"] for case in await client.cases()} == set(SHIFTS)

    asyncio.run(knock())


def test_plain_http_and_unknown_certificates_get_nothing(secure):
    server, _ = secure
    plain = http.client.HTTPConnection(LOOPBACK, server.port, timeout=30)
    with pytest.raises((http.client.HTTPException, OSError)):
        plain.request("GET", "/login")
        plain.getresponse()

    async def distrust() -> None:
        async with ReviewClient(server.address, Path(__import__("certifi").where())) as client:
            await client.enter()

    with pytest.raises(aiohttp.ClientConnectorCertificateError):
        asyncio.run(distrust())


def test_a_browser_logs_in_and_opens_a_case_over_tls(secure, make_browser):
    server, _ = secure
    browser = make_browser(own_certificates=True)
    browser.get(server.address.replace(server.site, f"https://{LOOPBACK}:{server.port}"))
    page = Page(browser, server)
    for password, reached in (("not the password", "/login?wrong=1"), (PASSWORD, "/")):
        browser.find_element("id", "password").send_keys(password + "\n")
        wait_until(lambda reached=reached: browser.current_url.endswith(f":{server.port}{reached}"), what=reached)
        if reached != "/":
            assert "The password is wrong." in browser.find_element("tag name", "main").text
    assert all(one["secure"] and one["httpOnly"] and one["sameSite"] == "Strict" for one in browser.get_cookies())
    assert page.script("return document.cookie") == ""
    wait_until(lambda: browser.find_elements("css selector", "#cases a"), what="worklist")[0].click()
    page.wait_drawn()
    assert page.state()["reader"] == "Grace Hopper" and browser.current_url.startswith("https://")
    browser.get("about:blank")  # gives the case back


def test_other_machines_need_password_and_tls(secure, capsys):
    from MidlineShiftLogic.cli.main import _run

    assert _run(["review", str(secure[1] / "results"), "--host", "0.0.0.0"]) == 2
    assert "--password-file, --tls-cert and --tls-key" in capsys.readouterr().err


def test_the_reviewed_result_has_the_same_numbers_in_panel_and_structured_report(reviewed, panel_host, tmp_path):
    from reviewed_in_panel import numbers_in_panel

    states, folder = reviewed
    for name, state in states.items():
        own = folder / "results" / "reviews" / "Grace Hopper" / name
        before, after = (read_result(one).signed_shift_mm for one in (folder / "results" / name, own))
        assert abs(after) > abs(before) + 2 and after * SHIFTS[name] > 0
        found = numbers_in_panel(panel_host(), folder / name, own, tmp_path / name)
        assert found.pop("reader") == "Grace Hopper" and found.pop("decision") == "accepted with edits"
        assert found.pop("shown") == f"{abs(after):.1f} mm to the {'left' if after > 0 else 'right'}"
        assert len(found) == 5
        assert all(number == pytest.approx(after, abs=0.01) for number in found.values()), found
        assert state["signed_shift_mm"] == pytest.approx(after, abs=0.01)


def test_evaluation_takes_what_the_review_wrote(reviewed, tmp_path, monkeypatch):
    from midlineshift_training.evaluation import measure_jobs, run

    _, folder = reviewed
    results = folder / "results"
    # the model's numbers are known: what is tried is the way of the reader's
    monkeypatch.setattr(measure_jobs, "measure_scan", lambda ct, model, case: read_result(results / case))
    monkeypatch.setattr(run, "draw_worst", lambda *_: {})
    scans = tmp_path / "scans"
    for name in SHIFTS:
        shutil.copytree(folder / name, scans / name)
    readings = results / "reviews" / "Grace Hopper" / "readings.csv"
    arguments = [
        "evaluate",
        "--scans",
        scans,
        "--readings",
        readings,
        "--robustness-cases",
        0,
        "--out",
        tmp_path / "out",
    ]
    done = CliRunner().invoke(main, list(map(str, arguments)))
    assert done.exit_code == 0, done.output
    with (tmp_path / "out" / "cases.csv").open(encoding="utf-8") as stream:
        rows = {row["case"]: row for row in csv.DictReader(stream) if row["model"] == "this model"}
    assert set(rows) == set(SHIFTS)
    for name, row in rows.items():
        own = read_result(readings.parent / name)
        assert row["set"] == "readings" and int(row["slice"]) == own.slice
        assert float(row["truth_mm"]) == pytest.approx(own.signed_shift_mm, abs=0.01)
        assert float(row["measured_mm"]) == pytest.approx(read_result(results / name).signed_shift_mm, abs=0.01)
