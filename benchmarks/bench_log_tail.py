"""The last line of a long log."""

import subprocess
from collections.abc import Iterator

from benchmarks.ground import Ground, Scale
from benchmarks.table import Row, interleaved, seconds
from runner.adapters.log_files import tail_lines

_LINE = b"a line of a job's output, as long as such lines are\n"


def measure(ground: Ground, scale: Scale) -> Iterator[Row]:
    path = ground.folder / "long.log"
    block = _LINE * (1_000_000 // len(_LINE))
    with path.open("wb") as log:
        for _ in range(scale.megabytes):
            log.write(block)

    def ours() -> None:
        if tail_lines(path, 1) != _LINE:
            raise RuntimeError("the last line isn't the last line")

    command = ("tail", "-n", "1", str(path))
    taken = interleaved(
        {
            "ours": lambda: seconds(ours),
            "theirs": lambda: seconds(
                lambda: subprocess.run(command, capture_output=True, check=True)
            ),
        },
        rounds=scale.runs,
    )
    path.unlink()
    yield Row(
        f"the last line of {scale.megabytes:,} MB",
        taken["ours"] * 1000,
        taken["theirs"] * 1000,
        "ms",
        "tail -n 1",
        most=10,
    )
