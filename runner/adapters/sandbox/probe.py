"""Finds out what a backend really refuses on this machine, by attacking from inside it."""

import contextlib
import json
import os
import secrets
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from runner.adapters.sandbox.backend import Backend
from runner.adapters.sandbox.supervise import supervise
from runner.errors import IntegrityError, UnavailableError
from runner.model.catalog import Limits
from runner.model.sandbox import Bind, ConfinedCommand, ProbeFindings

_JOB = Path(__file__).with_name("probe_job.py")
_TIME_S = 20.0


def probe(
    backend: Backend,
    *,
    scratch: Path,
    python: Path,
    python_binds: tuple[Bind, ...],
    job_uid: int | None,
) -> ProbeFindings:
    """What the hostile micro-job was refused inside ``backend``.

    The attacks have real targets: listening sockets of this process, a secret file of its own,
    its process id. What a job leaves running is shown by its standard output not reaching the end.

    Args:
        backend: To be tried.
        scratch: An existing private folder; everything made in it is removed again.
        python: An interpreter, as the job will see it.
        python_binds: What has to be bound for it.
        job_uid: Under whom the backend runs jobs; null for this process's own uid.
    """
    version, digest = "", None
    try:
        version, digest = backend.version(), backend.binary_sha256()
        with contextlib.ExitStack() as stack:
            target = _Target(stack, job_uid)
            folder, files = stack.enter_context(_stage_set(scratch))
            words = {**target.addresses, **files}
            attempts = _attack(backend, folder, words, python, python_binds) | target.unharmed()
    except (UnavailableError, IntegrityError) as error:
        return _findings(backend.name, version, digest, {}, str(error))
    except OSError as error:
        return _findings(backend.name, version, digest, {}, f"the probe couldn't be run: {error}")
    return _findings(backend.name, version, digest, attempts, "")


def _findings(
    name: str, version: str, digest: str | None, attempts: dict[str, bool], error: str
) -> ProbeFindings:
    attacks = dict(attempts)
    own_metadata_writable = attacks.pop("own_metadata_writable", False)
    return ProbeFindings(
        backend=name,
        version=version,
        binary_sha256=digest,
        attempts=attacks,
        own_metadata_writable=own_metadata_writable,
        error=error,
    )


class _Target:
    """Everything that a job could get at from inside, and whether it did."""

    def __init__(self, stack: contextlib.ExitStack, job_uid: int | None) -> None:
        self._tcp = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
        self._udp = stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
        self._udp.bind(("127.0.0.1", 0))
        path = Path("/tmp") / f"aiops-probe-{secrets.token_hex(8)}"  # noqa: S108  (unguessable)
        self._by_path = stack.enter_context(socket.socket(socket.AF_UNIX, socket.SOCK_STREAM))
        self._by_path.bind(str(path))
        stack.callback(path.unlink, missing_ok=True)
        path.chmod(0o666)
        self._by_path.listen()
        abstract = f"aiops-probe-{secrets.token_hex(8)}"
        self._by_name = stack.enter_context(socket.socket(socket.AF_UNIX, socket.SOCK_STREAM))
        self._by_name.bind(f"\0{abstract}")
        self._by_name.listen()
        canary = secrets.token_hex(16)
        self._victim = subprocess.Popen(
            ["/bin/sleep", "60"],
            env={"AIOPS_CANARY": canary},
            user=job_uid,
            group=job_uid,
            extra_groups=None if job_uid is None else [],
        )
        stack.callback(self._victim.wait)
        stack.callback(self._victim.kill)
        self.addresses = {
            "victim_pid": str(self._victim.pid),
            "canary": canary,
            "tcp_port": str(self._tcp.getsockname()[1]),
            "udp_port": str(self._udp.getsockname()[1]),
            "unix_path": str(path),
            "unix_abstract": abstract,
        }

    def unharmed(self) -> dict[str, bool]:
        """Attack → true if nothing of it arrived. What the job says of these counts for nothing."""
        return {
            "net_tcp": _nobody_came(self._tcp),
            "net_udp": _nothing_came(self._udp),
            "net_unix_path": _nobody_came(self._by_path),
            "net_unix_abstract": _nobody_came(self._by_name),
            "other_signal": self._victim.poll() is None,
        }


def _nobody_came(listening: socket.socket) -> bool:
    listening.setblocking(False)
    try:
        connection, _ = listening.accept()
    except BlockingIOError:
        return True
    connection.close()
    return False


def _nothing_came(bound: socket.socket) -> bool:
    bound.setblocking(False)
    try:
        bound.recv(1)
    except BlockingIOError:
        return True
    return False


@contextlib.contextmanager
def _stage_set(scratch: Path) -> Iterator[tuple[Path, dict[str, str]]]:
    """A tiny checkout to attack and a secret to read, removed again afterwards."""
    folder = scratch / f"probe-{secrets.token_hex(6)}"
    folder.mkdir(mode=0o711)
    try:
        for name in ("entry/tree", "entry/git", "objects", "wrappers"):
            (folder / name).mkdir(parents=True)
            (folder / name).chmod(0o755)
        (folder / "entry").chmod(0o755)
        for name in ("tree/file", "tree/spare", "tree/third", "git/HEAD"):
            (folder / "entry" / name).write_bytes(b"as it was\n")
        shutil.copyfile(_JOB, folder / "wrappers" / "probe_job.py")
        for path in folder.glob("*/*/*"):
            path.chmod(0o644)
        (folder / "wrappers" / "probe_job.py").chmod(0o644)
        secret = folder / "secret"
        secret.write_bytes(b"key")
        secret.chmod(0o600)
        (folder / "scratch").mkdir()
        (folder / "scratch").chmod(0o711)
        yield folder, {"secret": str(secret)}
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _attack(
    backend: Backend,
    folder: Path,
    targets: dict[str, str],
    python: Path,
    python_binds: tuple[Bind, ...],
) -> dict[str, bool]:
    command = ConfinedCommand(
        job_id="probe",
        argv=(str(python), "-I", "-S", "wrappers/probe_job.py", json.dumps(targets)),
        env=(("PATH", "/usr/bin:/bin"), ("LANG", "C.UTF-8")),
        checkout=folder / "entry",
        objects=folder / "objects",
        wrappers=folder / "wrappers",
        binds=python_binds,
        limits=Limits(),
        scratch=folder / "scratch",
        params_json=b"{}",
    )
    said = bytearray()
    with backend.start(command) as contained:
        end = supervise(
            contained,
            stdout=said.extend,
            stderr=said.extend,
            timeout_s=_TIME_S,
            grace_s=1.0,
            output_limit_bytes=sys.maxsize,
            should_stop=lambda: None,
        )
        drained = end.proven_dead and _at_end(contained.stdout_fd)
        answers = _answers(contained.outputs_fd, said)
    return {**answers, "daemon_outlives": drained}


def _at_end(fd: int) -> bool:
    """Whether nobody holds the other end of the pipe ``fd`` any more."""
    try:
        return os.read(fd, 1) == b""
    except BlockingIOError:
        return False


def _answers(outputs_fd: int, said: bytearray) -> dict[str, bool]:
    try:
        fd = os.open("probe.json", os.O_RDONLY | os.O_NOFOLLOW, dir_fd=outputs_fd)
    except OSError as error:
        words = bytes(said[-500:]).decode(errors="replace").strip()
        raise UnavailableError(
            "SANDBOX_UNAVAILABLE", f"the probe left no answer: {words}"
        ) from error
    with os.fdopen(fd, "rb") as file:
        return {str(name): bool(refused) for name, refused in json.loads(file.read()).items()}
