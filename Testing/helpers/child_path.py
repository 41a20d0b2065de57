"""Where the children of tests find the code under test and the helpers."""

import os
from pathlib import Path


def python_path(*first: object) -> str:
    """Return a PYTHONPATH of ``first``, of this process's own, which may name another checkout, and of the helpers."""
    places = [*map(str, first), os.environ.get("PYTHONPATH", ""), str(Path(__file__).parent)]
    return os.pathsep.join(filter(None, places))
