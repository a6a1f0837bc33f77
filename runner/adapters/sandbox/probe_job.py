"""The hostile micro-job: tries every attack from inside and writes down which were refused.

Runs isolated (``python -I -S``) with the standard library alone, as the argv of a job would.
Arguments: a JSON object with the targets (see ``probe.py``). Its answer is
``$ARTIFACT_DIR/probe.json``: attack → true if it was refused.
"""

import ctypes
import json
import os
import signal
import socket
import sys
from collections.abc import Callable

_DAEMON_S = 3  # it is looked for at once


def _refused(attack: Callable[[], object]) -> bool:
    """Whether ``attack`` failed for a reason that isn't its own mistake."""
    try:
        attack()
    except OSError:
        return True
    return False


def _connect(family: int, kind: int, address: object) -> None:
    with socket.socket(family, kind) as sock:
        sock.settimeout(2)
        sock.connect(address)  # type: ignore[arg-type]
        sock.send(b"out")


def _write(path: str) -> None:
    with open(path, "r+b") as file:
        file.write(b"changed")


def _create(path: str) -> None:
    os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))


def _set_xattr(path: str) -> None:
    os.setxattr(path, "user.aiops", b"1")


def _read_secret(path: str) -> None:
    with open(path, "rb") as file:
        file.read(1)


def _read_environ(pid: int, canary: str) -> None:
    """Fails unless it is the victim's: in another pid namespace the number means somebody else."""
    with open(f"/proc/{pid}/environ", "rb") as file:
        if canary.encode() not in file.read():
            raise ProcessLookupError(pid)


def _outlive() -> None:
    """Leaves a daemon behind: own session, no parent, deaf to SIGTERM, holding standard output."""
    if os.fork():
        return
    os.setsid()
    if os.fork():
        os._exit(0)
    signal.alarm(_DAEMON_S)  # where nothing confines, it goes by itself
    libc = ctypes.CDLL(None)
    libc.signal(15, ctypes.c_void_p(1))
    while True:
        libc.pause()


def main(targets: dict[str, str]) -> dict[str, bool]:
    """Tries everything; the tree is the current folder and holds ``file``, ``spare`` and ``third``."""
    victim = int(targets["victim_pid"])
    artifacts = os.environ["ARTIFACT_DIR"]
    attacks: dict[str, Callable[[], object]] = {
        "tree_write": lambda: _write("file"),
        "tree_create": lambda: _create("new"),
        "tree_unlink": lambda: os.unlink("spare"),
        "tree_rename": lambda: os.rename("third", "other"),
        "git_dir_write": lambda: _write("../git/HEAD"),
        "tree_chmod": lambda: os.chmod("file", 0o600),
        "tree_utime": lambda: os.utime("file", (1, 1)),
        "tree_xattr": lambda: _set_xattr("file"),
        "tree_hard_link_out": lambda: os.link("file", f"{artifacts}/link"),
        "net_tcp": lambda: _connect(
            socket.AF_INET, socket.SOCK_STREAM, ("127.0.0.1", int(targets["tcp_port"]))
        ),
        "net_udp": lambda: _connect(
            socket.AF_INET, socket.SOCK_DGRAM, ("127.0.0.1", int(targets["udp_port"]))
        ),
        "net_unix_path": lambda: _connect(socket.AF_UNIX, socket.SOCK_STREAM, targets["unix_path"]),
        "net_unix_abstract": lambda: _connect(
            socket.AF_UNIX, socket.SOCK_STREAM, "\0" + targets["unix_abstract"]
        ),
        "other_environ": lambda: _read_environ(victim, targets["canary"]),
        "other_signal": lambda: os.kill(victim, 9),
        "runner_secret": lambda: _read_secret(targets["secret"]),
        "host_in_view": lambda: os.stat(targets["unix_path"]),
    }
    answers = {name: _refused(attack) for name, attack in attacks.items()}
    _create(f"{artifacts}/own")
    answers["own_metadata_writable"] = not _refused(lambda: os.chmod(f"{artifacts}/own", 0o640))
    with open(f"{artifacts}/probe.json", "w", encoding="ascii") as file:
        json.dump(answers, file)
    _outlive()
    return answers


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
