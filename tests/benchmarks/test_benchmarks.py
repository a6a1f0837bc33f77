"""The benchmarks run from beginning to end; what they measure is theirs to say."""

import json
import math
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.table import Row, interleaved, render
from tests.support.machine import why_no_bubblewrap

ROOT = Path(__file__).parents[2]
_GOAL = Row("a job", 2.0, 1.0, "ms", "a floor", goal=3)


@pytest.mark.timeout(400)
def test_the_quick_run_measures_everything_and_keeps_it_as_json(state_dir: Path) -> None:
    out = state_dir / "kept.json"
    done = subprocess.run(
        (
            *(sys.executable, "-m", "benchmarks", "--quick", "--runs", "2"),
            *("--folder", str(state_dir), "--out", str(out)),
        ),
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=380,
    )
    assert done.returncode == 0, done.stderr
    kept = json.loads(out.read_text())
    without_a_floor = {"queue", "cached_job"} if why_no_bubblewrap() else set()
    assert set(kept["left_out"]) == without_a_floor
    assert kept["machine"].keys() == {"kernel", "python", "cores", "uid"}
    figures = [row[key] for row in kept["rows"] for key in ("ours", "theirs", "ratio")]
    assert figures
    assert all(math.isfinite(figure) and figure > 0 for figure in figures)
    for row in kept["rows"]:
        assert f"| {row['what']} " in done.stdout
    assert list(state_dir.iterdir()) == [out]


def test_an_unknown_benchmark_is_refused_with_the_names_that_there_are() -> None:
    done = subprocess.run(
        (sys.executable, "-m", "benchmarks", "speling"), cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == 2
    assert "speling" in done.stderr
    assert "cached_job" in done.stderr


def test_a_goal_is_reached_only_if_every_part_of_it_is() -> None:
    assert _GOAL.reached
    assert not Row("a job", 4.0, 1.0, "ms", "a floor", goal=3).reached
    assert not Row("a job", 2.0, 1.0, "ms", "a floor", goal=3, most=1.5).reached
    assert Row("a job", 2.0, 1.0, "ms", "a floor").reached is None


def test_the_table_says_what_was_missed() -> None:
    missed = Row("a slow job", 4.0, 1.0, "ms", "a floor", goal=3)
    lines = {line.split("|")[1].strip(): line for line in render([_GOAL, missed]).splitlines()}
    assert "MISSED" in lines["a slow job"]
    assert "MISSED" not in lines["a job"]


def test_candidates_take_turns() -> None:
    order: list[str] = []

    def run(name: str) -> float:
        order.append(name)
        return len(order)

    taken = interleaved({"a": lambda: run("a"), "b": lambda: run("b")}, rounds=3)
    assert order == ["a", "b", "a", "b", "a", "b"]
    assert taken == {"a": 3, "b": 4}
