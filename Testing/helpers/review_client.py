"""A page of the review without a browser: the real HTTP and WebSocket requests, over TLS where the server wants it."""

from __future__ import annotations

import json
import re
import ssl
from http.cookies import SimpleCookie
from pathlib import Path

import aiohttp

ANSWER_SECONDS = 120
"""For an answer of the server on a busy machine."""
LOOPBACK = "127.0.0.1"


class ReviewClient:
    """Requests to one server, with a jar of cookies as a browser has one.

    Args:
        address: as the command printed it.
        certificate: PEM of a server's own certificate; None for plain HTTP.
    """

    def __init__(self, address: str, certificate: Path | None = None):
        self.scheme, self.port, self.token = re.match(r"(https?)://[^/]+:(\d+)/\?token=(\S+)", address).groups()
        self.site = f"{self.scheme}://{LOOPBACK}:{self.port}"
        self._tls = ssl.create_default_context(cafile=certificate) if certificate else False

    async def __aenter__(self):
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(ssl=self._tls),
            cookie_jar=aiohttp.CookieJar(unsafe=True),  # the server has a number, no name
            timeout=aiohttp.ClientTimeout(ANSWER_SECONDS),
        )
        return self

    async def __aexit__(self, *_):
        await self._session.close()

    async def get(self, path: str, **options) -> tuple[int, str]:
        """Status and text of a page, where it leads to."""
        async with self._session.get(self.site + path, **options) as answer:
            return answer.status, await answer.text()

    async def enter(self) -> tuple[int, str]:
        """Open the printed address."""
        return await self.get(f"/?token={self.token}")

    async def log_in(self, password: str) -> tuple[int, str, SimpleCookie]:
        """Give a password: status, where the answer leads to, and the cookies that it sets."""
        async with self._session.post(
            f"{self.site}/login", data={"password": password}, allow_redirects=False, headers={"Origin": self.site}
        ) as answer:
            cookies: SimpleCookie = SimpleCookie()
            for line in answer.headers.getall("Set-Cookie", ()):
                cookies.load(line)
            return answer.status, answer.headers.get("Location", ""), cookies

    async def cases(self) -> list[dict]:
        """The worklist."""
        status, text = await self.get("/cases.json")
        assert status == 200, text
        return json.loads(text)["cases"]

    async def review(self, key: str, *messages: dict) -> dict:
        """Open a case, send messages as the page does, and wait until the report of a decision is written; the state then."""
        async with self._session.ws_connect(f"{self.site}/socket/{key}", headers={"Origin": self.site}) as socket:
            state: dict = {}
            for message in ({"type": "size", "scan": [300, 300], "fit": True}, *messages):
                await socket.send_json(message)
            while True:
                answer = await socket.receive(ANSWER_SECONDS)
                if answer.type is aiohttp.WSMsgType.BINARY:
                    await socket.send_json({"type": "drawn"})
                    continue
                content = json.loads(answer.data)
                assert content["type"] != "failed", content
                if content["type"] == "state":
                    state = content
                elif content["type"] == "message":
                    assert content["text"].startswith("Report and tables are written"), content
                    return state

    async def open_and_leave(self, key: str) -> str:
        """Open a case, take two pictures without saying that they are drawn, and be gone; who had the case."""
        async with self._session.ws_connect(f"{self.site}/socket/{key}", headers={"Origin": self.site}) as socket:
            holder = json.loads((await socket.receive(ANSWER_SECONDS)).data)["holder"]
            await socket.send_json({"type": "size", "scan": [300, 300], "fit": True})
            pictures = 0
            while pictures < 2:
                pictures += (await socket.receive(ANSWER_SECONDS)).type is aiohttp.WSMsgType.BINARY
            return holder
