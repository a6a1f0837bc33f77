"""What executing a job needs, in one value."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from runner.adapters.checkouts.cache import Checkouts
from runner.adapters.git.mirrors import Mirrors
from runner.adapters.job_folders import JobFolders
from runner.adapters.signing import Signer
from runner.flows.confine import Chamber
from runner.model.catalog import Catalog
from runner.model.sandbox import Bind

if TYPE_CHECKING:  # redis takes 70 ms to import, and only who executes jobs has it already
    from runner.adapters.job_store import JobStore


@dataclass(frozen=True)
class Equipment:
    """Everything that executing a job needs.

    Attributes:
        catalog: Reads both allowlists as they are now.
        chamber: Finds the backend; refuses where there is none that confines.
        wrappers: The folder whose bytes the given catalog's hashes are of.
        python: An interpreter for wrappers.
        package: Our own package, from which wrappers may import.
        python_binds: What has to be bound for both.
        lease_s: How long a claim holds without being renewed.
    """

    folders: JobFolders
    store: "JobStore"
    mirrors: Mirrors
    checkouts: Checkouts
    signer: Signer
    catalog: Callable[[], Catalog]
    chamber: Callable[[], Chamber]
    wrappers: Callable[[Catalog], Path]
    python: Path
    package: Path
    python_binds: tuple[Bind, ...]
    scratch: Path
    hostname: str
    runner_version: str
    grace_s: float
    lease_s: float = 30.0
