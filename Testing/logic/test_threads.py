"""Threads sleep while they wait, in every process that is started, unless the user says otherwise."""

import os
import subprocess
import sys

import pytest

from MidlineShiftLogic.parallel import map_parallel
from MidlineShiftLogic.threads import OWN_SETTINGS, POLICY, wait_passively


@pytest.fixture
def unset(monkeypatch):
    for name in OWN_SETTINGS:
        monkeypatch.setenv(name, "")  # so that it is put back after the test, whatever sets it
        monkeypatch.delenv(name)


def policy(_=None):
    return os.environ.get(POLICY)


def test_it_is_the_default(unset):
    wait_passively()
    assert policy() == "PASSIVE"


@pytest.mark.parametrize(("name", "value"), [(POLICY, "ACTIVE"), ("GOMP_SPINCOUNT", "1000"), ("KMP_BLOCKTIME", "200")])
def test_a_users_own_setting_wins(name, value):
    environment = {name: value}
    wait_passively(environment)
    assert environment == {name: value}


@pytest.mark.parametrize("program", ["MidlineShiftLogic.cli.main", "midlineshift_training.cli.main"])
def test_the_commands_set_it_before_torch_is_loaded(unset, program):
    code = (
        f"import os, sys, {program} as program\n"
        "assert 'torch' not in sys.modules\n"
        "sys.argv = ['program', '--help']\n"
        "try:\n    program.main()\nexcept SystemExit:\n    pass\n"
        f"print('policy', os.environ.get({POLICY!r}))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "policy PASSIVE"


def test_workers_have_it(unset):
    assert list(map_parallel(policy, [1, 2], workers=2)) == ["PASSIVE", "PASSIVE"]
