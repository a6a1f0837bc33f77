"""``python -m benchmarks.packets_once OBJECTS BASE HEAD FOLDER``: packets of one range, once.

A process of its own, so that its memory is what this alone takes. Prints JSON: seconds and peak
memory of building, then of the proof.
"""

import json
import resource
import sys
import time
from pathlib import Path
from typing import Any

from runner.adapters.git.config import write_git_config
from runner.adapters.git.process import GitProcess
from runner.adapters.git.ranges import RangeReader
from runner.flows.bundle import Places, Wanted, build
from runner.flows.prove import prove


def main(objects: Path, base: str, head: str, folder: Path) -> dict[str, Any]:
    """What building packets in ``folder`` took, and proving them."""
    write_git_config(folder / "gitconfig")
    packets, scratch, proving = folder / "packets", folder / "scratch", folder / "proving"
    scratch.mkdir()
    proving.mkdir()
    started = time.perf_counter()
    reader = RangeReader(GitProcess(folder / "gitconfig"), objects, folder / "range", head)
    places = Places(
        folder / "REVIEW_BUNDLE.txt", packets, folder / "packets.tar.gz", folder / "README.txt"
    )
    built = build(reader, reader.range(base, head), Wanted(force_packets=True), places, scratch)
    told = {"packets": built.packets, "built_s": time.perf_counter() - started, **_peaks("built")}
    started = time.perf_counter()
    proof = prove(packets, reader, proving)
    if not proof.complete:
        raise RuntimeError(f"the packets aren't complete: {proof.problems}")
    return {**told, "proven_s": time.perf_counter() - started, **_peaks("proven")}


def _peaks(what: str) -> dict[str, float]:
    """The most memory so far, in MB: of this process, and of the largest git that it started.

    Ours is what proc(5) calls VmHWM: getrusage(2) counts what the process that started this one
    had as well, and so of git it tells a little too much.
    """
    own = int(Path("/proc/self/status").read_text().partition("VmHWM:")[2].split()[0])
    git = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    return {f"{what}_mb": own * 1024 / 1e6, f"{what}_git_mb": git * 1024 / 1e6}


if __name__ == "__main__":
    print(json.dumps(main(Path(sys.argv[1]), sys.argv[2], sys.argv[3], Path(sys.argv[4]))))
