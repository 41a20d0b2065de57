"""Serve one opened case over one WebSocket: messages of the page in, states and pictures out."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Callable
from typing import Any

from aiohttp import WSMsgType, web

from MidlineShiftLogic.errors import InputError, MidlineShiftError
from MidlineShiftLogic.review_app.case_session import CaseSession
from MidlineShiftLogic.review_app.export import export_reading
from MidlineShiftLogic.review_app.page_text import error_text, not_saved_text
from MidlineShiftLogic.review_app.render_thread import RenderThread
from MidlineShiftLogic.scene.offscreen_views import MOVED, NORMAL, SCAN, VIEWS
from MidlineShiftLogic.text import parse_json

HEARTBEAT_SECONDS = 20
LARGEST_MESSAGE = 20_000
LARGEST_NUMBER = 10_000.0
"""Of millimetres, and of fractions of a view."""
MOST_WAITING = 5_000
"""Messages that may wait for the rendering thread: some 40 s of a moving pointer. A page that sends more is closed."""
SETTLE_SECONDS = 0.25
"""After the last movement the picture is sent again without loss."""
IN_FLIGHT = 2
"""Pictures that may be on their way: more, and the page would lag behind the pointer."""

Answer = dict[str, Any]


class CaseSocket:
    """Connect one page with one case.

    Args:
        session: The case.
        render: The rendering thread.
    """

    def __init__(self, session: CaseSession, render: RenderThread):
        self._session, self._render = session, render
        self._queue: asyncio.Queue[Answer] = asyncio.Queue()
        self._free = asyncio.Semaphore(IN_FLIGHT)
        self._dirty: set[str] = set()
        self._blurred: set[str] = set()
        self._due: list[Callable[[], None]] = []
        self._exports: set[asyncio.Task] = set()

    async def serve(self, socket: web.WebSocketResponse) -> None:
        """Answer the page until it closes the socket."""
        self._socket, self._loop = socket, asyncio.get_running_loop()
        self._reader = reader = asyncio.create_task(self._read(socket))
        first = True
        try:
            while not reader.done() or not self._queue.empty():
                timeout = SETTLE_SECONDS if self._blurred else None
                messages = await self._next_messages(reader, timeout)
                if reader.done() and not messages:
                    break
                answers, moving = await self._render.run(self._handle, messages)
                for answer in answers:
                    await socket.send_str(json.dumps(answer))
                self._start_exports()  # only now, so that the page hears of the report last
                await self._send_pictures(socket, moving)
                if first and SCAN not in self._dirty:
                    first = False
                    for answer in await self._render.run(self._load_displacement):
                        await socket.send_str(json.dumps(answer))
                    await self._send_pictures(socket, False)
        finally:
            self._start_exports()  # of a page that went away meanwhile
            reader.cancel()

    async def finish_exports(self) -> None:
        """Wait until what was started to be written is written; the case may be opened again meanwhile."""
        if self._exports:
            await asyncio.wait(self._exports)

    async def _read(self, socket: web.WebSocketResponse) -> None:
        async for message in socket:
            if message.type is not WSMsgType.TEXT or self._queue.qsize() >= MOST_WAITING:
                break
            try:
                content = parse_json(message.data)
            except ValueError:
                continue
            if not isinstance(content, dict):
                continue
            if content.get("type") == "drawn":
                self._free.release()
            else:
                self._queue.put_nowait(content)

    async def _next_messages(self, reader: asyncio.Task, timeout: float | None) -> list[Answer]:
        """Return what came, at least one message unless nothing comes any more or for ``timeout`` seconds.

        Of several movements of the pointer in a row only the last counts.
        """
        getter = asyncio.ensure_future(self._queue.get())
        done, _ = await asyncio.wait({getter, reader}, timeout=timeout, return_when=asyncio.FIRST_COMPLETED)
        if getter not in done:
            getter.cancel()
            return []
        messages = [getter.result()]
        while not self._queue.empty():
            message = self._queue.get_nowait()
            if _is_move(message) and _is_move(messages[-1]):
                messages[-1] = message
            else:
                messages.append(message)
        return messages

    def _handle(self, messages: list[Answer]) -> tuple[list[Answer], bool]:
        """Do what the page asks, in the rendering thread; return the answers and whether something still moves."""
        answers: list[Answer] = []
        if not messages:
            self._dirty |= self._blurred
            return [], False
        for message in messages:
            try:
                saved = self._handle_one(message)
            except MidlineShiftError as error:
                answers.append({"type": "message", "text": self._text(error)})
                self._dirty.add(SCAN)
            except OSError as error:
                answers.append({"type": "message", "text": not_saved_text(error)})
            except (KeyError, TypeError, ValueError, IndexError, OverflowError):
                answers.append(
                    {"type": "message", "text": "The page sent something that is not understood; reload it."}
                )
            else:
                if saved:
                    answers.append({"type": "saved"})
        last = messages[-1]
        moving = last.get("type") in ("drag", "slice", "zoom", "pan") and last.get("kind") != "up"
        return [self._session.describe(), *answers], moving

    def _load_displacement(self) -> list[Answer]:
        try:
            if not self._session.load_displacement():
                return []
        except InputError as error:
            return [{"type": "message", "text": self._text(error)}]
        self._dirty |= {NORMAL, MOVED}
        return [self._session.describe()]

    def _handle_one(self, message: Answer) -> bool:
        """Do one thing; return whether the reader's work was written."""
        session, kind = self._session, message["type"]
        if kind == "size":
            for name in VIEWS:
                if name in message:
                    session.views.resize(name, int(message[name][0]), int(message[name][1]))
            if message.get("fit"):
                session.fit()
            self._dirty |= set(VIEWS)
        elif kind == "drag":
            self._dirty.add(SCAN)
            return session.drag(message["kind"], number(message["x"]), number(message["y"]))
        elif kind in ("slice", "step"):
            session.show(int(message["index"]) if kind == "slice" else session.shown + int(message["by"]))
            self._dirty |= set(VIEWS)
        elif kind in ("zoom", "pan", "fit", "window"):
            if kind == "zoom":
                at = message.get("at")
                session.views.zoom(number(message["factor"]), SCAN, None if at is None else [number(one) for one in at])
            elif kind == "pan":
                session.views.pan(SCAN, number(message["right"]), number(message["down"]))
            elif kind == "fit":
                session.fit()
            else:
                session.set_window(message["preset"])
            self._dirty |= set(VIEWS)
        elif kind == "place":
            self._dirty.add(SCAN)
            before = session.measurement
            session.place(number(message["x"]), number(message["y"]))
            return session.measurement is not before
        elif kind in EDITS:
            EDITS[kind](session, message)
            self._dirty |= set(VIEWS) if kind in ("undo", "redo") else {SCAN, NORMAL}  # they may show another slice
            if kind == "decide":
                self._prepare_export()
            return True
        else:
            raise ValueError(kind)
        return False

    def _prepare_export(self) -> None:
        session, loop = self._session, self._loop
        arguments = session.folder, session.case, session.measurement, session.ct

        async def write() -> None:
            try:
                reason = await loop.run_in_executor(None, export_reading, *arguments)
                text = "Report and tables are written." + (f" No DICOM objects: {reason}." if reason else "")
            except (MidlineShiftError, OSError) as error:
                text = f"The report was not written: {self._text(error)}"
            except Exception as error:
                text = f"The report was not written ({type(error).__name__}); the reading is saved."
            with contextlib.suppress(ConnectionError):  # the page is gone; the files are there
                await self._socket.send_str(json.dumps({"type": "message", "text": text}))

        self._due.append(lambda: self._exports.add(loop.create_task(write())))

    def _start_exports(self) -> None:
        while self._due:
            self._due.pop()()

    def _text(self, error: Exception) -> str:
        case = self._session.case
        return error_text(error, (case.source, case.folder, case.root))

    async def _send_pictures(self, socket: web.WebSocketResponse, moving: bool) -> None:
        for name in VIEWS:
            if name not in self._dirty:
                continue
            if moving and self._free.locked():
                self._blurred.add(name)  # comes when the page has drawn what is on its way
                continue
            await self._wait_for_page()
            picture = await self._render.run(self._session.views.picture, name, moving)
            await socket.send_bytes(bytes([VIEWS.index(name)]) + picture)
            (self._blurred.add if moving else self._blurred.discard)(name)
            self._dirty.discard(name)
        self._dirty -= set() if not moving else self._blurred

    async def _wait_for_page(self) -> None:
        """Wait until the page has drawn what is on its way.

        Raises:
            ConnectionError: The page is gone: the case is given back at once, for the same page when it is reloaded.
            TimeoutError: The page does not answer.
        """
        drawn = asyncio.ensure_future(self._free.acquire())
        await asyncio.wait({drawn, self._reader}, timeout=HEARTBEAT_SECONDS, return_when=asyncio.FIRST_COMPLETED)
        if drawn.done():
            return
        drawn.cancel()
        if self._reader.done():
            raise ConnectionResetError
        raise asyncio.TimeoutError


def number(value: Any) -> float:
    """Return a number that the page sent; ValueError for one that is no place in a view and no length in mm."""
    found = float(value)
    if not abs(found) <= LARGEST_NUMBER:  # NaN, too
        raise ValueError(value)
    return found


def _is_move(message: Answer) -> bool:
    return message.get("type") == "drag" and message.get("kind") == "move"


EDITS: dict[str, Callable[[CaseSession, Answer], object]] = {
    "nudge": lambda session, m: session.nudge(str(m["landmark"]), number(m["left_mm"]), number(m["back_mm"])),
    "add": lambda session, _: session.add_landmarks(),
    "pin": lambda session, m: session.pin(bool(m["pinned"])),
    "restore": lambda session, m: session.restore(bool(m["whole"])),
    "undo": lambda session, _: session.undo(),
    "redo": lambda session, _: session.redo(),
    "decide": lambda session, m: session.decide(bool(m["accepted"]), str(m.get("reason", ""))),
}
