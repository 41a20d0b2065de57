"""Ports for the servers of tests, which nobody else is given between the choice and the start of the server."""

import itertools
import os
import socket

FIRST, SHARE, SHARES = 14_000, 1_000, 16
"""Below the ports that systems hand out themselves (from 32768 on); each process of pytest-xdist has a share of its own."""

_places = itertools.count(os.getpid())


def free_port() -> int:
    """Return a TCP port that nothing listens on and no other test of this run is given."""
    worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    for place in itertools.islice(_places, SHARE):
        port = FIRST + worker % SHARES * SHARE + place % SHARE
        with socket.socket() as probe:
            try:
                probe.bind(("", port))
            except OSError:
                continue
            return port
    raise OSError(f"no port is free from {FIRST} on")
