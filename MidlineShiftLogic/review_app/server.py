"""The web server of a review: pages, worklist, thumbnails, and one WebSocket an opened case."""

from __future__ import annotations

import asyncio
import contextlib
import json
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote, unquote

from aiohttp import WSCloseCode, web

from MidlineShiftLogic.errors import MidlineShiftError
from MidlineShiftLogic.review_app.access import Access, read_form
from MidlineShiftLogic.review_app.case_session import CaseSession
from MidlineShiftLogic.review_app.case_socket import HEARTBEAT_SECONDS, LARGEST_MESSAGE, CaseSocket
from MidlineShiftLogic.review_app.cases import ReviewCase
from MidlineShiftLogic.review_app.page_text import error_text
from MidlineShiftLogic.review_app.readings import ReaderFolder, writer_lock
from MidlineShiftLogic.review_app.render_thread import RenderThread
from MidlineShiftLogic.review_app.scene_pool import ScenePool
from MidlineShiftLogic.review_app.worklist import Worklist

PAGE = Path(__file__).with_name("page")
SCRIPT = "text/javascript"
PAGE_FILES = {"style.css": "text/css", "worklist.js": SCRIPT, "case.js": SCRIPT, "plot.js": SCRIPT}
READER_COOKIE = "midlineshift-reader"
LONGEST_NAME = 64
RELOAD_SECONDS, RELOAD_POLL_SECONDS = 2.0, 0.05
"""How long a page waits for the one of the same reader that it follows, and how often it looks."""


@dataclass
class ReviewServer:
    """Answer the requests of the pages.

    Attributes:
        worklist: The cases.
        access: Who may ask.
        reader: Name of the reader of all pages; "" lets each page give one.
        blind: Hide the model's landmarks and numbers.
    """

    worklist: Worklist
    access: Access
    reader: str = ""
    blind: bool = False
    _render: RenderThread = field(default_factory=RenderThread)
    _thumbnails: RenderThread = field(default_factory=RenderThread)  # a thread of their own: many wait at a time
    _pool: ScenePool = field(default_factory=ScenePool)
    _sockets: set[web.WebSocketResponse] = field(default_factory=set)

    def application(self) -> web.Application:
        """Return the aiohttp application."""
        application = web.Application(middlewares=[self.access.check], client_max_size=LARGEST_MESSAGE)
        application.add_routes(
            [
                web.get("/", self._page("worklist.html")),
                web.get("/login", self._login_page),
                web.post("/login", self.access.log_in),
                web.post("/reader", self._set_reader),
                web.get("/case/{key}", self._case_page),
                web.get("/cases.json", self._cases),
                web.get("/thumbnail/{key}", self._thumbnail),
                web.get("/page/{name}", self._page_file),
                web.get("/socket/{key}", self._socket),
            ]
        )
        application.on_startup.append(self._warm_up)
        application.on_shutdown.append(self._close_sockets)
        application.on_cleanup.append(self._close)
        return application

    async def _warm_up(self, _application: web.Application) -> None:
        """Load the libraries before the first case is opened: they take longer than the case."""

        def load() -> None:
            self._pool.give_back(self._pool.take())

        await self._render.run(load)

    async def _close_sockets(self, _application: web.Application) -> None:
        for socket in list(self._sockets):
            with contextlib.suppress(ConnectionError, asyncio.TimeoutError):
                await socket.close(code=WSCloseCode.GOING_AWAY, message=b"the review was stopped")

    async def _close(self, _application: web.Application) -> None:
        self._render.close()
        self._thumbnails.close()

    def _page(self, name: str):
        async def answer(_request: web.Request) -> web.Response:
            return web.Response(text=(PAGE / name).read_text(encoding="utf-8"), content_type="text/html")

        return answer

    async def _login_page(self, request: web.Request) -> web.Response:
        page = (PAGE / "login.html").read_text(encoding="utf-8")
        notice = "The password is wrong." if "wrong" in request.query else ""
        return web.Response(text=page.replace("{notice}", notice), content_type="text/html")

    async def _page_file(self, request: web.Request) -> web.Response:
        name = request.match_info["name"]
        if name not in PAGE_FILES:
            raise web.HTTPNotFound(text="There is no such file.")
        return web.Response(text=(PAGE / name).read_text(encoding="utf-8"), content_type=PAGE_FILES[name])

    async def _case_page(self, request: web.Request) -> web.Response:
        self._case(request)
        return await self._page("case.html")(request)

    def _case(self, request: web.Request):
        case = self.worklist.cases.get(request.match_info["key"])
        if case is None:
            raise web.HTTPNotFound(text="There is no such case in this review.")
        return case

    def _reader_of(self, request: web.Request) -> str:
        return self.reader or unquote(request.cookies.get(READER_COOKIE, "")).strip()[:LONGEST_NAME]

    async def _set_reader(self, request: web.Request) -> web.Response:
        form = await read_form(request)
        name = " ".join(str(form.get("reader", "")).split())[:LONGEST_NAME]
        response = web.HTTPFound("/")
        response.set_cookie(
            READER_COOKIE, quote(name), httponly=True, samesite="Strict", secure=request.secure, path="/"
        )
        return response

    async def _cases(self, request: web.Request) -> web.Response:
        reader = self._reader_of(request)
        try:
            cases = [] if not reader else await asyncio.to_thread(self.worklist.describe, reader, self.blind)
        except (MidlineShiftError, OSError) as error:
            known = {case.root for case in self.worklist.cases.values()}
            raise web.HTTPServiceUnavailable(text=error_text(error, known)) from error
        content = {"reader": reader, "fixed": bool(self.reader), "blind": self.blind, "cases": cases}
        return web.json_response(content)

    async def _thumbnail(self, request: web.Request) -> web.Response:
        case = self._case(request)
        picture = b"" if self.blind else await self._thumbnails.run(self.worklist.thumbnail, case.key)
        if not picture:
            raise web.HTTPNotFound(text="There is no picture of this case.")
        return web.Response(body=picture, content_type="image/jpeg", headers={"Cache-Control": "private, max-age=3600"})

    async def _socket(self, request: web.Request) -> web.WebSocketResponse:
        case, reader = self._case(request), self._reader_of(request)
        if not reader:
            raise web.HTTPForbidden(text="Give your name on the worklist first.")
        if request.headers.get("Origin") is None:
            raise web.HTTPBadRequest(text="Only the page of this review opens cases.")
        socket = web.WebSocketResponse(heartbeat=HEARTBEAT_SECONDS, max_msg_size=LARGEST_MESSAGE)
        await socket.prepare(request)
        self._sockets.add(socket)
        try:
            with contextlib.ExitStack() as writer:
                holder = await _become_writer(writer, case, reader)
                await socket.send_str(json.dumps({"type": "writer", "holder": holder}))
                page = await self._serve_case(socket, case, reader, writable=not holder)
            await page.finish_exports()
        except (ConnectionError, asyncio.TimeoutError):
            pass  # the page is gone, or so slow that it has to connect again; both are OSError, too
        except (MidlineShiftError, OSError) as error:
            await self._tell(socket, error_text(error, (case.source, case.folder, case.root)))
        finally:
            self._sockets.discard(socket)
            await socket.close()
        return socket

    async def _serve_case(self, socket: web.WebSocketResponse, case, reader: str, writable: bool) -> CaseSocket:
        folder = ReaderFolder(case.root, reader)
        session = await self._render.run(CaseSession, case, folder, self.blind, writable, self._pool)
        page = CaseSocket(session, self._render)
        try:
            await page.serve(socket)
        finally:
            await self._render.run(session.close)
        return page

    async def _tell(self, socket: web.WebSocketResponse, text: str) -> None:
        with contextlib.suppress(ConnectionError):
            await socket.send_str(json.dumps({"type": "failed", "text": text}))


async def _become_writer(stack: contextlib.ExitStack, case: ReviewCase, reader: str) -> str:
    """Enter the right to write a case into ``stack``; return ``""``, or the name of the reader who has it.

    A page that is reloaded connects before the server knows that the old one is gone: it waits a moment for its own reader.
    """
    end = asyncio.get_running_loop().time() + RELOAD_SECONDS
    while True:
        attempt = contextlib.ExitStack()
        holder = attempt.enter_context(writer_lock(case, reader))
        if holder != reader or asyncio.get_running_loop().time() > end:
            stack.enter_context(attempt)
            return holder
        attempt.close()
        await asyncio.sleep(RELOAD_POLL_SECONDS)
