"""The configuration that our git calls, our mirrors and our checkouts have: all of it is here.

Every setting is explained in git-config(1).
"""

import os
import stat
from pathlib import Path
from typing import Literal

from runner.adapters.files import replace_durably

ObjectFormat = Literal["sha1", "sha256"]

# Faults of old but honest tools, found in the history of well-known repositories: none of them
# can make a checkout do anything. Everything else that fsck finds refuses the fetch.
_OLD_FAULTS = (
    "badTimezone",
    "missingNameBeforeEmail",
    "missingSpaceBeforeDate",
    "missingSpaceBeforeEmail",
    "multipleAuthors",
    "zeroPaddedDate",
    "zeroPaddedFilemode",
)

_GLOBAL = """\
# Written by ai-ops-runner; the only configuration that its own git calls read.
[safe]
\tdirectory = *
\tbareRepository = explicit
[core]
\thooksPath = /dev/null
\tfsmonitor = false
\tattributesFile = /dev/null
\texcludesFile = /dev/null
\taskPass =
\tpager = cat
\tcommitGraph = false
\tuseReplaceRefs = false
[credential]
\thelper =
[protocol]
\tallow = never
[http]
\tfollowRedirects = false
\tlowSpeedLimit = 1000
\tlowSpeedTime = 60
[transfer]
\tfsckObjects = true
\tunpackLimit = 1
[fetch]
\tfsckObjects = true
\tunpackLimit = 1
\trecurseSubmodules = false
\twriteCommitGraph = false
[submodule]
\trecurse = false
[advice]
\tgraftFileDeprecated = false
[gc]
\tauto = 0
[maintenance]
\tauto = false
[uploadpack]
\tallowAnySHA1InWant = true
"""


def write_git_config(path: Path) -> None:
    """Writes the read-only global configuration that ``GitProcess`` points git to.

    Does nothing where it is there already, so that many processes may do it at once.
    """
    lenient = "".join(f"\t{fault} = ignore\n" for fault in _OLD_FAULTS)
    content = f'{_GLOBAL}[fsck]\n{lenient}[fetch "fsck"]\n{lenient}'.encode()
    try:
        if path.read_bytes() == content:
            return
    except FileNotFoundError:
        path.parent.mkdir(parents=True, exist_ok=True)
    replace_durably(path, content, mode=0o444)
    if stat.S_IMODE(path.stat().st_mode) != 0o444:  # the umask; a job may not be let change modes
        os.chmod(path, 0o444)


def object_format_of(oid: str) -> ObjectFormat:
    """Which hash an object id of that length comes from."""
    return "sha1" if len(oid) == 40 else "sha256"


def mirror_config(object_format: ObjectFormat) -> bytes:
    """The whole configuration of a mirror. No remote stands in it, so nothing can be pushed to."""
    return (
        f"[core]\n\trepositoryformatversion = {_version(object_format)}\n\tbare = true\n"
        "\tfilemode = true\n\tlogAllRefUpdates = false\n"
        "[gc]\n\tauto = 0\n"
        f"{_extension(object_format)}"
    ).encode()


def checkout_config(object_format: ObjectFormat, *, has_githooks: bool) -> bytes:
    """The configuration of a checkout's synthetic git directory.

    The index was written outside the sandbox, where the files had another owner's number and
    perhaps another device: comparing less of it (``checkStat``) spares a job from reading every
    file again. Evidence never comes from this index.
    """
    hooks = "\thooksPath = .githooks\n" if has_githooks else ""
    return (
        f"[core]\n\trepositoryformatversion = {_version(object_format)}\n\tbare = false\n"
        "\tfilemode = true\n\tsymlinks = true\n\tlogAllRefUpdates = false\n"
        "\tfsmonitor = false\n\tuntrackedCache = false\n\tcheckStat = minimal\n"
        f"\ttrustctime = false\n\tautocrlf = false\n{hooks}"
        "[gc]\n\tauto = 0\n"
        "[maintenance]\n\tauto = false\n"
        f"{_extension(object_format)}"
    ).encode()


def _version(object_format: ObjectFormat) -> int:
    return 0 if object_format == "sha1" else 1


def _extension(object_format: ObjectFormat) -> str:
    return "" if object_format == "sha1" else "[extensions]\n\tobjectFormat = sha256\n"
