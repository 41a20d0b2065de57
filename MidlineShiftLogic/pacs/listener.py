"""The listener: start and stop receiver, queue and worker together."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass, field

from MidlineShiftLogic.pacs.access_control import TlsFiles, server_context
from MidlineShiftLogic.pacs.exchange import Sender
from MidlineShiftLogic.pacs.job import Backoff, wall_clock
from MidlineShiftLogic.pacs.measuring import Measurer
from MidlineShiftLogic.pacs.queue import Queue
from MidlineShiftLogic.pacs.receiver import AllowedSender, Limits, Receiver
from MidlineShiftLogic.pacs.spool import Spool
from MidlineShiftLogic.pacs.transfers import Transfers
from MidlineShiftLogic.pacs.worker import Rules, Worker

LOG = logging.getLogger("midlineshift.listen")
POLL_SECONDS, ERROR_PAUSE_SECONDS, CLEAN_SECONDS, STOP_SECONDS = 0.25, 5.0, 3600.0, 30.0


@dataclass(frozen=True)
class Service:
    """Address, senders and limits of the listener."""

    aet: str
    host: str
    port: int
    allowed: tuple[AllowedSender, ...]
    limits: Limits = field(default_factory=Limits)
    tls: TlsFiles = field(default_factory=TlsFiles)


def listen(
    service: Service,
    spool: Spool,
    measurer: Measurer,
    sender: Sender,
    stop: threading.Event,
    rules: Rules | None = None,
    backoff: Backoff | None = None,
    ready: Callable[[int], None] = lambda port: None,
) -> None:
    """Receive, measure and send until ``stop`` is set; unfinished work continues after the next start.

    Args:
        ready: called with the port once the listener accepts images.

    Raises:
        InputError: the spool is in use, the address cannot be listened on, TLS files cannot be used.
    """
    claim = spool.claim()
    queue = None
    try:
        queue = Queue(spool.database)
        transfers = Transfers()
        worker = Worker(spool, queue, transfers, measurer, sender, wall_clock, rules, backoff)
        worker.recover()
        receiver = Receiver(
            service.aet, (service.host, service.port), service.allowed, spool, queue, transfers,
            service.limits, server_context(service.tls),
        )  # fmt: skip
        port = receiver.start()
        LOG.info("listening as %s on %s:%d; the queue: %s", service.aet, service.host, port, worker.counts())
        threads = [
            _Loop("measuring", lambda: worker.measure_next(stop), stop),
            _Loop("sending", worker.send_next, stop),
            _Loop("cleaning", lambda: worker.drop_old(), stop, every=CLEAN_SECONDS),
        ]

        def sweep_and_finish() -> bool:
            receiver.sweep()
            return worker.finish_series()

        try:
            for thread in threads:
                thread.start()
            ready(port)
            _Loop("receiving", sweep_and_finish, stop).run()
        finally:
            stop.set()
            receiver.stop()
            for thread in threads:
                thread.join(STOP_SECONDS)
            LOG.info("stopped; the queue: %s", worker.counts())
    finally:
        if queue is not None:
            queue.close()
        claim.close()


class _Loop(threading.Thread):
    """Repeat a step until ``stop`` is set; an error becomes one line in the log, and the loop continues."""

    def __init__(self, what: str, step: Callable[[], object], stop: threading.Event, every: float = POLL_SECONDS):
        super().__init__(name=what, daemon=True)
        self._step, self._stop_event, self._every = step, stop, every

    def run(self) -> None:
        wait = 0.0
        while not self._stop_event.wait(wait):
            try:
                wait = 0.0 if self._step() else self._every
            except Exception as error:
                # Not the error's message: it may quote an image's header.
                why = getattr(error, "strerror", None) or type(error).__name__
                LOG.error("%s: error (%s); retry in %.0f s", self.name, why, ERROR_PAUSE_SECONDS)
                LOG.debug("details", exc_info=True)
                wait = ERROR_PAUSE_SECONDS
