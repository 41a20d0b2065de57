"""Requests that are none, from whoever reaches the port, are answered in order and not by an error of the server."""

import asyncio

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from MidlineShiftLogic.review_app.access import ADDRESS_COOKIE, HEADERS, Access


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
