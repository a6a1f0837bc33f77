"""The format of sha256sum(1): one line a file, ``<sha256>  <path>``."""

import re
from collections.abc import Mapping

_LINE = re.compile(r"(\\?)([0-9a-f]{64})  (.+)\Z", re.ASCII)
_UNESCAPED = {"\\\\": "\\", "\\n": "\n", "\\r": "\r"}


def format_sums(sums: Mapping[str, str]) -> str:
    r"""The lines for digests by path; a ``\`` in a path is doubled, and marks its line.

    Paths hold no line ends: no output with such a name is collected.
    """
    lines = []
    for path, digest in sums.items():
        escaped = path.replace("\\", "\\\\")
        mark = "" if escaped == path else "\\"
        lines.append(f"{mark}{digest}  {escaped}\n")
    return "".join(lines)


def parse_sums(text: str) -> dict[str, str]:
    """The digests, by path, of what sha256sum(1) wrote.

    Raises:
        ValueError: a line that isn't one, or a path that stands twice.
    """
    if text and not text.endswith("\n"):
        raise ValueError("the last line is cut off")
    sums: dict[str, str] = {}
    for number, line in enumerate(text.split("\n")[:-1], start=1):
        match = _LINE.match(line)
        if match is None:
            raise ValueError(f"line {number} isn't '<sha256>  <path>'")
        escaped, digest, path = match.groups()
        if escaped:
            path = re.sub(r"\\.", lambda found: _UNESCAPED.get(found[0], found[0]), path)
        if path in sums:
            raise ValueError(f"{path!r} stands twice")
        sums[path] = digest
    return sums
