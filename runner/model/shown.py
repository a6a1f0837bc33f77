"""Untrusted text made safe to show: on a terminal, in a record, in a log line."""


def shown(text: str | bytes, *, keep: str = "") -> str:
    r"""``text`` with everything that could deceive a reader or a terminal as visible escapes.

    Escape sequences, control characters, bidirectional and zero-width characters, line
    separators and bytes that aren't UTF-8 become ``\x1b``, ``\u202e``, ``\xff`` and so on
    (Unicode Technical Report 36, *Bidirectional Text Spoofing*; ECMA-48 for the sequences).

    Args:
        text: Anything a job, a repository or a caller chose.
        keep: Characters to let through although they aren't printable, such as ``"\n\t"``.
    """
    if isinstance(text, bytes):
        text = text.decode("utf-8", "backslashreplace")
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() or c in keep else _escape(c) for c in text)


def _escape(character: str) -> str:
    code = ord(character)
    if 0xDC80 <= code <= 0xDCFF:  # a byte that wasn't UTF-8, as os.fsdecode hands it over
        return f"\\x{code - 0xDC00:02x}"
    if code <= 0xFF:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"
