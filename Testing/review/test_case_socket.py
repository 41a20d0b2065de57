"""What a page sends is checked before anything is done with it, and what it may keep waiting is bounded."""

import asyncio
import json
from types import SimpleNamespace

import pytest
from aiohttp import WSMsgType

from MidlineShiftLogic.review_app import case_socket as module
from MidlineShiftLogic.review_app.case_socket import CaseSocket
from MidlineShiftLogic.scene.offscreen_views import SCAN


class Untouched:
    """Fails where anything is called."""

    def __getattr__(self, name):
        return lambda *_: pytest.fail(f"{name} was called")


class Session(Untouched):
    """Stands for an opened case that must not be changed."""

    shown, measurement, views = 3, None, Untouched()

    def describe(self):
        return {"type": "state"}


NAN, ENDLESS = float("nan"), float("inf")
BAD = [
    {},
    {"type": None},
    {"type": []},
    {"type": "unknown"},
    {"type": "slice", "index": ENDLESS},
    {"type": "slice", "index": NAN},
    {"type": "slice", "index": "a"},
    {"type": "step", "by": [1]},
    {"type": "size", SCAN: [ENDLESS, 5]},
    {"type": "drag", "kind": "down", "x": NAN, "y": 0.5},
    {"type": "drag", "kind": "down", "x": 1e300, "y": 0.5},
    {"type": "place", "x": 0.5, "y": ENDLESS},
    {"type": "zoom", "factor": NAN},
    {"type": "zoom", "factor": 2, "at": [NAN, 0]},
    {"type": "pan", "right": ENDLESS, "down": 0},
    {"type": "nudge", "landmark": "shifted", "left_mm": NAN, "back_mm": 0},
    {"type": "nudge", "landmark": "shifted", "left_mm": None, "back_mm": 0},
]


@pytest.mark.parametrize("message", BAD, ids=str)
def test_nonsense_is_answered_and_changes_nothing(message):
    answers, _moving = CaseSocket(Session(), None)._handle([message])
    assert answers[0] == {"type": "state"}
    assert "not understood" in answers[1]["text"]


def test_a_page_that_floods_is_no_longer_read(monkeypatch):
    monkeypatch.setattr(module, "MOST_WAITING", 10)

    async def messages():
        for text in (*("[" * 5000, "no JSON", "[1]"), *[json.dumps({"type": "undo"})] * 100):
            yield SimpleNamespace(type=WSMsgType.TEXT, data=text)

    async def read():
        page = CaseSocket(Session(), None)
        await page._read(messages())
        return page._queue.qsize()

    assert asyncio.run(read()) == 10
