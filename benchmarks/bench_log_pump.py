"""How fast a job's output is kept, counted and hashed, against hashing alone."""

import hashlib
import tempfile
from collections.abc import Iterator
from pathlib import Path

from benchmarks.table import Row, interleaved
from runner.adapters.log_files import CappedLog

PIECE = b"a line of a job's output, as long as such lines are\n" * 5000
PIECES = 800  # about 200 MB
CAP_BYTES = 8 << 20


def measure() -> Iterator[Row]:
    megabytes = len(PIECE) * PIECES / 1e6
    with tempfile.TemporaryDirectory() as folder:

        def ours() -> None:
            log = CappedLog(Path(folder, "stdout.log"), CAP_BYTES)
            for _ in range(PIECES):
                log.write(PIECE)
            log.close()
            Path(folder, "stdout.log").unlink()

        def theirs() -> None:
            digest = hashlib.sha256()
            for _ in range(PIECES):
                digest.update(PIECE)

        taken = interleaved({"ours": ours, "theirs": theirs}, rounds=5)
    yield Row(
        f"log pump ({megabytes / taken['ours']:.0f} MB/s)",
        taken["ours"] / megabytes * 1000,
        taken["theirs"] / megabytes * 1000,
        "ms/MB",
        "sha256 alone",
    )
