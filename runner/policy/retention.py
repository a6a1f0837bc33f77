"""What the garbage collection may remove. It only chooses; nothing is touched here."""

import heapq
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal


@dataclass(frozen=True, slots=True)
class Cached:
    """One thing that could be made again.

    Attributes:
        kind: A checkout reads the objects of its mirror.
        key: The mirror's key; for a checkout that key, ``/`` and the commit.
        size_bytes: On disk.
        last_used: Aware UTC.
        in_use: Whether a job holds it now.
    """

    kind: Literal["mirror", "checkout"]
    key: str
    size_bytes: int
    last_used: datetime
    in_use: bool

    @property
    def mirror_key(self) -> str:
        """The key of the mirror that this is, or depends on."""
        return self.key.partition("/")[0]


@dataclass(frozen=True, slots=True)
class KeptRecord:
    """One job's folder. ``finished_at`` is null while the job hasn't ended."""

    job_id: str
    finished_at: datetime | None


def choose_evictions(
    entries: Sequence[Cached], *, now: datetime, max_age: timedelta, max_bytes: int
) -> tuple[Cached, ...]:
    """What to evict, in the order in which to do it: the longest unused first.

    Everything unused for longer than ``max_age`` goes, then as much as brings the rest to
    ``max_bytes`` or below. What is in use stays, though it counts; so does a mirror as long as
    one of its checkouts stays, since the checkout reads the mirror's objects.
    """
    dependents = Counter(entry.mirror_key for entry in entries if entry.kind == "checkout")
    mirrors = {entry.key: entry for entry in entries if entry.kind == "mirror"}
    free = [
        (entry.last_used, entry.kind, entry.key, entry)
        for entry in entries
        if not entry.in_use and not (entry.kind == "mirror" and dependents[entry.key])
    ]
    heapq.heapify(free)
    total_bytes = sum(entry.size_bytes for entry in entries)
    chosen: list[Cached] = []
    while free:
        entry = heapq.heappop(free)[-1]
        if now - entry.last_used <= max_age and total_bytes <= max_bytes:
            break
        chosen.append(entry)
        total_bytes -= entry.size_bytes
        if entry.kind == "checkout":
            dependents[entry.mirror_key] -= 1
            mirror = mirrors.get(entry.mirror_key)
            if mirror is not None and not mirror.in_use and not dependents[mirror.key]:
                heapq.heappush(free, (mirror.last_used, mirror.kind, mirror.key, mirror))
    return tuple(chosen)


def choose_expired_artifacts(
    records: Sequence[KeptRecord], *, now: datetime, max_age: timedelta
) -> tuple[str, ...]:
    """The ids of jobs that ended longer than ``max_age`` ago, oldest first; never a living one."""
    expired = [
        (record.finished_at, record.job_id)
        for record in records
        if record.finished_at is not None and now - record.finished_at > max_age
    ]
    return tuple(job_id for _, job_id in sorted(expired))
