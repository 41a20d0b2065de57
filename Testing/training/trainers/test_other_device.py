"""Training steps of every task on a device that is not the CPU (``other_device``), and its memory used up."""

import pytest
import tiny_runs
import torch
from drawn_phantoms import draw_cohort
from other_device import OtherDevice, OtherTensor

from midlineshift_training.trainers.training_run import train
from MidlineShiftLogic.errors import InputError

KINDS = ("pose", "diffusion", "deformation", "landmarks", "refinement")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data")
    draw_cohort(folder / "cohort", 4)
    for seed, name in enumerate(("con", "unc")):
        tiny_runs.write_denoiser(folder / name, seed)
    return folder


class Trainer:
    """What a training step asks of Lightning's trainer."""

    global_step = 0


def trained_step(kind, folder, device, **more):
    """Loss of one training step, and the first weights after the optimizer's step, on the CPU."""
    settings = tiny_runs.settings_of(kind, folder, precision="32-true", warm_up=0, **more)
    module = tiny_runs.stage_of(kind, folder, settings)
    module.trainer = Trainer()
    batch = module.training_batches(0, 1)[0]
    module.to(device)
    module.on_fit_start()
    optimizer = module.configure_optimizers()["optimizer"]
    loss = module.training_step(module.transfer_batch_to_device(batch, module.device, 0), 0)
    assert isinstance(loss, OtherTensor) == (str(device) != "cpu")
    loss.backward()
    module.configure_gradient_clipping(optimizer, settings.gradient_clip)
    optimizer.step()
    module.on_train_batch_end(None, batch, 0)
    return float(loss.detach().cpu()), next(module.network.parameters()).detach().cpu()


@pytest.mark.parametrize("kind", KINDS)
def test_a_training_step_on_the_device_is_that_of_the_cpu(kind, folder):
    wanted_loss, wanted = trained_step(kind, folder, "cpu")
    with OtherDevice(no_float64=True) as device:
        loss, weights = trained_step(kind, folder, device)
    assert loss == pytest.approx(wanted_loss, rel=1e-4)
    assert torch.allclose(weights, wanted, atol=1e-4)


def test_the_second_moment_sampler_works_on_the_device(folder):
    with OtherDevice(no_float64=True) as device:
        loss, _ = trained_step("diffusion", folder, device, sampler="loss-second-moment")
    assert loss > 0


@pytest.mark.parametrize("kind", KINDS)
def test_validation_and_pictures_work_on_the_device(kind, folder):
    with OtherDevice(no_float64=True) as device, torch.no_grad():
        module = tiny_runs.stage_of(kind, folder, tiny_runs.settings_of(kind, folder, precision="32-true"))
        module.log = module.log_dict = lambda *arguments, **more: None
        module.to(device).eval()
        module.on_fit_start()
        batch = module.transfer_batch_to_device(module.validation_batches()[0], module.device, 0)
        module.validation_step(batch, 0)
        assert module.validation_score() > 0
        if kind != "landmarks":  # the inversion of fields indexes by a list, which the stand-in has not learnt
            assert module.pictures()


@pytest.mark.parametrize("planted", ["a tensor without a device", "numpy without cpu"])
def test_planted_faults_are_caught(planted, folder, monkeypatch):
    from midlineshift_training.losses import deformation_loss

    original = deformation_loss.hinge_loss

    def faulty(field, limit):
        if planted == "numpy without cpu":
            limit.numpy()
        return original(field, limit) + torch.zeros(len(limit))

    monkeypatch.setattr(deformation_loss, "hinge_loss", faulty)
    trained_step("deformation", folder, "cpu")
    with OtherDevice() as device, pytest.raises((RuntimeError, TypeError)):
        trained_step("deformation", folder, device)


def test_memory_that_runs_out_is_reported_and_leaves_the_folder_free(folder, tmp_path):
    settings = tiny_runs.settings_of("pose", folder, max_steps=3)
    module = tiny_runs.stage_of("pose", folder, settings)

    def out_of_memory(*arguments):
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")

    original, module.training_step = module.training_step, out_of_memory
    with pytest.raises(InputError, match="lower batch and raise microbatches"):
        train(module, tmp_path / "run", settings)
    assert not any((tmp_path / "run").glob("*"))
    module.training_step = original
    train(module, tmp_path / "run", settings)
    assert (tmp_path / "run" / "best.safetensors").exists()
