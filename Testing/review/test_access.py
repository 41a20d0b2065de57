"""Requests that are none, from whoever reaches the port, are answered in order and not by an error of the server."""

import asyncio

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from MidlineShiftLogic.review_app import access as access_rules
from MidlineShiftLogic.review_app import launch
from MidlineShiftLogic.review_app.access import ADDRESS_COOKIE, HEADERS, Access
from MidlineShiftLogic.review_app.launch import LOOPBACK, make_runner


async def ask(method, path, headers, content):
    access = Access("token", "password")
    application = web.Application(middlewares=[access.check])
    application.add_routes([web.post("/login", access.log_in)])
    async with TestClient(TestServer(application)) as client:
        answer = await client.request(
            method, path, headers={"Cookie": f"{ADDRESS_COOKIE}=token", **headers}, data=content, allow_redirects=False
        )
        return answer.status, answer.headers


@pytest.mark.parametrize("origin", ["http://[::1", "http://other", "null", "http://a:99999999/"])
def test_an_origin_that_is_none_is_refused(origin):
    status, headers = asyncio.run(ask("GET", "/", {"Origin": origin}, b""))
    assert status == 400 and HEADERS.items() <= headers.items()


FORM = "application/x-www-form-urlencoded"


@pytest.mark.parametrize(
    ("kind", "content"),
    [
        ("multipart/form-data", b"abc"),
        (f"{FORM}; charset=nope", b"password=A"),
        (FORM, b"password=\xff\xfe"),
    ],
)
def test_a_form_that_cannot_be_read_is_refused(kind, content):
    status, headers = asyncio.run(ask("POST", "/login", {"Content-Type": kind}, content))
    assert status == 400 and HEADERS.items() <= headers.items()


def test_an_ordinary_form_is_read():
    status, headers = asyncio.run(ask("POST", "/login", {"Content-Type": FORM}, b"password=password"))
    assert status == 302 and headers["Location"] == "/"


async def slow(application, start: bytes, going_on: bytes) -> bytes:
    """What the server answers to a client that never finishes its request, until it closes the connection."""
    runner = make_runner(application)
    await runner.setup()
    try:
        site = web.TCPSite(runner, LOOPBACK, 0)
        await site.start()
        reader, writer = await asyncio.open_connection(LOOPBACK, runner.addresses[0][1])
        answer = asyncio.ensure_future(reader.read(12))
        try:
            writer.write(start)
            while not answer.done():
                await asyncio.wait({answer}, timeout=0.02)
                writer.write(going_on)
            return await answer
        except ConnectionError:
            return b""
        finally:
            answer.cancel()
            writer.close()
    finally:
        await runner.cleanup()


def test_a_client_that_never_ends_its_header_is_let_go(monkeypatch):
    monkeypatch.setattr(launch, "IDLE_SECONDS", 0.3)
    request = slow(web.Application(), b"GET / HTTP/1.1\r\nX: ", b"x")
    assert asyncio.run(asyncio.wait_for(request, 300)) == b""


def test_a_form_that_does_not_arrive_is_not_waited_for(monkeypatch):
    monkeypatch.setattr(access_rules, "FORM_SECONDS", 0.3)
    application = web.Application()
    application.add_routes([web.post("/login", Access("token", "password").log_in)])
    header = f"POST /login HTTP/1.1\r\nHost: a\r\nContent-Type: {FORM}\r\nContent-Length: 9000\r\n\r\n"
    request = slow(application, header.encode(), b"")
    assert asyncio.run(asyncio.wait_for(request, 300)) == b"HTTP/1.1 408"
