"""Names that make trouble on some system, or for whoever reads them."""

import re
import unicodedata
from collections.abc import Iterable

from aiops_wrappers.doctor.findings import Findings
from aiops_wrappers.doctor.listing import Entry

LONGEST_PATH = 240
# "Naming Files, Paths, and Namespaces", learn.microsoft.com: reserved with any suffix.
_RESERVED = re.compile(r"(?:con|prn|aux|nul|com[1-9¹²³]|lpt[1-9¹²³])(?:\..*)?\Z", re.IGNORECASE)
_FORBIDDEN = re.compile(r'[<>:"|?*\\]')
_SECRET_FILES = re.compile(
    rb"(?:.*/)?(?:\.env|\.env\.(?:local|production|prod)|id_(?:rsa|dsa|ecdsa|ed25519)|\.netrc"
    rb"|\.pgpass|.*\.(?:p12|pfx|keystore|jks|kdbx))\Z",
    re.DOTALL,
)


def look_at_names(entries: Iterable[Entry], findings: Findings) -> None:
    """Adds what is wrong with each name, and which names collide."""
    folded: dict[str, bytes] = {}
    folders: set[bytes] = set()
    for entry in entries:
        path = entry.path
        if len(path) > LONGEST_PATH:
            findings.add("name_long", path, detail=b"%d bytes" % len(path))
        if entry.is_file and _SECRET_FILES.match(path):
            findings.add("secret_file", path)
        _look_at_new_part(path, b"", folded, findings)
        folder = path.rpartition(b"/")[0]
        while folder and folder not in folders:
            folders.add(folder)
            _look_at_new_part(folder, path, folded, findings)
            folder = folder.rpartition(b"/")[0]


def _look_at_new_part(
    path: bytes, seen_at: bytes, folded: dict[str, bytes], findings: Findings
) -> None:
    name = path.rpartition(b"/")[2]
    where = seen_at or path
    try:
        text = name.decode("utf-8")
    except UnicodeDecodeError:
        findings.add("name_not_utf8", where)
    else:
        if not text.isprintable():
            findings.add("name_control", where)
        if _FORBIDDEN.search(text) or _RESERVED.match(text) or text.endswith((".", " ")):
            findings.add("name_windows", where)
    key = _fold(path)
    other = folded.setdefault(key, path)
    if other != path:
        findings.add("name_collision", path, detail=b"and " + other)


def _fold(path: bytes) -> str:
    text = path.decode("utf-8", "surrogateescape")
    if text.isascii():
        return text.lower()
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", text).casefold())
