"""Out of memory on a GPU: smaller batches, then the processor with a warning. A fake raises torch's error; no GPU needed."""

import numpy as np
import pytest
import torch
from test_measure_ct import Knowing, KnowingModel, flags, head

from MidlineShiftLogic.inference.batches import GPU_SLICES, batch_size, in_batches
from MidlineShiftLogic.inference.maps import BATCH
from MidlineShiftLogic.inference.pipeline import measure_ct


def out_of_memory():
    return torch.cuda.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")


def test_parts_are_halved_until_they_fit_and_none_is_lost_or_done_twice():
    tried = []

    def work(part):
        tried.append(part.stop - part.start)
        if tried[-1] > 3:
            raise out_of_memory()
        return list(range(part.start, part.stop))

    done = [number for part in in_batches(work, 20, 16) for number in part]
    assert done == list(range(20))
    assert tried == [16, 8, 4] + [2] * 10


def test_one_slice_that_does_not_fit_is_reported():
    def work(part):
        raise out_of_memory()

    with pytest.raises(torch.cuda.OutOfMemoryError):
        list(in_batches(work, 5, 4))


def test_apples_error_is_of_the_same_kind_and_others_are_not():
    def work(message):
        def one(part):
            if part.stop - part.start > 1:
                raise RuntimeError(message)
            return part.start

        return one

    assert list(in_batches(work("MPS backend out of memory (MPS allocated: 9 GB)"), 3, 2)) == [0, 1, 2]
    with pytest.raises(RuntimeError, match="shapes"):
        list(in_batches(work("shapes do not fit"), 3, 2))


def test_batches_of_a_gpu_are_bounded():
    assert batch_size("cpu", 8) == 8
    assert batch_size("cuda:1", 8) == batch_size(torch.device("mps"), 8) == GPU_SLICES


class Cramped(Knowing):
    """Knows the answer, but has memory for ``room`` pictures at a time."""

    def __init__(self, room):
        super().__init__()
        self.room, self.largest = room, 0

    def forward(self, x):
        self.largest = max(self.largest, len(x))
        if len(x) > self.room:
            raise out_of_memory()
        return super().forward(x)


class CrampedModel(KnowingModel):
    def __init__(self, room):
        super().__init__()
        self.cramped = Cramped(room)
        self.moved_to = None

    def network(self, component):
        return self.cramped if self.moved_to is None else Knowing()

    def on(self, device):
        self.moved_to = device
        return self


@pytest.fixture(scope="module")
def at_ease():
    return measure_ct(head(), KnowingModel(), "cpu")[0]


def same_numbers(one, other):
    assert [m.index for m in one.slices] == [m.index for m in other.slices]
    shifts = [[m.signed_shift_mm for m in each.slices] for each in (one, other)]
    assert np.allclose(*shifts, atol=1e-4)


def test_a_scan_is_measured_in_smaller_batches(at_ease):
    model = CrampedModel(room=5)
    reported = []
    measurement, _ = measure_ct(head(), model, "cpu", lambda *step: reported.append(step))
    same_numbers(measurement, at_ease)
    assert model.moved_to is None and flags(measurement) == set()
    assert 2 * BATCH > 5 < model.cramped.largest
    assert reported[-1][0] == reported[-1][1]


def test_without_room_for_one_slice_the_processor_measures_and_the_result_says_so(at_ease):
    model = CrampedModel(room=0)
    measurement, _ = measure_ct(head(), model, "cpu")
    same_numbers(measurement, at_ease)
    assert model.moved_to == "cpu" and measurement.device == "cpu"
    (flag,) = (flag for flag in measurement.quality if flag.code == "gpu-memory")
    assert flag.severity == "warning" and "processor" in flag.message


def test_any_other_error_of_a_network_is_not_taken_for_a_lack_of_memory():
    class Broken(Knowing):
        def forward(self, x):
            raise RuntimeError("mat1 and mat2 shapes cannot be multiplied")

    model = CrampedModel(room=0)
    model.cramped = Broken()
    with pytest.raises(RuntimeError, match="shapes"):
        measure_ct(head(), model, "cpu")
    assert model.moved_to is None
