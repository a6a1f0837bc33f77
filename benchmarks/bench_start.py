"""How long ``runner --help`` takes against a Python that does nothing."""

import subprocess
import sys
from collections.abc import Iterator

from benchmarks.ground import ROOT, Ground, Scale
from benchmarks.table import Row, interleaved, seconds


def measure(_: Ground, scale: Scale) -> Iterator[Row]:
    def start(*arguments: str) -> float:
        argv = (sys.executable, *arguments)
        return seconds(lambda: subprocess.run(argv, cwd=ROOT, capture_output=True, check=True))

    taken = interleaved(
        {"ours": lambda: start("-m", "runner", "--help"), "theirs": lambda: start("-c", "pass")},
        rounds=max(2, scale.runs // 2),
    )
    yield Row(
        "runner --help",
        taken["ours"] * 1000,
        taken["theirs"] * 1000,
        "ms",
        "python -c pass",
        most=300,
    )
