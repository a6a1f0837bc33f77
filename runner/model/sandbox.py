"""How a job is confined, what was seen to hold, and how its process ended."""

from enum import StrEnum
from pathlib import Path
from typing import Literal

from runner.model.base import Noun
from runner.model.catalog import Limits
from runner.model.ids import Sha256


class Enforcement(StrEnum):
    """By whom a promise about a job is kept."""

    KERNEL = "kernel"
    DETECTED = "detected"
    NONE = "none"


class Enforced(Noun):
    """What is enforced for a job, each by whom.

    Attributes:
        fs_write: No content outside the job's own folders can be written, created or removed.
        fs_meta: No mode, owner, time, attribute or link count outside them can be changed.
        net: No network, no host socket.
        ipc: No signal to, trace of or look into a process outside the job.
        pids: Every process of the job is found and killed at its end.
        mem: The memory of all processes together is bounded.
    """

    fs_write: Enforcement
    fs_meta: Enforcement
    net: Enforcement
    ipc: Enforcement
    pids: Enforcement
    mem: Enforcement


NOTHING_ENFORCED = Enforced(
    fs_write=Enforcement.NONE,
    fs_meta=Enforcement.NONE,
    net=Enforcement.NONE,
    ipc=Enforcement.NONE,
    pids=Enforcement.NONE,
    mem=Enforcement.NONE,
)


class ProbeFindings(Noun):
    """What a hostile micro-job was refused inside a backend, and what it wasn't.

    Attributes:
        attempts: Each attack's name → true if it was refused.
        own_metadata_writable: Whether it could set a mode in its own folder.
        error: Why the micro-job couldn't be run at all; empty if it ran.
    """

    backend: str
    version: str
    binary_sha256: Sha256 | None
    attempts: dict[str, bool]
    own_metadata_writable: bool = False
    error: str = ""


class Confinement(Noun):
    """The backend that confines jobs on this machine, at the level it was seen to reach.

    Attributes:
        level: 0 to 3, as in ``policy.confinement.LEVEL_MEANING``.
        job_uid: Under whom jobs run.
        own_metadata_writable: Whether a job may set modes and times in its own folders.
    """

    backend: str
    level: int
    version: str
    binary_sha256: Sha256 | None
    kernel: str
    enforced: Enforced
    job_uid: int
    refused_attacks: tuple[str, ...]
    allowed_attacks: tuple[str, ...]
    own_metadata_writable: bool = True


class Bind(Noun):
    """A file or folder of the host that a job sees read-only at ``target``."""

    source: Path
    target: str


class ConfinedCommand(Noun):
    """What a backend needs in order to start one job.

    Attributes:
        argv: As planned; the backend resolves elements that begin with ``wrappers/`` to where
            the job sees that folder.
        env: The whole environment except the folders that the backend itself decides
            (``HOME``, ``TMPDIR``, ``ARTIFACT_DIR``, ``AIOPS_WRAPPERS``).
        checkout: The sealed entry's folder on the host: ``tree/``, ``git/`` and ``objects``
            (a link to the mirror's object store).
        objects: The mirror's object store on the host.
        wrappers: The wrappers folder on the host.
        binds: Further files and folders, read-only (toolchains, Python).
        params_json: Content of ``$ARTIFACT_DIR/params.json``.
        scratch: An empty private folder of this job on the host, for backends without mounts.
    """

    job_id: str
    argv: tuple[str, ...]
    env: tuple[tuple[str, str], ...]
    checkout: Path
    objects: Path
    wrappers: Path
    binds: tuple[Bind, ...]
    limits: Limits
    scratch: Path
    params_json: bytes


class MountEvidence(Noun):
    """What the prologue saw of one read-only place before the job's own code ran.

    Attributes:
        path: As the job sees it.
        write_refused: Whether trying to write there failed.
        options: Mount options by the kernel's own account (proc(5), mountinfo field 6), empty
            for backends without mounts.
        root: The mounted folder within its file system (mountinfo field 4), likewise.
    """

    path: str
    write_refused: bool
    options: str = ""
    root: str = ""


class Evidence(Noun):
    """Taken inside the sandbox, before the job's own code, by code it can't change."""

    mounts: tuple[MountEvidence, ...]
    identity: str = ""

    @property
    def all_refused(self) -> bool:
        """Whether there is evidence, and every attempted write failed."""
        return bool(self.mounts) and all(mount.write_refused for mount in self.mounts)


class Stop(StrEnum):
    """Why a running job was ended from outside."""

    TIMEOUT = "timeout"
    CANCELLED = "cancelled"
    OUTPUT_LIMIT = "output_limit"
    LEASE_LOST = "lease_lost"


class ProcessExit(Noun):
    """How a job's process ended, after nothing of it was alive any more.

    Attributes:
        exit_code: As a shell reports it: 128 + n for death by signal n; null if it never ran.
        signal: n for an exit code of 128 + n, as a shell reports it.
        stopped: Why the runner ended it; null if it ended by itself.
        orphans: Processes found alive after the job's own had ended (they were killed); null
            where the backend can't count them.
        proven_dead: Whether the end of every process of the job was established.
        death_proof: How.
    """

    exit_code: int | None
    signal: int | None = None
    stopped: Stop | None = None
    duration_ms: int
    orphans: int | None = None
    proven_dead: bool
    death_proof: Literal["pid-namespace", "subreaper", "none"]
    sandbox_error: str = ""
