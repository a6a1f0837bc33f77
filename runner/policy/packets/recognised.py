"""What is a file that is called like a bundle? Read from its own first and last words."""

import re

from runner.policy.packets.notices import SIZE_CAP_EXCEEDED

EDGE_BYTES = 256
_ID = rb"(?:[0-9a-f]{40}|[0-9a-f]{64})"
_BUNDLE = re.compile(
    rb"# REVIEW BUNDLE\n# range: (?:the empty tree|(%b))\.\.(%b)\n" % (_ID, _ID), re.ASCII
)
_NOTICE = re.compile(rb"%b\n\n" % SIZE_CAP_EXCEEDED.encode())
_LAST_LINE = b"\n# end of bundle\n"


def range_of_bundle(content: bytes) -> tuple[str | None, str]:
    """Base (null: the empty tree) and head that a bundle says it is of.

    Raises:
        ValueError: it isn't a bundle.
    """
    match = _BUNDLE.match(content)
    if match is not None:
        base, head = match.groups()
        return None if base is None else base.decode(), head.decode()
    if _NOTICE.match(content):
        raise ValueError("it says only that the change is in packets: verify their folder")
    raise ValueError("it doesn't begin as a review bundle does")


def can_be_made_again(first: bytes, last: bytes) -> bool:
    """Whether a file is a bundle, or the notice in place of one, to which nothing was added.

    Args:
        first: Its first ``EDGE_BYTES``.
        last: Its last.
    """
    if _NOTICE.match(first):
        return True
    return _BUNDLE.match(first) is not None and last.endswith(_LAST_LINE)
