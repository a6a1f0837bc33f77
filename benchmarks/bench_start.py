"""How long ``runner --help`` takes against a Python that does nothing."""

import subprocess
import sys
from collections.abc import Iterator

from benchmarks.table import Row, interleaved


def measure() -> Iterator[Row]:
    def start(*arguments: str) -> None:
        subprocess.run((sys.executable, *arguments), capture_output=True, check=True)

    taken = interleaved(
        {"ours": lambda: start("-m", "runner", "--help"), "theirs": lambda: start("-c", "pass")},
        rounds=15,
    )
    yield Row("runner --help", taken["ours"] * 1000, taken["theirs"] * 1000, "ms", "python -c pass")
