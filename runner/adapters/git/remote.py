"""What a remote offers, and how what we want of it gets into a mirror.

A mirror has refs of ours only: branches under ``refs/ci/branches/``, tags under ``refs/tags/``,
and, of a repository that the operator named by its path, everything else under
``refs/ci/other/`` and its ``HEAD`` as ``refs/ci/head``. A tag or a pull request can therefore
never be taken for a branch, whatever it is called.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

from runner.adapters.git.process import (
    LOCAL_PROTOCOL,
    NETWORK_PROTOCOLS,
    GitProcess,
    GitResult,
)
from runner.errors import RefusedError, UnavailableError

BRANCHES = "refs/ci/branches/"
TAGS = "refs/tags/"
OTHER = "refs/ci/other/"
HEAD = "refs/ci/head"
KEEP = "refs/ci/keep/"

_HEADS = "refs/heads/"


@dataclass(frozen=True)
class Remote:
    """One remote, by its canonical URL, or a repository on this machine by its path.

    Attributes:
        local: Whether ``url`` is a path that the operator gave: then, and only then, it may be
            read from the disk, and every ref of it vouches for a commit.
    """

    url: str
    local: bool
    git: GitProcess

    def advertised(self) -> dict[str, str]:
        """Ref → object id, as the remote says now; ``HEAD`` among them.

        Raises:
            UnavailableError: ``MIRROR_UNAVAILABLE``: it can't be reached or won't talk to us.
        """
        return {ref: oid for ref, oid in self._listed().items() if "^" not in ref}

    def commit_called(self, name: str) -> str | None:
        """The commit of the remote's branch or tag ``name``, or of its ``HEAD``; a branch first.

        Raises:
            UnavailableError: ``MIRROR_UNAVAILABLE``.
        """
        refs = self._listed()
        candidates = (f"{_HEADS}{name}", f"{TAGS}{name}^{{}}", f"{TAGS}{name}")
        return next(
            (refs[ref] for ref in ("HEAD",) * (name == "HEAD") + candidates if ref in refs), None
        )

    def _listed(self) -> dict[str, str]:
        result = self._talk("ls-remote", "--quiet", "--", self.url)
        if result.exit_code != 0:
            raise UnavailableError(
                "MIRROR_UNAVAILABLE",
                f"the repository can't be read: {result.stderr}",
                remedy="check its address, the network, and that this user may read it",
            )
        pairs = (
            line.split("\t")
            for line in result.stdout.decode("utf-8", "surrogateescape").splitlines()
        )
        return {pair[1]: pair[0] for pair in pairs if len(pair) == 2}

    def fetch(self, git_dir: Path, refspecs: Iterable[str]) -> GitResult:
        """Fetches exactly ``refspecs``. How it ended says less than what is there afterwards."""
        wanted = "".join(f"{refspec}\n" for refspec in refspecs)
        return self._talk(
            "fetch",
            "--quiet",
            "--no-tags",
            "--no-write-fetch-head",
            "--no-auto-maintenance",
            "--no-recurse-submodules",
            "--no-show-forced-updates",
            "--stdin",
            "--",
            self.url,
            git_dir=git_dir,
            input_bytes=wanted.encode("utf-8", "surrogateescape"),
        )

    def _talk(
        self, *args: str, git_dir: Path | None = None, input_bytes: bytes | None = None
    ) -> GitResult:
        return self.git.run(
            *args,
            git_dir=git_dir,
            input_bytes=input_bytes,
            protocols=LOCAL_PROTOCOL if self.local else NETWORK_PROTOCOLS,
            ok=tuple(range(256)),
        )


def ours(ref: str, allowed_branches: tuple[str, ...], *, everything: bool) -> str | None:
    """Under which name the mirror keeps the remote's ``ref``; None if it isn't wanted."""
    if ref.startswith(_HEADS):
        branch = ref.removeprefix(_HEADS)
        return BRANCHES + branch if is_allowed(branch, allowed_branches) else None
    if ref.startswith(TAGS):
        return ref
    if not everything or ref.startswith("refs/replace/"):
        return None
    if ref == "HEAD":
        return HEAD
    return OTHER + ref.removeprefix("refs/") if ref.startswith("refs/") else None


def is_allowed(branch: str, allowed_branches: tuple[str, ...]) -> bool:
    """Whether a full branch name matches one of the patterns (fnmatch, case-sensitive)."""
    return any(fnmatchcase(branch, pattern) for pattern in allowed_branches)


def stale(present: Iterable[str], wanted: Mapping[str, str]) -> list[str]:
    """Which refs of the mirror the remote no longer has, or no longer has for us.

    They go before the fetch: ``a`` would be in the way of ``a/b``, and a branch that was removed
    must not vouch for a commit any more.
    """
    kept = set(wanted.values())
    return [ref for ref in present if ref not in kept]


def explain(result: GitResult) -> RefusedError | UnavailableError:
    """Why a fetch that failed did so."""
    if "fsck" in result.stderr:
        return RefusedError(
            "CHECKOUT_REFUSED",
            f"the repository holds an object that git's fsck refuses: {result.stderr}",
        )
    return UnavailableError(
        "MIRROR_UNAVAILABLE",
        f"fetching ended with {result.exit_code}: {result.stderr}",
        remedy="check the network, and that this user may read the repository",
    )
