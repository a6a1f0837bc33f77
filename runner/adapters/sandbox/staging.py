"""Lets a job's uid see folders that it can't reach: binds made by root in a private namespace.

A root runner's checkouts, wrappers or Python may lie below a folder that only root may pass (an
empty ``HOME`` is often 0700). Opening that folder for everybody would be wrong, so root binds
what is needed onto a place that is passable, where nobody but this one job sees it, and only
then drops its rights. Source: mount_namespaces(7), unshare(1), setpriv(1).
"""

import os
from pathlib import Path

from runner.errors import UnavailableError

_STAGE = Path("/run/ai-ops-runner-stage")
_SCRIPT = Path(__file__).with_name("stage.sh")


def is_reachable(path: Path) -> bool:
    """Whether a uid that owns nothing and is in no group gets to ``path`` and may read it."""
    path = Path(os.path.realpath(path))
    if any(not folder.stat().st_mode & 0o001 for folder in path.parents):
        return False
    mode = path.stat().st_mode
    return bool(mode & 0o004) and (not path.is_dir() or bool(mode & 0o001))


def stage(argv: tuple[str, ...], sources: tuple[str, ...], uid: int | None) -> tuple[str, ...]:
    """``argv`` itself if ``uid`` reaches every source, else ``argv`` behind the staging script.

    The script binds the sources that aren't reachable, replaces them in ``argv`` and becomes
    ``uid`` (which ``argv`` itself then needn't).

    Raises:
        UnavailableError: ``SANDBOX_UNAVAILABLE``: there is no place to put the binds.
    """
    if uid is None:
        return argv
    hidden = tuple(source for source in sources if not is_reachable(Path(source)))
    if not hidden:
        return argv
    try:
        _STAGE.mkdir(mode=0o755, exist_ok=True)
    except OSError as error:
        raise UnavailableError(
            "SANDBOX_UNAVAILABLE",
            f"uid {uid} can't reach {hidden[0]}, and {_STAGE} can't be made: {error}",
            remedy=f"set AIOPS_STATE_DIR to a folder that uid {uid} may pass",
        ) from error
    moved = {source: str(_STAGE / str(number)) for number, source in enumerate(hidden)}
    inner = tuple(
        moved.get(argument, argument) if index and argv[index - 1] == "--ro-bind" else argument
        for index, argument in enumerate(argv)
    )
    return (
        *("/usr/bin/unshare", "--mount", "--propagation", "private", "--"),
        *("/bin/sh", str(_SCRIPT), str(_STAGE), str(uid), *hidden, "--", *inner),
    )
