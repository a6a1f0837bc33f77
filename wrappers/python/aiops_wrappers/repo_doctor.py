"""``repo_doctor``: how healthy is this repository, as far as its files tell?"""

import json
import re
import sys
from itertools import groupby

from aiops_wrappers.contract import ContractError, Job
from aiops_wrappers.doctor.contents import look_at_contents
from aiops_wrappers.doctor.findings import KINDS, LEVELS, Findings
from aiops_wrappers.doctor.links import LinkChecker
from aiops_wrappers.doctor.listing import MOST_ENTRIES, ListingError, list_commit
from aiops_wrappers.doctor.names import look_at_names
from aiops_wrappers.doctor.project import look_at_project
from aiops_wrappers.output import Output

SHOWN_PER_KIND = 20
_SHA = re.compile(r"(?:[0-9a-f]{40}|[0-9a-f]{64})\Z")
STRICT = {"off": (), "errors": ("error",), "warnings": ("error", "warning")}


def run(job: Job) -> int:
    """0 if the report was made, 1 if ``strict`` and it holds such findings, 3 if it wasn't made.

    Raises:
        ContractError: an unknown value of ``strict``, or a commit id that is none.
    """
    strict = job.param("strict", "off")
    if strict not in STRICT:
        raise ContractError(f"strict is {strict!r}, expected one of {', '.join(STRICT)}")
    if not _SHA.match(job.sha):
        raise ContractError(f"AIOPS_SHA is {job.sha!r}, expected a full commit id")
    try:
        entries = list_commit(job.checkout, job.sha)
    except ListingError as error:
        print(f"repo_doctor: {error}", file=sys.stderr)
        return 3
    findings = Findings()
    if len(entries) == MOST_ENTRIES:
        findings.add("not_read_whole", detail=b"the commit has more entries than are looked at")
    links = LinkChecker(job.checkout, entries)
    look_at_names(entries, findings)
    links.look_at_symlinks(entries, findings)
    read_bytes = look_at_contents(job.checkout, entries, links, findings)
    look_at_project(job.checkout, entries, findings)

    summary = {
        "schema_version": 1,
        "repo": job.repo,
        "sha": job.sha,
        "entries": len(entries),
        "bytes_in_commit": sum(entry.size_bytes for entry in entries),
        "bytes_read": read_bytes,
        "levels": {level: findings.of_level(level) for level in LEVELS},
        "kinds": dict(sorted(findings.counts.items())),
        "findings": [
            {"level": KINDS[f.kind].level, "kind": f.kind, "path": f.path}
            | ({"line": f.line} if f.line is not None else {})
            | ({"detail": f.detail} if f.detail else {})
            for f in findings.in_order()
        ],
    }
    text = json.dumps(summary, indent=1, ensure_ascii=False) + "\n"
    (job.artifacts / "repo_doctor.json").write_text(text, encoding="utf-8")
    with Output(job.artifacts, "REPO_DOCTOR.txt") as output:
        _tell(output, job, findings, len(entries), read_bytes)
    return 1 if any(findings.of_level(level) for level in STRICT[strict]) else 0


def _tell(output: Output, job: Job, findings: Findings, entries: int, read_bytes: int) -> None:
    """Writes the report as a person reads it, gravest first."""
    counts = ", ".join(f"{findings.of_level(level)} {level}s" for level in LEVELS)
    output.say(f"repo_doctor: {job.repo} at {job.sha}")
    output.say(f"{entries} entries, {read_bytes / 1024 / 1024:.1f} MiB read: {counts}")
    for kind, group in groupby(findings.in_order(), key=lambda finding: finding.kind):
        count = findings.counts[kind]
        output.say()
        output.say(f"{KINDS[kind].level}: {kind} ({count}): {KINDS[kind].meaning}")
        found = list(group)
        for finding in found[:SHOWN_PER_KIND]:
            place = finding.path if finding.line is None else f"{finding.path}:{finding.line}"
            line = " · ".join(part for part in (place, finding.detail) if part)
            if line:
                output.tell(f"  {line}")
        if count > SHOWN_PER_KIND:
            output.say(f"  and {count - SHOWN_PER_KIND} more; repo_doctor.json has the first 500")
