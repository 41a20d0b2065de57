"""Hold one opened case: its scene, its views, the reader's edits and where they are saved."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from MidlineShiftLogic.errors import InputError
from MidlineShiftLogic.measurement import edit, review
from MidlineShiftLogic.measurement.history import slice_to_show
from MidlineShiftLogic.measurement.results import LANDMARK_NAMES, Measurement
from MidlineShiftLogic.reporting.figures.drawing import head_bounds
from MidlineShiftLogic.review_app.blind import merge_placed_slice, own_slices
from MidlineShiftLogic.review_app.case_state import describe_case
from MidlineShiftLogic.review_app.cases import ReviewCase
from MidlineShiftLogic.review_app.history_files import HistoryFiles
from MidlineShiftLogic.review_app.readings import ReaderFolder
from MidlineShiftLogic.review_app.scene_pool import ScenePool
from MidlineShiftLogic.scene import (
    PARTS,
    add_displacement,
    add_scan_volume,
    apply_edits,
    build_scene,
    remove,
    set_visible,
    show_slice,
    update,
)
from MidlineShiftLogic.scene.build import remove_node
from MidlineShiftLogic.scene.coordinates import lps_to_ras, ras_to_lps
from MidlineShiftLogic.scene.offscreen_views import NORMAL, SCAN, VIEWS
from MidlineShiftLogic.scene.state import SceneState
from MidlineShiftLogic.scene.window_presets import WINDOW_PRESETS

PLACED = ("anterior_falx", "posterior_falx", "shifted")
"""The landmarks that a reader places, in this order; ``ideal`` follows from them (``measurement.edit``)."""


class CaseSession:
    """One case in front of one reader. All methods run in the rendering thread.

    Args:
        case: The case.
        folder: Where the reader's work goes.
        blind: Hide the model's landmarks and numbers.
        writable: Whether edits are allowed; another reader may have the case.
        pool: Lends the scene.

    Raises:
        InputError: The result or the scan cannot be read, or the scan was not measured.
    """

    def __init__(self, case: ReviewCase, folder: ReaderFolder, blind: bool, writable: bool, pool: ScenePool):
        self.case, self.folder, self.blind, self.writable = case, folder, blind, writable
        self.original = case.load_measurement()
        if self.original.slice is None:
            raise InputError(
                f"This scan was not measured: {(self.original.refused or {}).get('message', '')}", "refused"
            )
        self.ct = case.load_scan(self.original)
        self.pending: list[np.ndarray] = []
        """(3,) RAS mm of the landmarks placed on the shown slice that are not yet three."""
        self._before_drag: Measurement | None = None
        draft = folder.load(case)
        first = self.original if draft is None or blind else draft
        self._pool, self._slot = pool, pool.take()
        self.views = self._slot.views
        self._volume = add_scan_volume(self._slot.app.scene, self.ct, case.name)
        try:
            self.nodes = build_scene(self._volume, self.ct, first, None, self.original)
        except BaseException:
            remove_node(self._volume)
            pool.give_back(self._slot)
            raise
        self.views.show(self.nodes)
        if blind:
            self._own = draft
            self._show_own()
        start = self.original.slice if draft is None or draft.slice is None else draft.slice
        if blind and draft is None:
            start = self.ct.n_slices // 2
        self._steps = HistoryFiles(folder.history_folder(case, blind))
        self.history = self._steps.load(self.measurement)
        self.show(start)
        self.fit()

    @property
    def measurement(self) -> Measurement:
        """The reader's measurement; in a blind review without a landmark, the model's without its slices."""
        if self.blind:
            return self._own or own_slices(self.original)
        return self.nodes.measurement

    @property
    def shown(self) -> int:
        """Slice in the views."""
        return self._shown

    def describe(self) -> dict[str, Any]:
        """Return what the page shows beside the views, ready for JSON."""
        return describe_case(self)

    def load_displacement(self) -> bool:
        """Add the displacement from ``fields.npz``; False where the case has none or the review is blind."""
        from MidlineShiftLogic.reporting.fields_file import read_fields

        file = self.case.folder / "fields.npz"
        if self.blind or self.nodes.warped is not None or not file.is_file():
            return False
        add_displacement(self.nodes, self.ct, read_fields(file))
        set_visible(self.nodes, "grid", True)
        self.views.show(self.nodes)
        return True

    def close(self) -> None:
        """Remove the case from the scene and give the scene back."""
        self.views.clear()
        remove(self.nodes)
        image = self._volume.GetImageData()
        remove_node(self._volume)
        image.Initialize()  # the views' pipelines keep it: without its voxels
        self._pool.give_back(self._slot)

    # ---- looking

    def show(self, index: int) -> None:
        """Bring the views to a slice of the stack."""
        index = int(np.clip(index, 0, self.ct.n_slices - 1))
        self.pending = []
        self._shown = index
        show_slice(self.nodes, index, self.views.nodes)

    def fit(self) -> None:
        """Show the whole head in every view."""
        low, high = head_bounds(self.ct, self.shown)
        row_mm, column_mm = self.ct.pixel_spacing
        middle = (low + high) / 2 / (column_mm, row_mm)
        self.views.frame(lps_to_ras(self.ct.to_lps(self.shown, middle)), *(high - low))

    def set_window(self, preset: str) -> None:
        """Set window and level of the scan and of the warped scan to one of ``WINDOW_PRESETS``."""
        window, level = WINDOW_PRESETS[preset]
        for node in (self.nodes.volume, self.nodes.warped):
            if node is not None:
                node.GetDisplayNode().SetWindowLevel(window, level)

    # ---- editing

    def drag(self, kind: str, x: float, y: float) -> bool:
        """Pass the mouse to the scan's view; return whether a landmark was dropped somewhere else."""
        if not self._may_edit() or (self.blind and self._own is None):
            return False
        if kind == "down":
            self._before_drag = self.measurement
        self.views.mouse(SCAN, kind, x, y)
        self._take_drag()
        if kind != "up" or self._before_drag is None:
            return False
        before, self._before_drag = self._before_drag, None
        if self.measurement is before:
            return False
        self.history = self.history.record(before)
        self.save()
        return True

    def nudge(self, name: str, left_mm: float, back_mm: float) -> None:
        """Move a landmark of the shown slice within the slice, mm toward the patient's left and back."""
        one = edit.slice_of(self.measurement, self.shown)
        if one is None or name not in LANDMARK_NAMES:
            raise InputError("There is no such landmark on this slice.", "edit")
        row_mm, column_mm = self.ct.pixel_spacing
        place = one.landmarks_px[name] + np.array([left_mm / column_mm, back_mm / row_mm])
        self._change(
            lambda now: edit.move_landmarks(now, self.ct, self.shown, {name: place}, self._midlines(), space="px")
        )

    def place(self, x: float, y: float) -> None:
        """Place the next of ``PLACED`` on the shown slice, which has no landmarks; with the third they are all there."""
        self._require_edit()
        if edit.slice_of(self.measurement, self.shown) is not None:
            raise InputError("This slice has landmarks; drag them.", "edit")
        self.pending.append(self.views.place_at(SCAN, x, y))
        if len(self.pending) < len(PLACED):
            return
        landmarks = {name: ras_to_lps(point) for name, point in zip(PLACED, self.pending, strict=True)}
        self.pending = []
        self._change(lambda now: self._with_placed(now, landmarks))

    def add_landmarks(self) -> None:
        """Put landmarks on the shown slice where its neighbours have them."""
        if self.blind:
            raise InputError("In a blind review landmarks are placed by hand.", "edit")
        self._change(lambda now: edit.add_slice(now, self.ct, self.shown))

    def pin(self, pinned: bool) -> None:
        """Let the shown slice stand for the case, or no longer."""
        if pinned:
            self._change(lambda now: edit.pin_slice(now, self.shown))
        else:
            self._change(lambda now: edit.unpin_slice(now, self._base(), self.shown))

    def restore(self, whole_case: bool) -> None:
        """Go back to the model's landmarks: of the shown slice, or of all."""
        if self.blind:
            self._change(lambda now: own_slices(now, without=None if whole_case else self.shown))
        else:
            index = None if whole_case else self.shown
            self._change(lambda now: edit.restore(now, self.original, index))

    def undo(self) -> None:
        """Take the last step back."""
        self._require_edit()
        if self.history.can_undo:
            now = self.measurement
            before, self.history = self.history.undo(now)
            self._put(before)
            self._show_step(now)
            self.save()

    def redo(self) -> None:
        """Make a step again that was taken back."""
        self._require_edit()
        if self.history.can_redo:
            now = self.measurement
            after, self.history = self.history.redo(now)
            self._put(after)
            self._show_step(now)
            self.save()

    def _show_step(self, before: Measurement) -> None:
        """Show the slice on which a step that was taken back or made again is seen."""
        index = slice_to_show(before, self.measurement, self.shown)
        if index != self.shown:
            self.show(index)

    def decide(self, accepted: bool, reason: str) -> None:
        """Sign the measurement as the reader."""
        reader = self.folder.reader
        if accepted:
            self._change(lambda now: review.accept(now, reader, reason))
        else:
            self._change(lambda now: review.reject(now, reader, reason))

    def save(self) -> None:
        """Write the reader's steps and measurement; where nothing of the reader's is left, remove the measurement."""
        now = self.measurement
        self._steps.save(self.history, now)
        if now.review is None and not now.edited:
            self.folder.discard(self.case)
        else:
            self.folder.save(self.case, now, self.ct)

    # ---- inside

    def _may_edit(self) -> bool:
        return self.writable

    def _require_edit(self) -> None:
        if not self.writable:
            raise InputError("Another reader has this case open; it can only be looked at here.", "read-only")

    def _change(self, function: Callable[[Measurement], Measurement]) -> None:
        self._require_edit()
        before = self.measurement
        self._put(function(before))
        self.history = self.history.record(before)
        self.save()

    def _take_drag(self) -> None:
        if apply_edits(self.nodes) is not None and self.blind:
            self._own = self.nodes.measurement

    def _put(self, measurement: Measurement) -> None:
        if self.blind:
            self._own = measurement if measurement.slices else None
            self._show_own()
            self.show(self.shown)
        else:
            update(self.nodes, measurement)

    def _base(self) -> Measurement:
        """Return what a measurement without the reader's work is."""
        return own_slices(self.original) if self.blind else self.original

    def _midlines(self) -> Measurement:
        """Return the measurement whose midlines are bent by edits."""
        return self.measurement if self.blind else self.original

    def _with_placed(self, now: Measurement, landmarks: dict[str, np.ndarray]) -> Measurement:
        if self.blind:
            return merge_placed_slice(now, self.original, self.ct, self.shown, landmarks)
        return edit.add_slice(now, self.ct, self.shown, landmarks)

    def _show_own(self) -> None:
        """Bring the reader's own landmarks into the scene of a blind review, the model's out of it."""
        for part in PARTS:
            set_visible(self.nodes, part, self._own is not None and part != "grid")
        if self._own is not None:
            state = self.nodes.state
            self.nodes.state = SceneState(self._own, self._own, state.geometry, state.shown)
            update(self.nodes, self._own)

    def pending_places(self) -> list[tuple[float, float]]:
        """Return where the placed landmarks are in the scan's view, as fractions from its upper left corner."""
        return [self.views.place_of(SCAN, point) for point in self.pending]

    def landmark_places(self) -> dict[str, tuple[float, float]]:
        """Return where the landmarks of the shown slice are in the scan's view, as fractions."""
        one = edit.slice_of(self.measurement, self.shown)
        if one is None:
            return {}
        return {name: self.views.place_of(SCAN, lps_to_ras(place)) for name, place in one.landmarks_lps_mm.items()}


__all__ = ["NORMAL", "SCAN", "VIEWS", "CaseSession"]
