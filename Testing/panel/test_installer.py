"""Every way out of an installation ends it: the panel is never left locked."""

from __future__ import annotations

import sys
import types

import pytest
import slicer


@pytest.fixture
def lacking(host, tmp_path):
    """The real installer, lacking one package besides torch, which is there; log lines and ends are collected."""
    from MidlineShiftLib.services.install import SlicerInstaller

    requirements = tmp_path / "requirements.txt"
    requirements.write_text("# comment\ntorch>=2.2\nnibabel>=5\nno-such-package>=1  # why\n", encoding="utf-8")
    log, ends = [], []
    return types.SimpleNamespace(installer=SlicerInstaller(str(requirements)), log=log, ends=ends)


@pytest.fixture
def without_torch(host, monkeypatch):
    from MidlineShiftLib.services import install

    found = []
    monkeypatch.setattr(install.importlib.util, "find_spec", lambda name: object() if found else None)
    return found


def install(lacking, wheels=""):
    lacking.installer.install(lacking.log.append, lacking.ends.append, wheels)
    assert len(lacking.ends) == 1, "it ends once, however it ends"
    return lacking.ends.pop()


def test_what_is_missing_is_installed(lacking):
    assert lacking.installer.missing() == ["no-such-package>=1"]
    assert install(lacking) == ""
    assert slicer.packaging.installed == [["no-such-package>=1"]] and "Collecting no-such-package>=1" in lacking.log


def test_pip_fails(lacking):
    slicer.packaging.code = 1
    assert "network" in install(lacking) and "/my wheels" in install(lacking, "/my wheels")
    assert slicer.packaging.installed[-1][:3] == ["--no-index", "--find-links", "/my wheels"]


def test_another_extension_installs_meanwhile(lacking):
    slicer.packaging.busy = True
    assert "Another extension" in install(lacking) and not slicer.packaging.installed


@pytest.mark.parametrize("error", [RuntimeError("not on the main thread"), OSError("disk full"), ValueError("odd")])
def test_whatever_slicer_raises(lacking, error):
    slicer.packaging.error = error
    assert str(error) in install(lacking) and str(error) in lacking.log


def test_in_testing_mode_slicer_calls_nothing_back(lacking):
    slicer.app.testing = True
    assert "no-such-package" in install(lacking), "what is still missing failed"
    lacking.installer.missing = lambda: []
    assert install(lacking) == ""


def test_pytorch_comes_through_its_extension(lacking, without_torch, monkeypatch):
    monkeypatch.setitem(sys.modules, "PyTorchUtils", None)
    assert lacking.installer.missing() == ["torch>=2.2", "no-such-package>=1"]
    assert "PyTorch extension" in install(lacking) and not slicer.packaging.installed
    calls = []

    def installTorch(**options):
        calls.append(options)
        without_torch.append(True)

    utils = types.SimpleNamespace(installTorch=installTorch)
    monkeypatch.setitem(sys.modules, "PyTorchUtils", types.SimpleNamespace(PyTorchUtilsLogic=lambda: utils))
    assert install(lacking) == ""
    assert calls == [{"askConfirmation": False, "torchVersionRequirement": ">=2.2"}]
    assert slicer.packaging.installed == [["no-such-package>=1"]]


@pytest.mark.parametrize("odd", [False, True])
def test_installing_pytorch_does_not_load_it(lacking, without_torch, tmp_path, monkeypatch, odd):
    """The extension imports torch at the end of its installation, as here; ``odd``: a version that looks at its GPU, too."""
    (tmp_path / "torch.py").write_text("raise SystemExit('torch was loaded in the process of Slicer')")
    monkeypatch.syspath_prepend(str(tmp_path))
    for name in [name for name in sys.modules if name.partition(".")[0] == "torch"]:
        monkeypatch.delitem(sys.modules, name)

    def installTorch(**options):
        without_torch.append(True)
        import torch

        lacking.log.append(f"PyTorch {torch.__version__} installed")
        return torch.cuda.is_available() if odd else torch

    utils = types.SimpleNamespace(installTorch=installTorch)
    monkeypatch.setitem(sys.modules, "PyTorchUtils", types.SimpleNamespace(PyTorchUtilsLogic=lambda: utils))
    assert install(lacking) == "" and "torch" not in sys.modules
    assert any("not loaded" in line for line in lacking.log)


def test_a_loaded_torch_stays(host, monkeypatch):
    from MidlineShiftLib.services.install import _torchStaysOut

    own = types.ModuleType("torch")
    monkeypatch.setitem(sys.modules, "torch", own)
    with _torchStaysOut():
        assert sys.modules["torch"] is own
    assert sys.modules["torch"] is own


@pytest.mark.parametrize("raises", [True, False])
def test_pytorch_fails(lacking, without_torch, monkeypatch, raises):
    def installTorch(**options):
        if raises:
            raise RuntimeError("no wheel for this GPU")

    utils = types.SimpleNamespace(installTorch=installTorch)
    monkeypatch.setitem(sys.modules, "PyTorchUtils", types.SimpleNamespace(PyTorchUtilsLogic=lambda: utils))
    failure = install(lacking)
    assert ("failed" in failure and "no wheel for this GPU" in lacking.log) if raises else "restart Slicer" in failure
    assert not slicer.packaging.installed


@pytest.mark.parametrize("raises", [True, False])
def test_an_older_pytorch_is_not_taken_for_the_one_that_was_to_be_installed(lacking, tmp_path, monkeypatch, raises):
    (tmp_path / "requirements.txt").write_text("torch>=999\n", encoding="utf-8")

    def installTorch(**options):
        if raises:
            raise RuntimeError("no such version")

    utils = types.SimpleNamespace(installTorch=installTorch)
    monkeypatch.setitem(sys.modules, "PyTorchUtils", types.SimpleNamespace(PyTorchUtilsLogic=lambda: utils))
    assert lacking.installer.missing() == ["torch>=999"]
    assert ("failed" if raises else "restart Slicer") in install(lacking)


def test_from_wheels_torch_is_one_of_them(lacking, without_torch):
    install(lacking, "/my wheels")
    assert slicer.packaging.installed[-1][-2:] == ["torch>=2.2", "no-such-package>=1"]
