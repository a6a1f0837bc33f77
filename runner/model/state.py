"""Where everything of this program's lies on disk."""

from pathlib import Path

from runner.model.base import Noun


class StatePaths(Noun):
    """The folders of one installation; computed, not necessarily there yet.

    Attributes:
        root: Of all of them that no setting puts elsewhere.
        artifacts: One folder a job: the truth about it.
        mirrors: Bare mirrors.
        checkouts: Sealed read-only trees. ``quarantine`` is on the same file system, since an
            entry is moved there by rename(2).
        scratch: Private folders of running jobs.
        wrappers: Sealed copies of the wrappers folder, one for each state it was hashed in.
        locks: Lock files, in a folder that no job ever sees.
        keys: The signing key.
        redis: The embedded server's data.
        trust: Public keys that ``runner verify`` believes.
    """

    root: Path
    artifacts: Path
    mirrors: Path
    checkouts: Path
    quarantine: Path
    scratch: Path
    wrappers: Path
    locks: Path
    keys: Path
    redis: Path
    trust: Path
