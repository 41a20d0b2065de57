"""Work that other processes can import."""

import atexit
import os
import signal
import time
from pathlib import Path

from MidlineShiftLogic.errors import InputError


def square_once_killed(folder: str, number: int) -> int:
    """number ** 2, written to a file at each call; the process that first gets a 3 kills itself."""
    with open(Path(folder) / f"calls-{number}", "a") as file:
        file.write("x")
    if number == 3 and (Path(folder) / f"calls-{number}").stat().st_size == 1:
        os.kill(os.getpid(), signal.SIGKILL)
    time.sleep(0.05)
    return number**2


def always_killed(number: int) -> int:
    os.kill(os.getpid(), signal.SIGKILL)
    return number


def refused(number: int) -> int:
    if number == 2:
        raise InputError("Case 2 is no scan.", "bad")
    return number


def first_waits_for(file: str, number: int) -> int:
    """number; that of 0 comes only when there is a file."""
    while number == 0 and not Path(file).exists():
        time.sleep(0.01)
    return number


def killed_by_two(number: int) -> int:
    if number == 2:
        os.kill(os.getpid(), signal.SIGKILL)
    return number


def own_process(_number: int) -> int:
    return os.getpid()


def slow_to_exit(number: int) -> int:
    """Delay the process's end as torch's exit hooks do; the hook is Python code, into which a signal's exit would fall."""
    atexit.register(time.sleep, 0.5)
    return number
