"""Rows of a benchmark, and how they are timed, shown and kept."""

import json
import os
import platform
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path


class NotMeasuredError(Exception):
    """Why something can't be measured on this machine."""


@dataclass(frozen=True)
class Row:
    """One comparison, measured in one run on one machine: only the ratio travels.

    Attributes:
        what: What was measured.
        ours: Its median, in ``unit``.
        theirs: That of what a user would pick instead.
        against: What that is.
        goal: What the ratio ours / theirs must stay below; null where nothing is promised.
        most: What ``ours`` must stay below; likewise.
        note: What else is worth knowing.
    """

    what: str
    ours: float
    theirs: float
    unit: str
    against: str
    goal: float | None = None
    most: float | None = None
    note: str = ""

    @property
    def ratio(self) -> float:
        """Ours as a multiple of theirs."""
        return self.ours / self.theirs

    @property
    def reached(self) -> bool | None:
        """Whether everything that is promised was reached; null where nothing is."""
        held = [self.ratio <= self.goal] if self.goal is not None else []
        held += [self.ours <= self.most] if self.most is not None else []
        return all(held) if held else None


def seconds(run: Callable[[], object]) -> float:
    """How long ``run`` takes."""
    started = time.perf_counter()
    run()
    return time.perf_counter() - started


def interleaved(candidates: Mapping[str, Callable[[], float]], *, rounds: int) -> dict[str, float]:
    """The median of what each candidate says it took, taken in turns so that noise hits all alike."""
    times: dict[str, list[float]] = {name: [] for name in candidates}
    for _ in range(rounds):
        for name, run in candidates.items():
            times[name].append(run())
    return {name: statistics.median(taken) for name, taken in times.items()}


def render(rows: Sequence[Row]) -> str:
    """The table, as Markdown that is also readable on a terminal."""
    cells = [("what", "ours", "theirs", "ratio", "goal", "", "against", "note")]
    cells += [
        (
            row.what,
            f"{row.ours:.3g} {row.unit}",
            f"{row.theirs:.3g} {row.unit}",
            f"{row.ratio:.2f}",
            _goal(row),
            {None: "", True: "ok", False: "MISSED"}[row.reached],
            row.against,
            row.note,
        )
        for row in rows
    ]
    widths = [max(len(line[column]) for line in cells) for column in range(len(cells[0]))]
    lines = [
        "| "
        + " | ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True))
        + " |"
        for line in cells
    ]
    lines.insert(1, "|" + "|".join("-" * (width + 2) for width in widths) + "|")
    return "\n".join(lines)


def _goal(row: Row) -> str:
    ratio = [] if row.goal is None else [f"≤ {row.goal:g} times"]
    return ", ".join(ratio + ([] if row.most is None else [f"≤ {row.most:g} {row.unit}"]))


def keep(rows: Sequence[Row], path: Path, *, command: str, left_out: Mapping[str, str]) -> None:
    """Writes the rows as JSON, with what was asked for, what wasn't measured, and where it was."""
    path.parent.mkdir(parents=True, exist_ok=True)
    machine = {
        "kernel": platform.release(),
        "python": platform.python_version(),
        "cores": os.cpu_count(),
        "uid": os.getuid(),
    }
    measured = [{**asdict(row), "ratio": row.ratio, "reached": row.reached} for row in rows]
    document = {"command": command, "machine": machine, "rows": measured, "left_out": left_out}
    path.write_text(json.dumps(document, indent=1) + "\n")
