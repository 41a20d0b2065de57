"""Measuring and exporting without the panel, for scripts and tests: the same child process, waited for."""

import time
from collections.abc import Callable
from pathlib import Path

import slicer
from slicer.i18n import tr as _

from MidlineShiftLogic import scene
from MidlineShiftLogic.errors import InputError

from .services.child_run import ChildRun, Job, Listener
from .services.export import exportJob, prepareExport
from .services.jobs import measureJob
from .services.process import ChildProcess, ProcessRunner

PAUSE_S = 0.02
"""Between two looks whether the child is done."""


def measure(volumeNode, *, model: str, device: str, timeoutSeconds: float, runner: ProcessRunner | None = None):
    """Do the work of ``MidlineShift.MidlineShiftLogic.measure``; ``runner``: runs the child, Slicer's own if None."""
    ct = _scanOf(volumeNode)
    found = []
    measurement, dense = _run(
        ct, measureJob(volumeNode.GetName(), model, device, found.append), found, timeoutSeconds, runner
    )
    try:
        return scene.build_scene(volumeNode, ct, measurement, dense)
    except InputError as error:
        raise RuntimeError(str(error)) from error


def exportResult(result, folder, *, timeoutSeconds: float, runner: ProcessRunner | None = None) -> Path:
    """Do the work of ``MidlineShift.MidlineShiftLogic.exportResult``; ``runner`` as for ``measure``."""
    nodes = result
    if not isinstance(result, scene.MeasurementNodes):
        measured = scene.find_of_volume(result)
        if not measured:
            raise RuntimeError(_("This volume was not measured; measure it first."))
        nodes = measured[-1]
    if nodes.volume is None:
        raise RuntimeError(_("The scan of this measurement is no longer in the scene; load it again to export."))
    ct = _scanOf(nodes.volume)
    found = []
    try:
        job = exportJob(prepareExport(nodes, str(folder), ct), found.append)
    except InputError as error:
        raise RuntimeError(str(error)) from error
    return _run(ct, job, found, timeoutSeconds, runner).folder


def wait(done: Callable[[], bool], seconds: float) -> bool:
    """Let Slicer work until ``done`` says True; False if that took longer than ``seconds``."""
    end = time.monotonic() + seconds
    while not done():
        if time.monotonic() > end:
            return False
        slicer.app.processEvents()
        time.sleep(PAUSE_S)
    return True


def _scanOf(volumeNode):
    try:
        return scene.head_ct_from_volume(volumeNode)
    except InputError as error:
        raise RuntimeError(str(error)) from error


def _run(ct, job: Job, found: list, timeoutSeconds: float, runner: ProcessRunner | None):
    """Return what the job found; RuntimeError with one sentence if it failed or took too long."""
    failures = []
    run = ChildRun(
        runner or ChildProcess(), Listener(lambda *progress: None, lambda sentence, details: failures.append(sentence))
    )
    run.start(ct, job)
    if not wait(lambda: bool(found or failures), timeoutSeconds):
        run.cancel()
        raise RuntimeError(_("It took longer than {seconds:.0f} s.").format(seconds=timeoutSeconds))
    if failures:
        raise RuntimeError(failures[0])
    return found[0]
