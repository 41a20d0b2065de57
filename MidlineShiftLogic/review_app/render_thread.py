"""Run everything that touches VTK in one thread: a rendering context belongs to the thread that made it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, TypeVar

Result = TypeVar("Result")


class RenderThread:
    """Queue calls for the rendering thread; the server's event loop stays free meanwhile."""

    def __init__(self) -> None:
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="render")

    async def run(self, function: Callable[..., Result], *arguments: Any) -> Result:
        """Return ``function(*arguments)``, called in the rendering thread."""
        return await asyncio.get_running_loop().run_in_executor(self._pool, partial(function, *arguments))

    def close(self) -> None:
        """End the thread after the calls that are queued."""
        self._pool.shutdown(wait=True)
