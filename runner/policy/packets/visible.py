"""Text in which nothing is hidden, and from which the exact bytes can be had again.

``shown`` writes every byte and character that a reader can't see, or that moves what they see, as
``⟦1B⟧`` (a byte) or ``⟦U+202E⟧`` (a character); everything else stays as it is, backslashes
included. ``revealed`` is its inverse, and accepts only what ``shown`` would have written, so that
no second spelling can carry anything past a reader.

Which characters: the Unicode Standard's Default_Ignorable_Code_Point (UCD,
DerivedCoreProperties.txt), the bidirectional controls (UAX #9; the attack is CVE-2021-42574), C0
and C1 controls but tab and line feed, every separator but the space, private use, noncharacters, and
some that only look empty. The table is our own, so that another version of Python shows the same.
"""

import re
from collections import Counter

_OPEN, _CLOSE = "⟦", "⟧"

_BIDI = "\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069"
_ZERO_WIDTH = "\u200b-\u200d\u2060-\u2064\ufeff\u00ad\u034f\u180e"
_TAGS = "\U000e0000-\U000e0fff"
_CONTROLS = "\x00-\x08\x0b-\x1f\x7f-\x9f"
_UNDECODED = "\udc80-\udcff"
_INVISIBLE = (
    "\u00a0\u115f\u1160\u1680\u17b4\u17b5\u180b-\u180d\u180f\u2000-\u200a\u2028\u2029\u202f"
    "\u205f\u2065\u206a-\u206f\u2800\u3000\u3164\ufe00-\ufe0f\uffa0\ufff0-\ufffb\ue000-\uf8ff"
    "\ufdd0-\ufdef\ufffe\uffff\U00013430-\U0001343f\U00016fe4\U0001bca0-\U0001bca3\U0001d159"
    "\U0001d173-\U0001d17a\U000f0000-\U0010ffff"
) + "".join(
    f"{chr(plane + 0xFFFE)}{chr(plane + 0xFFFF)}" for plane in range(1 << 16, 0xE << 16, 1 << 16)
)
_HIDDEN = re.compile(
    f"[{_OPEN}{_BIDI}{_ZERO_WIDTH}{_TAGS}{_CONTROLS}{_UNDECODED}{_INVISIBLE}]", re.ASCII
)
_KINDS = (
    ("bidi", re.compile(f"[{_BIDI}]")),
    ("zero-width", re.compile(f"[{_ZERO_WIDTH}]")),
    ("tag", re.compile(f"[{_TAGS}]")),
    ("lone-cr", re.compile("\r(?!\n)")),
    ("control", re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")),
    ("invisible", re.compile(f"[{_INVISIBLE}]")),
    ("invalid-utf8", re.compile(f"[{_UNDECODED}]")),
)
_ESCAPE = re.compile(f"{_OPEN}(?:([0-9A-F]{{2}})|U\\+([0-9A-F]{{4,6}})){_CLOSE}")
_PLAIN = bytes(range(0x20, 0x7F)) + b"\t\n"
LONGEST_ESCAPE = len("⟦U+10FFFF⟧".encode())


def is_plain(data: bytes) -> bool:
    """Whether ``data`` is shown as it is: printable ASCII, tabs and line feeds only."""
    return data.isascii() and not data.translate(None, _PLAIN)


def shown(data: bytes) -> bytes:
    """``data`` with nothing hidden in it, as UTF-8."""
    if is_plain(data):
        return data
    return _HIDDEN.sub(_escaped, data.decode("utf-8", "surrogateescape")).encode()


def shown_text(data: bytes) -> str:
    """``data`` on one line: like ``shown``, tabs and line feeds escaped too."""
    text = shown(data).decode()
    return text.replace("\t", "⟦09⟧").replace("\n", "⟦0A⟧")


def revealed(text: bytes) -> bytes:
    """The bytes that ``shown`` made ``text`` of.

    Raises:
        ValueError: ``shown`` makes no such text.
    """
    if is_plain(text):
        return text
    try:
        data = _ESCAPE.sub(_unescaped, text.decode("utf-8")).encode("utf-8", "surrogateescape")
    except UnicodeError as error:
        raise ValueError(f"got text that isn't UTF-8: {error}") from error
    if shown(data) != text:
        raise ValueError("got text that isn't written as it has to be shown")
    return data


def revealed_text(text: str) -> bytes:
    """The bytes that ``shown_text`` made ``text`` of.

    Raises:
        ValueError: ``shown_text`` makes no such text.
    """
    data = _ESCAPE.sub(_unescaped, text).encode("utf-8", "surrogateescape")
    if shown_text(data) != text:
        raise ValueError(f"got the name {text[:100]!r}, which isn't written as it has to be")
    return data


def shown_size(data: bytes) -> int:
    """How many bytes ``shown(data)`` has."""
    return len(data) if is_plain(data) else len(shown(data))


def hidden_in(data: bytes) -> Counter[str]:
    """How many characters of each kind ``shown`` makes visible; CR before LF isn't counted."""
    if is_plain(data):
        return Counter()
    text = data.decode("utf-8", "surrogateescape")
    counts = {kind: len(pattern.findall(text)) for kind, pattern in _KINDS}
    return Counter({kind: count for kind, count in counts.items() if count})


def fitting(data: bytes, room: int) -> int:
    """How many of the first bytes of ``data`` are shown in at most ``room`` bytes.

    Whole lines if one fits, else part of the first; a character isn't cut in two.

    Args:
        data: Not empty.
        room: At least ``LONGEST_ESCAPE``.
    """
    window = data[:room]
    fits = len(window) if is_plain(window) else _characters_fitting(window, room)
    if fits == len(data):
        return fits
    line_end = data.rfind(b"\n", 0, fits) + 1
    return line_end or fits


def _characters_fitting(window: bytes, room: int) -> int:
    """How many bytes the first characters have that are shown in at most ``room``.

    A character that ``window`` ends within isn't among them where more follows: its bytes by
    themselves are shown as escapes, for which a full window leaves no room.
    """
    text = window.decode("utf-8", "surrogateescape")
    low, high = 1, len(text)
    while low < high:
        middle = (low + high + 1) // 2
        if len(_HIDDEN.sub(_escaped, text[:middle]).encode()) <= room:
            low = middle
        else:
            high = middle - 1
    return len(text[:low].encode("utf-8", "surrogateescape"))


def _escaped(match: re.Match[str]) -> str:
    code = ord(match.group())
    if 0xDC80 <= code <= 0xDCFF:
        return f"{_OPEN}{code - 0xDC00:02X}{_CLOSE}"
    return f"{_OPEN}{code:02X}{_CLOSE}" if code < 0x80 else f"{_OPEN}U+{code:04X}{_CLOSE}"


def _unescaped(match: re.Match[str]) -> str:
    byte, code = match.groups()
    if byte is not None:
        value = int(byte, 16)
        return chr(value) if value < 0x80 else chr(0xDC00 + value)
    value = int(code, 16)
    if value > 0x10FFFF or 0xD800 <= value <= 0xDFFF:
        raise ValueError(f"there is no character U+{code}")
    return chr(value)
