"""What was found: the kinds there are, and the findings themselves, counted and capped."""

from collections import Counter
from dataclasses import dataclass, field
from typing import NamedTuple

from aiops_wrappers.doctor.secret_rules import redacted
from aiops_wrappers.shown import shown

LEVELS = ("error", "warning", "note")
KEPT_PER_KIND = 500
LONGEST_TEXT = 300


class Kind(NamedTuple):
    """How much a kind of finding matters, and what it means."""

    level: str
    meaning: str


KINDS = {
    "private_key": Kind("error", "a private key's header: whoever reads the repository has it"),
    "token": Kind("error", "text of the form of a service's access token"),
    "password_in_url": Kind("warning", "an address with a password inside"),
    "secret_file": Kind("warning", "a file whose name says that it holds secrets"),
    "merge_marker": Kind("error", "a conflict that was committed instead of resolved"),
    "huge_file": Kind("error", "over 100 MiB: common forges refuse it"),
    "large_file": Kind("warning", "over 5 MiB: every clone carries it for ever"),
    "hook_not_executable": Kind("error", "git silently skips a hook without its executable bit"),
    "broken_symlink": Kind("warning", "a symbolic link that leads nowhere, or in a circle"),
    "symlink_leaves_tree": Kind("warning", "a symbolic link out of the repository"),
    "broken_link": Kind("warning", "a relative Markdown link to a path that isn't there"),
    "name_not_utf8": Kind("warning", "a name that isn't UTF-8: other systems can't show it"),
    "name_control": Kind("warning", "a name with control or invisible characters"),
    "name_windows": Kind("warning", "a name that Windows can't check out"),
    "name_collision": Kind("warning", "names that are one on systems that ignore case"),
    "name_long": Kind("warning", "a path over 240 bytes"),
    "mixed_line_ends": Kind("warning", "CRLF and LF line ends in one file"),
    "submodule_without_url": Kind("warning", "a submodule that .gitmodules doesn't describe"),
    "missing_in_checkout": Kind("warning", "a file of the commit that couldn't be read"),
    "no_readme": Kind("warning", "no README at the top"),
    "no_licence": Kind("warning", "no licence at the top: nobody may use it"),
    "no_ci": Kind("warning", "no CI configuration of a known system"),
    "no_gitignore": Kind("note", "no .gitignore at the top"),
    "no_hooks": Kind("note", "no .githooks folder"),
    "submodule": Kind("note", "a submodule: its content wasn't looked at"),
    "lfs_pointer": Kind("note", "a Git LFS pointer: its content isn't in the repository"),
    "not_read_whole": Kind("note", "only the first part was looked at"),
}


@dataclass(frozen=True)
class Finding:
    """One thing that was found. All text is safe to show, and holds no secret."""

    kind: str
    path: str
    line: int | None
    detail: str


@dataclass
class Findings:
    """All findings: every one is counted, the first 500 of each kind are kept."""

    counts: Counter[str] = field(default_factory=Counter)
    kept: list[Finding] = field(default_factory=list)

    def add(
        self, kind: str, path: bytes = b"", *, line: int | None = None, detail: bytes = b""
    ) -> None:
        """Counts one finding; ``path`` and ``detail`` may be hostile, and hold secrets."""
        if kind not in KINDS:
            raise KeyError(kind)
        self.counts[kind] += 1
        if self.counts[kind] <= KEPT_PER_KIND:
            self.kept.append(Finding(kind, _safe(path), line, _safe(detail)))

    def of_level(self, level: str) -> int:
        """How many findings there are of ``level``."""
        return sum(count for kind, count in self.counts.items() if KINDS[kind].level == level)

    def in_order(self) -> list[Finding]:
        """The kept findings, gravest kind first, then by path and line."""
        rank = {kind: place for place, kind in enumerate(sorted(KINDS, key=_gravity))}
        return sorted(self.kept, key=lambda f: (rank[f.kind], f.path, f.line or 0, f.detail))


def _gravity(kind: str) -> int:
    return LEVELS.index(KINDS[kind].level)


def _safe(raw: bytes) -> str:
    # Redacted whole, before it is cut: a cut token would no longer be recognised as one.
    text = shown(redacted(raw))
    return text if len(text) <= LONGEST_TEXT else text[:LONGEST_TEXT] + "…"
