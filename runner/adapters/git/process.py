"""Git as a process that nobody else's configuration, environment or patience can steer.

Every variable and setting is explained in git(1) *Environment Variables* and git-config(1).
"""

import contextlib
import fcntl
import os
import re
import shutil
import signal
import subprocess
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from runner.errors import UnavailableError

SEARCH_PATH = "/usr/local/bin:/usr/bin:/bin"
NETWORK_PROTOCOLS = "https:ssh"
LOCAL_PROTOCOL = "file"

# No question is asked, no master connection outlives the call and holds its pipes open, and no
# unknown host is trusted: ssh_config(5).
_SSH = (
    "ssh -oBatchMode=yes -oStrictHostKeyChecking=yes -oControlMaster=no -oControlPath=none"
    " -oForwardAgent=no -oClearAllForwardings=yes -oPermitLocalCommand=no"
)
_CREDENTIALS = re.compile(r"(?<=://)[^/@\s]+@")
_MESSAGE_CHARACTERS = 1500
_BLOCK = 1 << 20


@dataclass(frozen=True)
class GitResult:
    """How a git command ended, and what it said."""

    exit_code: int
    stdout: bytes
    stderr: str


class GitProcess:
    """Starts git with an environment and a configuration that are ours alone.

    Args:
        config_file: The global configuration written by ``config.write_git_config``.
        timeout_s: How long a command may take unless told otherwise.
        environment: Further variables for reaching a remote (``SSH_AUTH_SOCK``,
            ``https_proxy`` …); none of them can replace one of ours.
        search_path: Where git and what it starts are looked for.
    """

    def __init__(
        self,
        config_file: Path,
        *,
        timeout_s: float = 300.0,
        environment: tuple[tuple[str, str], ...] = (),
        search_path: str = SEARCH_PATH,
    ) -> None:
        self.timeout_s = timeout_s
        self._git: str | None = None
        self._search_path = search_path
        self._environment = {
            **dict(environment),
            "PATH": search_path,
            "LC_ALL": "C",
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_CONFIG_GLOBAL": str(config_file),
            "GIT_ATTR_NOSYSTEM": "1",
            "GIT_TERMINAL_PROMPT": "0",
            "GIT_PROTOCOL_FROM_USER": "0",
            "GIT_NO_REPLACE_OBJECTS": "1",
            "GIT_NO_LAZY_FETCH": "1",
            "GIT_GRAFT_FILE": os.devnull,
            "GIT_OPTIONAL_LOCKS": "0",
            "GIT_SSH_COMMAND": _SSH,
            "GIT_SSH_VARIANT": "ssh",
        }
        # Without this git would look for a repository in the current folder and above it.
        self._no_git_dir = f"{config_file}.no-repository"

    def run(
        self,
        *args: str,
        git_dir: Path | None = None,
        input_bytes: bytes | None = None,
        timeout_s: float | None = None,
        protocols: str = NETWORK_PROTOCOLS,
        ok: tuple[int, ...] = (0,),
    ) -> GitResult:
        """How ``git args`` ended. At the time limit its whole process group is killed.

        Args:
            *args: After ``git``; never from a caller unless the form was checked.
            git_dir: The repository; none is looked for without it.
            input_bytes: Standard input; empty without it.
            timeout_s: Instead of the usual limit.
            protocols: Transports that may be used, separated by colons.
            ok: Exit codes that are an answer rather than an error.

        Raises:
            UnavailableError: ``GIT_NOT_FOUND``, ``GIT_TIMEOUT`` or ``GIT_FAILED``.
        """
        limit_s = self.timeout_s if timeout_s is None else timeout_s
        with self.start(*args, git_dir=git_dir, protocols=protocols, stderr=True) as process:
            try:
                stdout, stderr = process.communicate(input_bytes or b"", timeout=limit_s)
            except subprocess.TimeoutExpired as error:
                _end_group(process)
                raise UnavailableError(
                    "GIT_TIMEOUT", f"git {args[0]} took longer than {limit_s:g} s and was ended"
                ) from error
            except BaseException:
                _end_group(process)
                raise
        result = GitResult(process.returncode, stdout, readable(stderr))
        if result.exit_code not in ok:
            raise UnavailableError(
                "GIT_FAILED", f"git {args[0]} ended with {result.exit_code}: {result.stderr}"
            )
        return result

    @contextlib.contextmanager
    def stream(self, *args: str, git_dir: Path) -> Iterator[Iterator[bytes]]:
        """What ``git args`` writes, in blocks, while it writes it.

        Args:
            *args: As for ``run``.
            git_dir: The repository.

        Raises:
            UnavailableError: ``GIT_NOT_FOUND``; ``GIT_TIMEOUT`` or ``GIT_FAILED`` when the block
                ends: only then is what was read known to be all of it.
        """
        process = self.start(*args, git_dir=git_dir)
        expired = threading.Event()

        def end() -> None:
            expired.set()
            _end_group(process)

        timer = threading.Timer(self.timeout_s, end)
        timer.daemon = True
        timer.start()
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            process.stdin.close()
            pipe = process.stdout.fileno()
            with contextlib.suppress(OSError):  # a wish: so git goes on while a block is read
                fcntl.fcntl(pipe, fcntl.F_SETPIPE_SZ, _BLOCK)
            yield iter(lambda: os.read(pipe, _BLOCK), b"")
            process.wait()
        finally:
            timer.cancel()
            _end_group(process)
            process.stdout.close()
            process.wait()
        if expired.is_set():
            raise UnavailableError(
                "GIT_TIMEOUT", f"git took longer than {self.timeout_s:g} s and was ended"
            )
        if process.returncode:
            raise UnavailableError("GIT_FAILED", f"git ended with {process.returncode}")

    def start(
        self,
        *args: str,
        git_dir: Path | None = None,
        protocols: str = "none",
        stderr: bool = False,
    ) -> subprocess.Popen[bytes]:
        """Starts ``git args`` in a process group of its own, with pipes to it.

        Raises:
            UnavailableError: ``GIT_NOT_FOUND``.
        """
        environment = {
            **self._environment,
            "GIT_ALLOW_PROTOCOL": protocols,
            "GIT_DIR": self._no_git_dir if git_dir is None else str(git_dir),
        }
        try:
            return subprocess.Popen(
                [self._program(), *args],
                cwd="/",
                env=environment,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE if stderr else subprocess.DEVNULL,
                bufsize=1 << 18,
                start_new_session=True,
                # What lands in a mirror is read by jobs under another uid.
                umask=0o022,
            )
        except OSError as error:
            raise UnavailableError("GIT_NOT_FOUND", f"git can't be started: {error}") from error

    def _program(self) -> str:
        if self._git is None:
            self._git = shutil.which("git", path=self._search_path)
        if self._git is None:
            raise UnavailableError(
                "GIT_NOT_FOUND",
                f"no git in {self._search_path}",
                remedy="install git, version 2.36 or later",
            )
        return self._git


def _end_group(process: subprocess.Popen[bytes]) -> None:
    """Kills the command and its transport's helpers."""
    if process.returncode is None:  # once it was waited for, its number may be somebody else's
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)


def readable(raw: bytes) -> str:
    """What git or a remote said, fit to show: no credentials, no control characters, not long."""
    text = _CREDENTIALS.sub("", raw.decode("utf-8", "backslashreplace"))
    text = "; ".join(line.strip() for line in text.splitlines() if line.strip())
    text = "".join(c if c.isprintable() else "�" for c in text)
    if len(text) <= _MESSAGE_CHARACTERS:
        return text
    half = _MESSAGE_CHARACTERS // 2
    return f"{text[:half]} … {text[-half:]}"
