"""Let the threads of numeric libraries sleep while they wait, in every process that this project starts.

OpenMP's threads wait for each other by spinning. On a machine with other work, Slicer among it, a thread spins while its
partner waits for a core that it occupies itself: beside one busy process a case took a third more time so, beside four
twice as much (docs, explanation of speed). On a quiet machine sleeping costs nothing that can be measured.
"""

from __future__ import annotations

import os
from collections.abc import MutableMapping

POLICY = "OMP_WAIT_POLICY"
"""Of the OpenMP standard; the libraries of GNU, LLVM and Intel read it when they are loaded, with torch."""
OWN_SETTINGS = (POLICY, "GOMP_SPINCOUNT", "KMP_BLOCKTIME")
"""Variables by which a user says how threads wait: then nothing is changed."""


def wait_passively(environment: MutableMapping[str, str] | None = None) -> None:
    """Make OpenMP's threads sleep while they wait. To be called before torch is imported; children inherit it.

    Args:
        environment: variables to change; this process's own if None.
    """
    environment = os.environ if environment is None else environment
    if not any(name in environment for name in OWN_SETTINGS):
        environment[POLICY] = "PASSIVE"
