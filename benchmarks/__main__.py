"""``python -m benchmarks [NAME]...``: the table of ratios, and ``results/latest.json``.

Each module ``bench_NAME.py`` here has a function ``measure(ground, scale) -> Iterator[Row]``.
Exit codes: 0 measured, whatever the figures, since most machines are too noisy to fail on them;
2 not understood.
"""

import argparse
import importlib
import sys
from pathlib import Path

from benchmarks.ground import Scale, prepared_ground
from benchmarks.table import NotMeasuredError, Row, keep, render

HERE = Path(__file__).parent
# What makes files comes before what removes many: some file systems are slow for minutes after.
KNOWN = (
    *("first_checkout", "evidence", "queue", "start"),
    *("log_pump", "log_tail", "cached_job", "review_packets"),
)


def main(arguments: list[str]) -> int:
    """Runs the named benchmarks, or all."""
    asked = _asked(arguments)
    scale = Scale()
    if asked.quick:
        scale = Scale(sizes=scale.sizes[:2], runs=5, big=1, megabytes=20)
    if asked.runs:
        scale = Scale(scale.sizes, asked.runs, min(scale.big, asked.runs), scale.megabytes)
    rows: list[Row] = []
    left_out: dict[str, str] = {}
    with prepared_ground(asked.folder) as ground:
        for name in asked.names or KNOWN:
            print(f"measuring {name} …", file=sys.stderr, flush=True)
            try:
                rows.extend(
                    importlib.import_module(f"benchmarks.bench_{name}").measure(ground, scale)
                )
            except NotMeasuredError as error:
                left_out[name] = str(error)
    print(render(rows))
    for name, why in left_out.items():
        print(f"not measured: {name}: {why}")
    keep(rows, asked.out, command=" ".join(("python -m benchmarks", *arguments)), left_out=left_out)
    return 0


def _asked(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(KNOWN))
    parser.add_argument("--quick", action="store_true", help="smaller repositories, fewer runs")
    parser.add_argument("--runs", type=int, help="how often what takes milliseconds is measured")
    parser.add_argument("--out", type=Path, default=HERE / "results" / "latest.json")
    parser.add_argument(
        "--folder", type=Path, default=Path("/tmp"), help="on the disk to measure; a short path"
    )
    asked = parser.parse_args(arguments)
    if unknown := set(asked.names) - set(KNOWN):
        parser.error(
            f"no such benchmark: {', '.join(sorted(unknown))}; there is {', '.join(KNOWN)}"
        )
    return asked


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
