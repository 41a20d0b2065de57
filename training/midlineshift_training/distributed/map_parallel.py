"""Map work over many cases in processes of this machine or on a Dask cluster (docs/adr/0016).

Results come in the order of the cases, once each, whoever made them. A worker that is killed takes nothing with it: what
it had not finished is done again by another.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from MidlineShiftLogic import parallel
from MidlineShiftLogic.errors import InputError
from MidlineShiftLogic.software import package_version

Case = TypeVar("Case")
Result = TypeVar("Result")

CONNECT_SECONDS = 20
"""A scheduler that does not answer for so long is not there."""
WORKERLESS_SECONDS = 600
"""A cluster without any worker for so long gets none: a scheduler of many jobs may need minutes to start them."""
CHECK_SECONDS = 10
"""How often the workers are counted while a result is awaited."""


def map_parallel(
    work: Callable[[Case], Result],
    cases: Sequence[Case],
    workers: int = 1,
    cluster: str | None = None,
    *,
    on_start: Callable[[Case], object] | None = None,
    on_death: Callable[[Case, str], Result] | None = None,
) -> Iterator[Result]:
    """Yield the results of ``work`` on each case, in order.

    Args:
        work: A function that other processes can import (or a ``functools.partial`` of one); it must give the same result,
            and leave the same files, when a case is done again.
        cases: What it is called with; picklable.
        workers: Processes on this machine; 1 works in this one. Not used with ``cluster``.
        cluster: Address of a Dask scheduler (``tcp://host:8786``) or the scheduler file that it wrote. All machines see
            the same folders under the same names.
        on_start: Called in this process when a case is handed out.
        on_death: Called with a case that killed ``parallel.ATTEMPTS`` workers, and how; its value is the result of the
            case. None raises InputError.

    Raises:
        InputError: The cluster cannot be reached, has had no worker for ``WORKERLESS_SECONDS`` or runs another version of
            this package, or a case kills its workers.
            Errors of ``work`` come through.
    """
    work = _SingleThreaded(work)
    if cluster is None:
        yield from parallel.map_parallel(work, cases, workers, on_start=on_start, on_death=on_death)
    else:
        with _client(cluster) as client:
            yield from _on_cluster(client, work, cases, on_start, on_death)


@dataclass(frozen=True)
class _SingleThreaded:
    """Call ``work`` with one torch thread: the workers are the parallelism."""

    work: Callable[[Any], Any]

    def __call__(self, case: Any) -> Any:
        import torch

        torch.set_num_threads(1)
        return self.work(case)


def _on_cluster(client, work, cases: Sequence, on_start, on_death) -> Iterator:
    from distributed import KilledWorker

    futures = []
    for case in cases:
        if on_start is not None:
            on_start(case)
        futures.append(client.submit(work, case, pure=False))
    try:
        for case, future in zip(cases, futures, strict=True):
            _wait(client, future)
            try:
                result = future.result()
            except KilledWorker:
                result = parallel.replace_dead(case, "killed", parallel.ATTEMPTS, on_death)
            yield result
            future.release()
    finally:
        client.cancel(futures)


def _wait(client, future) -> None:
    """Wait until a result or an error is there; raise InputError where no worker is left that could make it."""
    from distributed import TimeoutError as NotYet

    last_seen = time.monotonic()
    while True:
        try:
            future.exception(timeout=CHECK_SECONDS)  # returns an error of the work, and raises only its own
            return
        except NotYet:
            if client.scheduler_info()["workers"]:
                last_seen = time.monotonic()
            elif time.monotonic() - last_seen > WORKERLESS_SECONDS:
                raise InputError(
                    f"The Dask cluster has had no worker for {WORKERLESS_SECONDS // 60} minutes; start workers, and run "
                    "the command again.",
                    "cluster",
                ) from None


@contextmanager
def _client(cluster: str):
    try:
        from distributed import Client
    except ModuleNotFoundError:
        raise InputError(
            "A cluster needs the package distributed: python -m pip install 'midlineshift[cluster]'.", "cluster"
        ) from None
    where = {"scheduler_file": cluster} if Path(cluster).is_file() else {"address": cluster}
    try:
        client = Client(**where, timeout=CONNECT_SECONDS, set_as_default=False)
    except (OSError, ValueError) as error:
        raise InputError(
            f"No Dask scheduler answers at {cluster} ({error}); start one, or correct the address.", "cluster"
        ) from None
    try:
        _check_versions(client, cluster)
        yield client
    finally:
        client.close()


def _check_versions(client, cluster: str) -> None:
    """Raise InputError where a worker has another version: results must not depend on which worker made them."""
    own = package_version()
    for worker, version in _ask_workers(client, package_version).items():
        if version != own:
            raise InputError(f"The worker {worker} of {cluster} has midlineshift {version}, not {own}.", "cluster")


def check_visible(cluster: str | None, folders: Sequence[Path]) -> None:
    """Raise InputError unless every worker of the cluster sees these files and folders; do nothing without a cluster."""
    if cluster is None:
        return
    with _client(cluster) as client:
        for worker, absent in _ask_workers(client, _absent, [str(path) for path in folders]).items():
            if absent:
                raise InputError(
                    f"The worker {worker} does not see {absent[0]}; the machines of a cluster must share it.", "cluster"
                )


def _ask_workers(client, function, *arguments) -> dict:
    """Return the function's value on each worker by address; one that is gone meanwhile has none."""
    found = client.run(function, *arguments, on_error="return")
    answers = {worker: answer for worker, answer in found.items() if not isinstance(answer, OSError)}
    for answer in answers.values():
        if isinstance(answer, Exception):
            raise answer
    return answers


def _absent(paths: list[str]) -> list[str]:
    return [path for path in paths if not Path(path).exists()]
