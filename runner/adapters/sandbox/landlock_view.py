"""What a job sees under Landlock: the host's own paths, of which it may open only these.

There are no mounts: a path means the same inside and outside. Names, sizes and times of other
files can still be asked for (stat(2)); Landlock has no right for that.
"""

from collections.abc import Iterator
from pathlib import Path

from runner.adapters.sandbox.landlock_abi import OWN, READ, USE_DEVICE, Rule
from runner.errors import BugError
from runner.model.sandbox import ConfinedCommand

OWN_FOLDERS = {"ARTIFACT_DIR": "artifacts", "TMPDIR": "tmp", "HOME": "home"}
"""Variable → the folder in the job's scratch that it names."""

_READABLE = (
    *("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32"),
    *("/etc/alternatives", "/etc/ld.so.cache", "/etc/ld.so.conf", "/etc/ld.so.conf.d"),
    *("/etc/passwd", "/etc/group", "/etc/nsswitch.conf", "/etc/localtime", "/etc/mime.types"),
    *("/etc/ssl/certs", "/etc/ssl/openssl.cnf"),
    # of /proc only what is about the machine: the rest is other people's command lines
    *("/proc/cpuinfo", "/proc/filesystems", "/proc/loadavg", "/proc/meminfo", "/proc/stat"),
    *("/proc/uptime", "/proc/version", "/proc/sys/kernel/ngroups_max"),
    *(
        "/proc/sys/kernel/cap_last_cap",
        "/proc/sys/kernel/pid_max",
        "/proc/sys/vm/overcommit_memory",
    ),
    "/sys/devices/system/cpu/online",
)
_DEVICES = ("/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom")


def read_only(command: ConfinedCommand) -> tuple[Path, ...]:
    """Every place of this job's that it reads and must not be able to write to.

    Raises:
        BugError: ``BIND_MOVED``: a bind has another place inside than outside.
    """
    for bind in command.binds:
        if str(bind.source) != bind.target:
            raise BugError(
                "BIND_MOVED",
                f"Landlock has no mounts: got {bind.target} for {bind.source}, expected the same",
            )
    return (
        command.checkout / "tree",
        command.checkout / "git",
        command.objects,
        command.wrappers,
        *(bind.source for bind in command.binds),
    )


def rules(command: ConfinedCommand, prologue: Path) -> Iterator[Rule]:
    """Everything that may be opened, each with what may be done to it."""
    yield from (Rule(path, READ) for name in _READABLE if (path := Path(name)).exists())
    yield from (Rule(path, USE_DEVICE) for name in _DEVICES if (path := Path(name)).exists())
    yield from (Rule(path, READ) for path in (*read_only(command), prologue))
    yield from (Rule(command.scratch / name, OWN) for name in OWN_FOLDERS.values())
