"""Text from a hostile tree, made safe to show on a terminal, in a log or in a report."""


def shown(raw: bytes) -> str:
    """``raw`` on one line, in which nothing can move a cursor, start a line or hide.

    Control characters, line separators, bidirectional marks and bytes that aren't UTF-8 become
    ``\\n``, ``\\u202e``, ``\\xff``; a backslash is doubled, so that two names never look alike.
    """
    text = raw.decode("utf-8", "surrogateescape")
    if text.isprintable() and "\\" not in text:
        return text
    return "".join(_one(character) for character in text)


def _one(character: str) -> str:
    if 0xDC80 <= ord(character) <= 0xDCFF:
        return f"\\x{ord(character) - 0xDC00:02x}"
    if character != "\\" and character.isprintable():
        return character
    return character.encode("unicode_escape").decode("ascii")
