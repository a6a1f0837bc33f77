"""``python -m benchmarks [NAME]...``: the table of ratios, and ``results/latest.json``.

Each module ``bench_NAME.py`` here has a function ``measure() -> Iterable[Row]``.
Exit codes: 0 measured, whatever the figures; these machines are too noisy to fail on them.
"""

import importlib
import sys
from pathlib import Path

from benchmarks.table import Row, keep, render

HERE = Path(__file__).parent


def main(names: list[str]) -> int:
    """Runs the named benchmarks, or all."""
    known = {path.stem.removeprefix("bench_") for path in HERE.glob("bench_*.py")}
    if unknown := set(names) - known:
        print(f"no such benchmark: {', '.join(sorted(unknown))}; there is {', '.join(known)}")
        return 2
    rows: list[Row] = []
    for name in sorted(set(names) or known):
        print(f"measuring {name} …", file=sys.stderr, flush=True)
        rows.extend(importlib.import_module(f"benchmarks.bench_{name}").measure())
    print(render(rows))
    keep(rows, HERE / "results" / "latest.json")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
