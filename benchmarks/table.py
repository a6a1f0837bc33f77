"""Rows of a benchmark, and how they are timed, shown and kept."""

import json
import platform
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path


@dataclass(frozen=True)
class Row:
    """One comparison, measured in one run on one machine: only the ratio travels.

    Attributes:
        what: What was measured.
        ours: Its median, in ``unit``.
        theirs: That of what a user would pick instead.
        against: What that is.
        goal: What the ratio ours / theirs must stay below; null where nothing is promised.
    """

    what: str
    ours: float
    theirs: float
    unit: str
    against: str
    goal: float | None = None

    @property
    def ratio(self) -> float:
        """Ours as a multiple of theirs."""
        return self.ours / self.theirs if self.theirs else float("inf")

    @property
    def reached(self) -> bool:
        """Whether the goal was reached, or there is none."""
        return self.goal is None or self.ratio <= self.goal


def interleaved(candidates: Mapping[str, Callable[[], object]], *, rounds: int) -> dict[str, float]:
    """The median seconds of each candidate, taken in turns so that noise hits all alike."""
    times: dict[str, list[float]] = {name: [] for name in candidates}
    for _ in range(rounds):
        for name, run in candidates.items():
            started = time.perf_counter()
            run()
            times[name].append(time.perf_counter() - started)
    return {name: statistics.median(taken) for name, taken in times.items()}


def render(rows: Sequence[Row]) -> str:
    """The table, as Markdown that is also readable on a terminal."""
    cells = [("what", "ours", "theirs", "ratio", "goal", "", "against")]
    cells += [
        (
            row.what,
            f"{row.ours:.3g} {row.unit}",
            f"{row.theirs:.3g} {row.unit}",
            f"{row.ratio:.2f}",
            "" if row.goal is None else f"≤ {row.goal:g}",
            "" if row.goal is None else ("ok" if row.reached else "MISSED"),
            row.against,
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


def keep(rows: Sequence[Row], path: Path) -> None:
    """Writes the rows, and the machine that they were taken on, as JSON."""
    path.parent.mkdir(parents=True, exist_ok=True)
    machine = {"kernel": platform.release(), "python": platform.python_version()}
    measured = [{**asdict(row), "ratio": row.ratio, "reached": row.reached} for row in rows]
    path.write_text(json.dumps({"machine": machine, "rows": measured}, indent=1) + "\n")
