"""What a job sees under bubblewrap: the mounts, in order, as bwrap's arguments.

Nothing of the host is in view but ``/usr``, a few files of ``/etc``, the checkout, the wrappers
and the folders that the job type names. Everything is read-only except three sized tmpfs.
Source of the options: bwrap(1).
"""

from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from runner.adapters.sandbox.backend import WRAPPERS_PREFIX, resolve_argv
from runner.model.sandbox import Bind, ConfinedCommand

TREE = "/job/tree"
GIT_DIR = "/job/git"
OBJECTS = "/job/objects"
WRAPPERS = "/job/wrappers"
ARTIFACTS = "/job/artifacts"
HOME = "/home/job"
PROLOGUE = "/job/prologue.sh"

_SYSTEM_FOLDERS = ("bin", "sbin", "lib", "lib32", "lib64", "libx32")
_ETC = (
    "alternatives",
    "ld.so.cache",
    "ld.so.conf",
    "ld.so.conf.d",
    "localtime",
    "mime.types",
    "ssl/certs",
)
_GITCONFIG = b"[safe]\n\tdirectory = *\n"


class Lent(NamedTuple):
    """Stands for the descriptor of ``View.data[number]``, which exists once bwrap is started.

    Not a text: a parameter's value is an argument too, and could be the same.
    """

    number: int


@dataclass(frozen=True)
class View:
    """The arguments for one job.

    Attributes:
        arguments: bwrap's, without the program to run.
        read_only: Every place that the prologue must not be able to write to.
        data: Content of small files, whose descriptors ``arguments`` names.
    """

    arguments: tuple[str | Lent, ...]
    read_only: tuple[str, ...]
    data: tuple[bytes, ...]


def system_binds(root: Path = Path("/")) -> tuple[tuple[str, ...], ...]:
    """Arguments for ``/usr``, the folders beside it, and the few files of ``/etc``."""
    arguments: list[tuple[str, ...]] = [("--ro-bind", "/usr", "/usr")]
    for name in _SYSTEM_FOLDERS:
        folder = root / name
        if folder.is_symlink():
            arguments.append(("--symlink", str(folder.readlink()), f"/{name}"))
        elif folder.is_dir():
            arguments.append(("--ro-bind", f"/{name}", f"/{name}"))
    arguments.extend(
        ("--ro-bind", f"/etc/{name}", f"/etc/{name}")
        for name in _ETC
        if (root / "etc" / name).exists()
    )
    return tuple(arguments)


def view(
    command: ConfinedCommand, *, system: tuple[tuple[str, ...], ...], prologue: Path, uid: int
) -> View:
    """Everything that the job of ``command`` will see."""
    limits = command.limits
    binds = (
        Bind(source=command.checkout / "tree", target=TREE),
        Bind(source=command.checkout / "git", target=GIT_DIR),
        Bind(source=command.objects, target=OBJECTS),
        Bind(source=command.wrappers, target=WRAPPERS),
        Bind(source=prologue, target=PROLOGUE),
        *command.binds,
    )
    data = (
        f"job:x:{uid}:{uid}:job:{HOME}:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/false\n",
        f"job:x:{uid}:\nnogroup:x:65534:\n",
        _GITCONFIG.decode(),
    )
    arguments: list[str | Lent] = [argument for mount in system for argument in mount]
    for number, name in enumerate(("passwd", "group", "gitconfig")):
        # in the root's own tmpfs, which becomes read-only: a mount each takes 0.1 ms each
        arguments += ["--perms", "0444", "--file", Lent(number), f"/etc/{name}"]
    arguments += ["--proc", "/proc", "--dev", "/dev"]
    for target, size in (
        ("/dev/shm", limits.tmp_bytes),  # noqa: S108  (a mount point inside the sandbox)
        ("/tmp", limits.tmp_bytes),  # noqa: S108  (likewise)
        (HOME, limits.tmp_bytes),
        (ARTIFACTS, limits.output_bytes),
    ):
        arguments += ["--perms", "0700", "--size", str(size), "--tmpfs", target]
    # after the tmpfs: what is bound may lie below /tmp, and has to stay in view
    for bind in binds:
        arguments += ["--ro-bind", str(bind.source), bind.target]
    arguments += ["--perms", "0644", "--file", Lent(len(data)), f"{ARTIFACTS}/params.json"]
    # /proc too: the first process in the sandbox is the job's own uid's, and through
    # /proc/1/mem it could be made to outlive bwrap, or to let its pid go to somebody else
    for place in ("/proc", "/dev", "/"):
        arguments += ["--remount-ro", place]
    arguments += ["--chdir", TREE]
    for name, value in (
        *command.env,
        ("HOME", HOME),
        ("TMPDIR", "/tmp"),  # noqa: S108  (likewise)
        ("ARTIFACT_DIR", ARTIFACTS),
        ("AIOPS_WRAPPERS", WRAPPERS),
    ):
        arguments += ["--setenv", name, value]
    return View(
        arguments=tuple(arguments),
        read_only=("/", "/usr", "/etc", "/dev", "/proc", *(bind.target for bind in binds)),
        data=(*(text.encode() for text in data), command.params_json),
    )


def sources(arguments: tuple[str, ...]) -> tuple[str, ...]:
    """The host's side of every bind in ``arguments``."""
    return tuple(
        arguments[index + 1] for index, argument in enumerate(arguments) if argument == "--ro-bind"
    )


def job_argv(command: ConfinedCommand) -> tuple[str, ...]:
    """The job's own argv, as it is seen inside."""
    return resolve_argv(command.argv, WRAPPERS)


__all__ = ["WRAPPERS_PREFIX", "View", "job_argv", "sources", "system_binds", "view"]
