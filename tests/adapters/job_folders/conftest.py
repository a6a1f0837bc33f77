"""An accepted job, and a key to seal it with."""

from pathlib import Path

import pytest

from runner.adapters.job_folders import JobFolder
from runner.adapters.signing import Signer, load_or_create
from tests.support import records


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "artifacts"


@pytest.fixture
def signer(tmp_path: Path) -> Signer:
    return load_or_create(tmp_path / "keys")


@pytest.fixture
def folder(root: Path) -> JobFolder:
    return records.accept(root)
