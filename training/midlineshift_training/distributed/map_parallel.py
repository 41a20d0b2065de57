"""Work on many cases, spread over processes of this machine or over a Dask cluster (docs/adr/0016).

Results come back in the order of the cases, once each, whoever made them. A worker that is killed takes nothing with it:
what it had not finished is done again by another.
"""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from MidlineShiftLogic.errors import InputError
from MidlineShiftLogic.software import package_version

Case = TypeVar("Case")
Result = TypeVar("Result")

DEATHS = 3
"""Workers that may die in a row with the same case unfinished, as in Dask, before the case is held responsible."""


def map_parallel(
    work: Callable[[Case], Result], cases: Sequence[Case], workers: int = 1, cluster: str | None = None
) -> Iterator[Result]:
    """Results of ``work`` on each case, in order.

    Args:
        work: a function that other processes can import (or a ``functools.partial`` of one); it must give the same result,
            and leave the same files, when a case is done again.
        cases: what it is called with; must travel between processes.
        workers: processes on this machine; 1 works in this one. Not used with ``cluster``.
        cluster: address of a Dask scheduler (``tcp://host:8786``) or the scheduler file that it wrote. All machines see
            the same folders under the same names.

    Raises:
        InputError: the cluster cannot be reached or runs another version of this package, or a case kills its workers.
            Errors of ``work`` come through.
    """
    if cluster is not None:
        with _client(cluster) as client:
            yield from _on_cluster(client, work, cases)
    elif workers == 1 or len(cases) < 2:
        yield from (_alone(work, case) for case in cases)
    else:
        yield from _on_this_machine(work, cases, workers)


def _alone(work: Callable[[Case], Result], case: Case) -> Result:
    """One thread: the workers are the parallelism."""
    import torch

    torch.set_num_threads(1)
    return work(case)


def _on_this_machine(work, cases: Sequence, workers: int) -> Iterator:
    done = deaths = 0
    while done < len(cases):
        # spawn: a process that has threads (torch's) must not be forked
        pool = ProcessPoolExecutor(workers, mp_context=multiprocessing.get_context("spawn"))
        try:
            futures = [pool.submit(_alone, work, case) for case in cases[done:]]
            for future in futures:
                result = future.result()
                done, deaths = done + 1, 0
                yield result
        except BrokenProcessPool:
            # somebody killed a process (the system does, when memory runs out); the pool is lost, the results are not
            deaths += 1
            if deaths >= DEATHS:
                raise _deadly(cases[done]) from None
        finally:
            pool.shutdown(cancel_futures=True)


def _on_cluster(client, work, cases: Sequence) -> Iterator:
    from distributed import KilledWorker

    futures = [client.submit(_alone, work, case, pure=False) for case in cases]
    try:
        for number, future in enumerate(futures):
            try:
                yield future.result()
            except KilledWorker:
                raise _deadly(cases[number]) from None
            future.release()
    finally:
        client.cancel(futures)


def _deadly(case: Any) -> InputError:
    return InputError(
        f"Workers were killed {DEATHS} times at or near {case}; they may have too little memory: start fewer on a machine.",
        "killed-worker",
    )


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
        client = Client(**where, timeout=20, set_as_default=False)
    except (OSError, ValueError) as error:
        raise InputError(
            f"No Dask scheduler answers at {cluster} ({error}); start one, or correct the address.", "cluster"
        ) from None
    try:
        _same_version(client, cluster)
        yield client
    finally:
        client.close()


def _same_version(client, cluster: str) -> None:
    """Results must not depend on which worker made them."""
    own = package_version()
    for worker, version in client.run(package_version).items():
        if version != own:
            raise InputError(f"The worker {worker} of {cluster} has midlineshift {version}, not {own}.", "cluster")


def check_visible(cluster: str | None, folders: Sequence[Path]) -> None:
    """InputError unless every worker of the cluster sees these files and folders; nothing without a cluster."""
    if cluster is None:
        return
    with _client(cluster) as client:
        for worker, absent in client.run(_absent, [str(path) for path in folders]).items():
            if absent:
                raise InputError(
                    f"The worker {worker} does not see {absent[0]}; the machines of a cluster must share it.", "cluster"
                )


def _absent(paths: list[str]) -> list[str]:
    return [path for path in paths if not Path(path).exists()]
