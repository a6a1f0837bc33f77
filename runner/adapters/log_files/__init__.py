"""A job's two log streams on disk: ``writing`` keeps head and tail, ``reading`` finds its way."""

from runner.adapters.log_files.reading import (
    LogChunk,
    LogEvent,
    LogGap,
    follow_log,
    for_terminal,
    read_log,
    tail_lines,
)
from runner.adapters.log_files.writing import CappedLog, marker, recover_log

__all__ = [
    "CappedLog",
    "LogChunk",
    "LogEvent",
    "LogGap",
    "follow_log",
    "for_terminal",
    "marker",
    "read_log",
    "recover_log",
    "tail_lines",
]
