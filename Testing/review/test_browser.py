"""The review in a real browser, from the command: open, scroll, drag, accept, reload, restart, two sessions, keys only.

The tests share one server and run in their order; each opens its case anew.
"""

import asyncio
import json
import re
import signal
import urllib.error
import urllib.request

import pytest
from review_case import Server, make_results, wait_until
from review_client import ReviewClient
from review_page import Page

from MidlineShiftLogic.reporting.html import read_result

pytestmark = pytest.mark.slow
LEFT, RIGHT = 0, 1


@pytest.fixture(scope="module")
def page(served, make_browser):
    return Page(make_browser(), served[0])


def of_reader(results, case="left", reader="Ada"):
    return read_result(results / "reviews" / reader / case)


def test_wrong_token_opens_nothing_and_no_path_is_reported(served, page):
    server, results = served
    for address in (server.site, f"{server.site}/?token=wrong", f"{server.site}/cases.json", f"{server.site}/socket/x"):
        with pytest.raises(urllib.error.HTTPError) as refused:
            urllib.request.urlopen(address)
        assert refused.value.code == 403 and "default-src 'none'" in refused.value.headers["Content-Security-Policy"]
        assert str(results) not in refused.value.read().decode()
    page.open_list()
    content = page.browser.page_source + page.script("return fetch('/cases.json').then((a) => a.text())")
    assert str(results.parent) not in content and "token" not in page.browser.current_url
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(urllib.request.Request(server.address, headers={"Origin": "http://evil.example"}))
    assert refused.value.code == 400


def test_open_scroll_and_windows(page):
    page.open_case()
    state = page.state()
    assert "mm to the patient's left" in page.text("number") and state["slice"] == state["case_slice"]
    wait_until(lambda: page.state()["displacement"], what="displacement")
    wait_until(lambda: page.script("return ['normal', 'moved'].every((n) => document.getElementById(n).dataset.drawn)"))
    canvas = page.browser.find_element("id", "scan")
    assert page.script("return document.documentElement.scrollHeight <= innerHeight"), "the page itself does not scroll"
    page.script(
        "document.getElementById('scan').dispatchEvent("
        "new WheelEvent('wheel', { deltaY: -100, bubbles: true, cancelable: true }))"
    )
    wait_until(lambda: page.state()["slice"] == state["slice"] + 1, what="next slice")
    assert f"{state['slice'] + 2} of 20" in page.text("slice-number") and canvas.is_displayed()
    drawn = int(page.script("return document.getElementById('scan').dataset.drawn"))
    page.browser.find_element("css selector", "[data-window=bone]").click()
    wait_until(lambda: int(page.script("return document.getElementById('scan').dataset.drawn")) > drawn, what="window")
    errors = [entry for entry in page.browser.get_log("browser") if entry["level"] == "SEVERE"]
    assert not [entry for entry in errors if "thumbnail" not in entry["message"] and "403" not in entry["message"]]


def test_drag_number_follows_undo_pin_accept_reload(served, page):
    _, results = served
    page.open_case()
    first = page.state()["signed_shift_mm"]
    numbers = page.drag("shifted", 40)
    assert len(set(numbers)) > 2, "the number follows while the mouse moves"
    moved = page.state()["signed_shift_mm"]
    assert moved > first + 2 and page.state()["edited"]
    row = page.browser.find_element("css selector", f"#slices tr[data-slice='{page.state()['slice']}']").text
    assert f"{moved:.1f}" in row and "edited" in row
    assert of_reader(results).signed_shift_mm == pytest.approx(moved, abs=0.01)
    page.click("undo")
    wait_until(lambda: page.state()["status"] == "unread" and page.state()["signed_shift_mm"] == first, what="undo")
    page.drag("shifted", 25)
    moved = page.state()["signed_shift_mm"]
    saved = page.saved()
    page.click("pin")
    page.wait_saved(saved)
    page.click("accept")
    wait_until(lambda: "are written" in page.text("notice"), what="report")
    page.browser.refresh()
    page.wait_drawn()
    state = page.state()
    assert (state["status"], state["signed_shift_mm"]) == ("accepted with edits", moved) and state["pinned"]
    kept = of_reader(results)
    assert kept.review.reader == "Ada" and kept.signed_shift_mm == pytest.approx(moved, abs=0.01)
    assert (results / "reviews" / "Ada" / "left" / "report.html").is_file()
    page.click("undo")
    wait_until(lambda: page.state()["status"] == "edited", what="undo reaches back over the reload")
    page.click("redo")
    wait_until(lambda: page.state()["status"] == "accepted with edits", what="redo")
    page.open_list()
    assert "1 of 2 read" in page.text("done-text")


def test_server_killed_in_the_middle_loses_nothing_confirmed(served, page):
    server, results = served
    page.open_case(RIGHT)
    page.drag("shifted", -20)
    moved = page.state()["signed_shift_mm"]
    port = server.port
    server.stop(signal.SIGKILL)
    wait_until(lambda: "No connection" in page.text("notice"), what="the page says so")
    server.start(port)
    wait_until(lambda: page.script("return document.body.dataset.connected") == "yes", what="connected again")
    assert page.state()["signed_shift_mm"] == moved
    assert of_reader(results, "right").signed_shift_mm == pytest.approx(moved, abs=0.01)
    page.click("restore")
    wait_until(lambda: page.state()["status"] == "unread", what="back to the model's")


def test_two_sessions_on_one_case_the_second_looks_only(served, page, make_browser):
    page.open_case()
    second = Page(make_browser(), page.server).open_case()
    assert "Ada has this case open" in second.text("notice") and not second.state()["writable"]
    assert not second.browser.find_element("id", "accept").is_enabled()
    before = second.state()["signed_shift_mm"]
    page.open_list()

    def writes():
        second.browser.refresh()
        second.wait_drawn()
        return second.state()["writable"]

    wait_until(writes, what="the case is free")
    assert second.state()["signed_shift_mm"] == before
    second.open_list()


def test_a_page_that_vanishes_with_pictures_on_the_way_gives_its_case_back(served):
    server, _ = served

    async def vanish_and_come_back() -> str:
        async with ReviewClient(server.address) as client:
            await client.enter()
            key = (await client.cases())[LEFT]["key"]
            return [await client.open_and_leave(key) for _ in range(3)][-1]

    assert asyncio.run(vanish_and_come_back()) == "", "nobody has the case"


def test_keyboard_only(served, page):
    from selenium.webdriver.common.keys import Keys

    _, results = served
    page.open_list()
    page.browser.find_element("tag name", "body").send_keys(Keys.ARROW_DOWN)
    page.keys(Keys.ARROW_DOWN)
    page.keys(Keys.ENTER)
    page.wait_drawn()
    assert page.state()["name"] == "right"
    start = page.state()
    page.keys(Keys.PAGE_UP)
    wait_until(lambda: page.state()["slice"] == start["slice"] + 1, what="slice")
    page.keys("3")
    saved = page.saved()
    page.keys(Keys.ARROW_LEFT)
    page.wait_saved(saved)
    assert page.state()["edited"]
    page.keys("z")
    wait_until(lambda: page.state()["status"] == "unread", what="undo")
    page.keys("r")
    page.browser.switch_to.active_element.send_keys("motion", Keys.TAB, Keys.ENTER)
    wait_until(lambda: page.state()["status"] == "rejected", what="rejected")
    assert of_reader(results, "right").review.reason == "motion"
    page.keys("b")
    wait_until(lambda: "left" in page.text("name"), what="previous case")


def test_a_page_that_is_no_longer_signed_in_says_so_and_goes_on_after(page):
    page.open_case()
    cookies = page.browser.get_cookies()
    page.browser.delete_all_cookies()
    page.script("socket.close()")
    wait_until(lambda: "wants the printed address" in page.text("notice"), what="the page says so")
    for cookie in cookies:
        page.browser.add_cookie(cookie)
    wait_until(lambda: page.script("return document.body.dataset.connected") == "yes", what="connected again")
    assert page.text("notice") == ""


@pytest.mark.parametrize("size", [(1366, 900), (820, 1180)], ids=["desktop", "tablet"])
def test_nothing_for_axe_to_complain_of(page, size):
    axe = pytest.importorskip("axe_selenium_python")
    page.browser.set_window_size(*size)
    for opened in (page.open_list, page.open_case):
        opened()
        wait_until(
            lambda: page.script("return document.documentElement.scrollWidth <= window.innerWidth"),
            what="no sideways scrolling",
        )
        tester = axe.Axe(page.browser)
        tester.inject()
        found = tester.run()["violations"]
        assert not found, tester.report(found)
    page.script("notify('Ada has this case open'); document.getElementById('reject-dialog').showModal()")
    found = tester.run()["violations"]
    assert not found, tester.report(found)
    page.browser.set_window_size(1366, 900)


def test_everything_comes_from_this_server(page):
    page.open_case()
    log = [json.loads(entry["message"]) for entry in page.browser.get_log("performance")]
    text = json.dumps(log, separators=(",", ":"))
    requested = set(re.findall(r'"url":"((?:http|ws)s?://[^"]+)', text))
    hosts = {address.split("/")[2] for address in requested}
    assert hosts <= {page.server.site.split("/")[2]}, hosts


def test_blind_review_by_two_readers(tmp_path, make_browser):
    results = make_results(tmp_path, {"left": 8.0})
    server = Server(results, "--blind")
    server.start()
    page = Page(make_browser(), server)
    page.browser.get(server.address)
    wait_until(lambda: "Give your name" in page.text("notice"), what="asked for a name")
    page.browser.find_element("id", "reader").send_keys("Grace\n")
    wait_until(lambda: page.browser.find_elements("css selector", "#cases a"), what="list")
    assert "mm" not in page.browser.find_element("id", "cases").text
    page.browser.find_elements("css selector", "#cases a")[0].click()
    page.wait_drawn()
    assert page.text("number") == "not measured yet"
    canvas = page.browser.find_element("id", "scan")
    page.click("place")
    from selenium.webdriver import ActionChains, Keys

    width, height = canvas.size["width"], canvas.size["height"]
    for x, y in ((0, -0.3), (0, 0.3)):
        ActionChains(page.browser).move_to_element_with_offset(
            canvas, round(x * width), round(y * height)
        ).click().perform()
    wait_until(lambda: "midline at the septum" in page.text("chosen"), what="the third place")
    page.keys(Keys.SHIFT, Keys.ARROW_RIGHT, Keys.ARROW_RIGHT, Keys.NULL, Keys.ARROW_LEFT, Keys.ENTER)
    wait_until(lambda: page.state()["has_landmarks"], what="landmarks")
    wait_until(lambda: "to the patient's left" in page.text("number"), what="the number")
    page.click("accept")
    wait_until(lambda: page.state()["status"] == "accepted with edits", what="accepted")
    assert len(of_reader(results, "left", "Grace").slices) == 1
    server.stop()
