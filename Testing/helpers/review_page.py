"""A page of the review in a real browser, as a reader uses it."""

from __future__ import annotations

import shutil

import pytest
from review_case import wait_until

CHROMIUM, DRIVER = shutil.which("chromium") or shutil.which("google-chrome"), shutil.which("chromedriver")
WINDOW = (1366, 900)


def start_browser(size=WINDOW, own_certificates: bool = False):
    """A Chromium without a screen; skips where there is none. ``own_certificates``: accept self-signed ones."""
    selenium = pytest.importorskip("selenium.webdriver")
    if not (CHROMIUM and DRIVER):
        pytest.skip("Chromium and its driver are not installed")
    options = selenium.ChromeOptions()
    options.binary_location = CHROMIUM
    options.accept_insecure_certs = own_certificates
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    for argument in ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"):
        options.add_argument(argument)
    options.add_argument(f"--window-size={size[0]},{size[1]}")
    return selenium.Chrome(options, selenium.ChromeService(DRIVER))


class Page:
    """A browser on one server; landmarks are moved by the mouse."""

    def __init__(self, browser, server):
        self.browser, self.server = browser, server

    def open_list(self):
        self.browser.get(self.server.address)
        wait_until(lambda: self.browser.find_elements("css selector", "#cases a"), what="worklist")
        return self

    def open_case(self, number=0):
        self.open_list()
        self.browser.find_elements("css selector", "#cases a")[number].click()
        self.wait_drawn()
        return self

    def wait_drawn(self):
        wait_until(lambda: self.script("return document.body.dataset.first && state !== null"), what="first picture")

    def script(self, text, *arguments):
        return self.browser.execute_script(text, *arguments)

    def state(self):
        return self.script("return state")

    def text(self, name):
        return self.browser.find_element("id", name).text

    def click(self, name):
        self.browser.find_element("id", name).click()

    def keys(self, *keys):
        self.browser.switch_to.active_element.send_keys(*keys)

    def saved(self):
        return int(self.script("return document.body.dataset.saved || 0"))

    def wait_saved(self, before):
        wait_until(lambda: self.saved() > before, what="saved")

    def drag(self, name, right_px):
        """Drag a landmark with the mouse in four steps, each of which waits for another number; the numbers shown."""
        from selenium.webdriver import ActionChains

        box = self.script(
            "const b = document.getElementById('scan').getBoundingClientRect(); "
            "return [b.left, b.top, b.width, b.height]"
        )
        place = self.state()["landmarks"][name]
        x, y = (round(box[axis] + place[axis] * box[axis + 2]) for axis in (0, 1))
        numbers, before = [self.text("number")], self.saved()

        def act(*names, to=0.0):
            actions = ActionChains(self.browser, duration=60)
            actions.w3c_actions.pointer_action.move_to_location(x + round(right_px * to), y)
            for one in names:
                getattr(actions.w3c_actions.pointer_action, one)()
            actions.perform()

        act("pointer_down")
        for step in range(1, 5):
            act(to=step / 4)
            wait_until(lambda: self.text("number") != numbers[-1], what="another number on the way")
            numbers.append(self.text("number"))
        act("pointer_up", to=1.0)
        self.wait_saved(before)
        return numbers
