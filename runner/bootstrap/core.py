"""This machine's runner, from its settings; connected to nothing yet."""

import functools
import os
import platform
import shutil
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from runner import __version__
from runner.adapters.checkouts.cache import Checkouts
from runner.adapters.git.config import write_git_config
from runner.adapters.git.mirrors import Mirrors
from runner.adapters.git.process import GitProcess
from runner.adapters.job_folders import JobFolders
from runner.adapters.private_runs import PrivateRuns
from runner.adapters.sandbox.backend import Backend
from runner.adapters.sandbox.probe import probe
from runner.adapters.signing import Signer, load_or_create
from runner.adapters.state_folders import prepare_state
from runner.adapters.wrappers_store import keep
from runner.errors import BugError, ConfigurationError
from runner.flows.catalog import load_catalog
from runner.flows.confine import Chamber, find_chamber
from runner.flows.equipment import Equipment
from runner.flows.recover import recover
from runner.log import configure
from runner.model.catalog import Catalog
from runner.model.sandbox import Bind, ProbeFindings
from runner.model.state import StatePaths
from runner.settings import Settings, hidden_folders, settings_from_environment, state_paths

if TYPE_CHECKING:  # likewise in flows.equipment
    from runner.adapters.job_store import JobStore

_PACKAGE = Path(__file__).parents[1]
_PROLOGUE = _PACKAGE / "adapters" / "sandbox" / "prologue.sh"
_BWRAP_FOLDERS = os.pathsep.join(("/usr/bin", "/usr/local/bin", "/bin"))


class Runner:
    """This machine's runner: each part is made when it is first asked for."""

    def __init__(self, settings: Settings) -> None:
        """Makes the state folders."""
        self.settings = settings
        self.paths: StatePaths = state_paths(settings)
        prepare_state(self.paths, os.getuid())

    @property
    def job_uid(self) -> int | None:
        """Under whom jobs run; null: under this process's own uid, which isn't root's."""
        return self.settings.job_uid if os.getuid() == 0 else None

    @functools.cached_property
    def catalog(self) -> Catalog:
        """Both allowlists, as they were when they were first asked for."""
        return catalog_of(self.settings)

    def catalog_now(self) -> Catalog:
        """Both allowlists, read again."""
        return catalog_of(self.settings)

    @functools.cached_property
    def folders(self) -> JobFolders:
        """The job folders: the truth about every job."""
        return JobFolders(self.paths.artifacts)

    @functools.cached_property
    def private_runs(self) -> PrivateRuns:
        """Who promised to execute which job."""
        return PrivateRuns(self.paths.locks)

    @functools.cached_property
    def signer(self) -> Signer:
        """The key that records are signed with, made on first use."""
        return load_or_create(self.paths.keys, self.paths.trust)

    @functools.cached_property
    def git(self) -> GitProcess:
        """The hardened git."""
        config = self.paths.root / "gitconfig"
        write_git_config(config)
        return GitProcess(config, timeout_s=self.settings.git_timeout_s)

    @functools.cached_property
    def mirrors(self) -> Mirrors:
        """The bare mirrors."""
        return Mirrors(self.paths.mirrors, self.paths.locks, self.git)

    @functools.cached_property
    def checkouts(self) -> Checkouts:
        """The shared read-only checkouts."""
        return Checkouts(
            self.paths.checkouts,
            self.paths.locks,
            self.paths.quarantine,
            snapshot_limit=self.settings.snapshot_limit,
        )

    @functools.cached_property
    def python(self) -> tuple[Path, tuple[Bind, ...]]:
        """This interpreter as a wrapper finds it, and what has to be bound for it and our package.

        Raises:
            ConfigurationError: ``STATE_DIR_UNUSABLE``: binding it would show jobs the state.
        """
        needed = tuple(dict.fromkeys((Path(sys.prefix), Path(sys.base_prefix), _PACKAGE)))
        for place in needed:
            if any(folder.is_relative_to(place) for _, folder in self.paths):
                raise ConfigurationError(
                    "STATE_DIR_UNUSABLE",
                    f"{self.paths.root}: lies in {place}, which jobs that need Python see",
                    remedy="set AIOPS_STATE_DIR to a folder outside of it",
                )
        # an installed package lies in one of the prefixes
        in_view = (Path("/usr"), *needed)
        binds = tuple(
            Bind(source=place, target=str(place))
            for place in needed
            if not any(place.is_relative_to(other) for other in in_view if other != place)
            and place != Path("/usr")
        )
        return Path(sys.executable), binds

    def backends(self) -> tuple[Backend, ...]:
        """The backends that the settings name, in their order, as far as they can be built."""
        return tuple(self._backend(name) for name in self.settings.sandbox_backends)

    def _backend(self, name: str) -> Backend:
        match name:
            case "bubblewrap":
                from runner.adapters.sandbox.bubblewrap import BubblewrapBackend

                found = shutil.which("bwrap", path=_BWRAP_FOLDERS)
                return BubblewrapBackend(
                    binary=Path(found or "/usr/bin/bwrap"),
                    prologue=_PROLOGUE,
                    job_uid=self.job_uid,
                )
            case "landlock":
                from runner.adapters.sandbox.landlock import LandlockBackend

                return LandlockBackend(
                    prologue=_PROLOGUE, job_uid=self.job_uid, python=self.python[0]
                )
            case "none":
                from runner.adapters.sandbox.unconfined import UnconfinedBackend

                return UnconfinedBackend(job_uid=self.job_uid)
            case _:
                raise BugError("BACKEND_UNKNOWN", f"there is no sandbox backend {name!r}")

    def probe(self, backend: Backend) -> ProbeFindings:
        """What ``backend`` refuses on this machine."""
        _, binds = self.python
        return probe(
            backend,
            scratch=self.paths.scratch,
            # the base interpreter: the micro-job needs the standard library alone, and a job's
            # uid may not reach an environment that lies in a private folder
            python=Path(sys.executable).resolve(),
            python_binds=binds,
            job_uid=self.job_uid,
        )

    @functools.cached_property
    def _chamber(self) -> Chamber:
        return find_chamber(
            self.backends(),
            self.probe,
            min_level=self.settings.sandbox_min_level,
            kernel=platform.release(),
            job_uid=os.getuid() if self.job_uid is None else self.job_uid,
        )

    def chamber(self) -> Chamber:
        """The backend that jobs are confined with. Found by attacking it, once a process."""
        return self._chamber

    def wrappers(self, catalog: Catalog) -> Path:
        """A sealed copy of the wrappers whose hashes ``catalog`` holds."""
        return keep(
            self.settings.wrappers_dir,
            self.paths.wrappers,
            catalog.wrappers,
            catalog.wrappers_hash,
        )

    def equipment(self, store: "JobStore") -> Equipment:
        """Everything that executing a job needs."""
        python, binds = self.python
        return Equipment(
            folders=self.folders,
            store=store,
            mirrors=self.mirrors,
            checkouts=self.checkouts,
            signer=self.signer,
            catalog=self.catalog_now,
            chamber=self.chamber,
            wrappers=self.wrappers,
            python=python,
            package=_PACKAGE,
            python_binds=binds,
            scratch=self.paths.scratch,
            hostname=platform.node(),
            runner_version=__version__,
            grace_s=self.settings.term_grace_s,
        )

    def recover(self) -> tuple[str, ...]:
        """Gives the jobs of dead workers their record; their ids."""
        return recover(
            self.folders,
            self.private_runs,
            self.signer,
            now=datetime.now(UTC),
            hostname=platform.node(),
            runner_version=__version__,
        )

    def close(self) -> None:
        """Ends what was started."""
        if "mirrors" in self.__dict__:
            self.mirrors.close()


def catalog_of(settings: Settings) -> Catalog:
    """What those settings' allowlists and wrappers allow, read now.

    Raises:
        ConfigurationError: as ``flows.catalog.load_catalog``.
    """
    return load_catalog(
        config_dir=settings.config_dir,
        wrappers_dir=settings.wrappers_dir,
        hidden=hidden_folders(settings),
    )


def runner_from_environment() -> Runner:
    """The runner that this process's environment describes."""
    settings = settings_from_environment()
    configure(settings.log_level, as_json=not sys.stderr.isatty())
    return Runner(settings)
