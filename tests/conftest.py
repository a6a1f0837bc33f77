"""Fixtures that every test may ask for, and the markers that say where a test can run."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from tests.support import machine
from tests.support.folders import remove_sealed

pytest_plugins = ("tests.support.skip_ledger", "tests.support.workshop_fixtures")

# The folder that hypothesis would write to is one that another user can only read; and how long an
# example takes says more about the machine than about the program.
settings.register_profile("suite", database=None, deadline=None)
settings.load_profile("suite")

BACKENDS = ("bubblewrap", "landlock")


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skips what this machine or this user can't run, and says why."""
    marked = {mark.name for mark in item.iter_markers()}
    for backend in BACKENDS:
        if f"needs_{backend}" in marked and (why := machine.why_not(backend)):
            pytest.skip(why)
    if "needs_root" in marked and not machine.is_root():
        pytest.skip("needs root")
    if "needs_ordinary_user" in marked and machine.is_root():
        pytest.skip("needs an ordinary user")


@pytest.fixture(params=[pytest.param(name, id=name) for name in BACKENDS])
def backend_name(request: pytest.FixtureRequest) -> str:
    """Each sandbox backend in turn; skipped with the reason where this machine can't."""
    name: str = request.param
    if why := machine.why_not(name):
        pytest.skip(why)
    return name


@pytest.fixture
def state_dir() -> Iterator[Path]:
    """An empty folder with a short path that a dropped uid can pass; gone after the test.

    Short because a Unix socket's path ends at 107 bytes (unix(7)), passable because a job of a
    runner that is root has another uid. pytest's own ``tmp_path`` is neither.
    """
    folder = Path(tempfile.mkdtemp(prefix="aiops-", dir="/tmp"))
    folder.chmod(0o711)
    yield folder
    remove_sealed(folder)
