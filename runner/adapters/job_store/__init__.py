"""The state of the living jobs in Redis. Each change is one atomic script.

Redis runs a script without letting anything come between (Redis documentation, *Scripting with
Lua*), so what a script has read still holds when it writes. A lost reply leaves open whether a
change was made, so it is told once more; each script is written so that the second telling answers
as the first did.

Keys, below the prefix: ``job:<id>`` (a hash, the job), ``jobs`` and ``jobs:<status>`` (job ids,
which sort by time, as sorted sets without scores), ``idempotency:<sha256 of the key>``. Scripts
reach keys that they find by reading, so this is not for Redis Cluster.
"""

from runner.adapters.job_store.store import CancelOutcome, JobStore, Submitted

__all__ = ["CancelOutcome", "JobStore", "Submitted"]
