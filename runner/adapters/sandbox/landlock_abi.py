"""Landlock's three system calls, as far as the version that this kernel speaks.

Source: ``Documentation/userspace-api/landlock.rst`` and ``include/uapi/linux/landlock.h`` of the
kernel; landlock(7). libc has no functions for them.
"""

import ctypes
import errno
import os
import stat
import struct
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from runner.errors import UnavailableError

NEWEST = 7
"""The newest ABI whose rights are named here."""

_CREATE_RULESET, _ADD_RULE = 444, 445  # the same numbers on every architecture
_CREATE_RULESET_VERSION = 1
_RULE_PATH_BENEATH = 1

# LANDLOCK_ACCESS_FS_*, in the order of their bits
_EXECUTE, _WRITE_FILE, _READ_FILE, _READ_DIR, _REMOVE_DIR, _REMOVE_FILE = (1 << n for n in range(6))
_MAKE_CHAR, _MAKE_DIR, _MAKE_REG, _MAKE_SOCK, _MAKE_FIFO, _MAKE_BLOCK, _MAKE_SYM = (
    1 << n for n in range(6, 13)
)
_REFER, _TRUNCATE, _IOCTL_DEV = (1 << n for n in range(13, 16))
_ON_FILES = _EXECUTE | _WRITE_FILE | _READ_FILE | _TRUNCATE | _IOCTL_DEV

_BIND_TCP, _CONNECT_TCP = 1, 2
_SCOPE_ABSTRACT_UNIX_SOCKET, _SCOPE_SIGNAL = 1, 2

READ = _EXECUTE | _READ_FILE | _READ_DIR
"""To read, list and execute."""
USE_DEVICE = _READ_FILE | _WRITE_FILE | _IOCTL_DEV
"""To read, write and ask a device that exists."""
OWN = (
    READ
    | (_WRITE_FILE | _TRUNCATE | _REMOVE_DIR | _REMOVE_FILE | _REFER)
    | (_MAKE_DIR | _MAKE_REG | _MAKE_FIFO | _MAKE_SYM)
)
"""Everything that a job does in a folder of its own: no devices, no sockets."""


@dataclass(frozen=True)
class Rule:
    """Allows ``access`` (``READ``, ``USE_DEVICE`` or ``OWN``) at and below ``path``."""

    path: Path
    access: int


def abi_version() -> int:
    """The newest Landlock ABI that both the kernel and this module speak.

    Raises:
        UnavailableError: ``SANDBOX_UNAVAILABLE``: the kernel has no Landlock, or it's switched off.
    """
    try:
        version = _syscall(_CREATE_RULESET, None, 0, _CREATE_RULESET_VERSION)
    except OSError as error:
        off = error.errno == errno.EOPNOTSUPP
        raise UnavailableError(
            "SANDBOX_UNAVAILABLE",
            f"Landlock is {'switched off' if off else 'not in this kernel'}: {error.strerror}",
            remedy="boot with landlock in the kernel's lsm= list" if off else "use Linux 5.13+",
        ) from error
    return min(version, NEWEST)


def make_ruleset(rules: Iterable[Rule], abi: int) -> int:
    """Descriptor of a ruleset that allows what ``rules`` say and nothing else that Landlock knows.

    Without exception refused: TCP (ABI 4), abstract Unix sockets and signals to processes outside
    (ABI 6). The caller closes the descriptor.

    Raises:
        UnavailableError: ``SANDBOX_UNAVAILABLE``: a rule's path can't be opened.
    """
    handled = _file_rights(abi)
    net = _BIND_TCP | _CONNECT_TCP if abi >= 4 else 0
    scoped = _SCOPE_ABSTRACT_UNIX_SOCKET | _SCOPE_SIGNAL if abi >= 6 else 0
    ruleset = _create(handled, net, scoped, abi)
    try:
        for rule in rules:
            _add(ruleset, rule, handled)
    except OSError as error:
        os.close(ruleset)
        raise UnavailableError(
            "SANDBOX_UNAVAILABLE", f"Landlock can't have a rule for {rule.path}: {error.strerror}"
        ) from error
    return ruleset


def make_signal_scope(abi: int) -> int | None:
    """Descriptor of a ruleset that only keeps signals inside; null before ABI 6, which can't."""
    return _create(0, 0, _SCOPE_SIGNAL, abi) if abi >= 6 else None


def _file_rights(abi: int) -> int:
    """The file rights that ``abi`` can refuse."""
    rights = (1 << 13) - 1
    for since, right in ((2, _REFER), (3, _TRUNCATE), (5, _IOCTL_DEV)):
        if abi >= since:
            rights |= right
    return rights


def _create(files: int, net: int, scoped: int, abi: int) -> int:
    """A ruleset of ``struct landlock_ruleset_attr``, as long as ``abi`` knows it."""
    attributes = struct.pack("=QQQ", files, net, scoped)[
        : 24 if abi >= 6 else 16 if abi >= 4 else 8
    ]
    return _syscall(_CREATE_RULESET, attributes, len(attributes), 0)


def _add(ruleset: int, rule: Rule, handled: int) -> None:
    fd = os.open(rule.path, os.O_PATH | os.O_CLOEXEC)
    try:
        access = rule.access & handled
        if not stat.S_ISDIR(os.fstat(fd).st_mode):
            access &= _ON_FILES  # rights of folders on a file are EINVAL
        # struct landlock_path_beneath_attr is packed
        _syscall(_ADD_RULE, ruleset, _RULE_PATH_BENEATH, struct.pack("=Qi", access, fd), 0)
    finally:
        os.close(fd)


def _syscall(number: int, *arguments: bytes | int | None) -> int:
    """The answer of system call ``number``.

    Raises:
        OSError: it failed.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    libc.syscall.restype = ctypes.c_long
    words = (
        ctypes.c_long(argument) if isinstance(argument, int) else ctypes.c_char_p(argument)
        for argument in arguments
    )
    answer = int(libc.syscall(ctypes.c_long(number), *words))
    if answer < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return answer
