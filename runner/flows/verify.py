"""Verifying a record, offline: from its folder and the keys that the verifier trusts alone.

Only where the verifier brings the repository is anything else looked at.
"""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import jsonschema
from pydantic import ValidationError

from runner.adapters import record_files
from runner.adapters.git.mirrors import Mirror
from runner.adapters.signing import TrustedKeys, verify_envelope
from runner.errors import IntegrityError
from runner.flows.verify_packets import packets_check
from runner.model.artifact import Artifact
from runner.model.checksums import parse_sums
from runner.model.job import JobPlan
from runner.model.shown import shown
from runner.model.strict_json import parse_object
from runner.model.verification import Check, CheckState, Verification
from runner.policy import attestation, record_rules

_MOST_SHOWN = 5


def verify(folder: Path, trusted: TrustedKeys, mirror: Mirror | None = None) -> Verification:
    """Whether the record in ``folder`` is whole, consistent and signed by a trusted key.

    Nothing in the folder is believed, a key beside the record least of all. What the record
    says of the machine it was made on can't be seen from here: that rests on the signature.

    Args:
        folder: A job's folder, or a copy of one.
        trusted: The keys that the verifier believes; without any, the best outcome is
            ``INTEGRITY_ONLY``.
        mirror: Of the record's repository, if the verifier has that: then review packets are
            proven against it as well.

    Raises:
        NotFoundError: ``RECORD_UNKNOWN``: there is no such folder.
    """
    return _Verifier(folder, trusted, mirror).verify()


class _Verifier:
    def __init__(self, folder: Path, trusted: TrustedKeys, mirror: Mirror | None) -> None:
        self._folder = folder
        self._mirror = mirror
        self._trusted = trusted
        self._checks: list[Check] = []
        self._signed_by: str | None = None

    def verify(self) -> Verification:
        try:
            found = record_files.listing(self._folder)
        except IntegrityError as error:
            self._conclude("files", [str(error)], "")
            return Verification(job_id=None, checks=tuple(self._checks), signed_by=None)
        artifact = self._record()
        if artifact is None:
            return Verification(job_id=None, checks=tuple(self._checks), signed_by=None)
        try:
            actual = record_files.digests(self._folder, found)
        except IntegrityError as error:
            self._conclude("files", [str(error)], "")
            return Verification(job_id=artifact.job_id, checks=tuple(self._checks), signed_by=None)
        sizes = {path: entry.size for path, entry in found.items()}
        inodes = {path: entry.inode for path, entry in found.items()}
        contradictions = (
            *record_rules.misplaced(self._folder.resolve().name, artifact),
            *record_rules.contradictions(artifact),
        )
        self._conclude("consistent", contradictions, "nothing contradicts itself")
        self._plan(artifact)
        self._sums(artifact, actual)
        self._conclude(
            "files",
            record_rules.files_differ(sizes, actual, artifact),
            f"2 logs and {len(artifact.outputs)} outputs are as the record describes them",
        )
        self._conclude(
            "nothing else",
            record_rules.strangers(inodes, actual, artifact),
            "nothing else lies there",
        )
        if (packets := packets_check(self._folder, artifact, sizes, self._mirror)) is not None:
            self._checks.append(packets)
        self._signature(artifact, actual)
        self._follow_ups(artifact, actual[attestation.RECORD_NAME], set(found))
        return Verification(
            job_id=artifact.job_id, checks=tuple(self._checks), signed_by=self._signed_by
        )

    def _record(self) -> Artifact | None:
        try:
            data = record_files.read_document(self._folder, attestation.RECORD_NAME)
            schema = parse_object(record_files.published_schema("artifact"))
            jsonschema.Draft202012Validator(schema).validate(parse_object(data))
            artifact = Artifact.model_validate_json(data)
        except FileNotFoundError:
            problem = "there is no artifact.json: the job hasn't ended, or this isn't its folder"
        except jsonschema.ValidationError as error:
            problem = f"{shown(error.json_path)}: {shown(error.message[:300])}"
        except ValidationError as error:
            problem = shown(str(error.errors()[0])[:300])
        except (ValueError, IntegrityError) as error:
            problem = shown(str(error)[:300])
        else:
            self._conclude("record", [], "artifact.json follows the published schema")
            return artifact
        self._conclude("record", [problem], "")
        return None

    def _plan(self, artifact: Artifact) -> None:
        try:
            data = record_files.read_document(self._folder, attestation.PLAN_NAME)
            parse_object(data)
            plan = JobPlan.model_validate_json(data)
        except (OSError, ValueError, IntegrityError) as error:
            self._conclude("plan", [f"plan.json: {shown(str(error)[:300])}"], "")
            return
        self._conclude(
            "plan", record_rules.plan_differs(plan, artifact), "what ran is what was admitted"
        )

    def _sums(self, artifact: Artifact, actual: dict[str, str]) -> None:
        try:
            text = record_files.read_document(self._folder, record_rules.SUMS_NAME).decode()
            sums = parse_sums(text)
        except (OSError, ValueError, IntegrityError) as error:
            self._conclude("checksums", [f"SHA256SUMS: {shown(str(error)[:300])}"], "")
            return
        problems = [
            *record_rules.checksums_differ(sums, actual),
            *record_rules.checksums_incomplete(sums, artifact),
        ]
        self._conclude("checksums", problems, f"SHA256SUMS agrees with {len(sums)} files")

    def _signature(self, artifact: Artifact, actual: dict[str, str]) -> None:
        statement = self._signed("signature", record_rules.ENVELOPE_NAME)
        if statement is None:
            return
        digest = actual[attestation.RECORD_NAME]
        named = list(record_rules.named_files(artifact))[1:]
        files = {path: actual[path] for path in named if path in actual}
        self._conclude(
            "statement",
            record_rules.statement_differs(statement, artifact, digest, files),
            "what was signed is this record with these files, commit and configuration",
        )

    def _follow_ups(self, artifact: Artifact, digest: str, found: set[str]) -> None:
        if record_rules.REVOCATION_NAME in found:
            self._revocation(artifact, digest)
        if record_rules.AUDIT_NAME in found:
            self._audit(artifact, digest)
        elif record_rules.awaits_audit(artifact):
            self._add("audit", CheckState.UNKNOWN, "the tree's audit is still to come")

    def _revocation(self, artifact: Artifact, digest: str) -> None:
        statement = self._signed("revocation", record_rules.REVOCATION_NAME)
        if statement is None:
            return
        kind = attestation.REVOCATION_TYPE
        problems = list(record_rules.follow_up_differs(statement, kind, artifact, digest))
        if not problems:
            reason = shown(str(statement["predicate"].get("reason", "no reason given"))[:300])
            problems = [f"the record was revoked: {reason}"]
        self._conclude("revocation", problems, "")

    def _audit(self, artifact: Artifact, digest: str) -> None:
        statement = self._signed("audit", record_rules.AUDIT_NAME)
        if statement is None:
            return
        kind = attestation.AUDIT_TYPE
        problems = list(record_rules.follow_up_differs(statement, kind, artifact, digest))
        if not problems and statement["predicate"].get("outcome") != "passed":
            problems = ["the audit didn't pass"]
        self._conclude("audit", problems, "the tree was compared in full, and passed")

    def _signed(self, check: str, name: str) -> dict[str, Any] | None:
        """The Statement in a signed envelope of the folder; null, and a check, if it is none."""
        try:
            envelope = record_files.read_document(self._folder, name)
            signed = verify_envelope(envelope, self._trusted)
            if signed.payload_type != attestation.PAYLOAD_TYPE:
                raise ValueError(f"got the payload type {signed.payload_type!r}")
            statement = parse_object(signed.payload)
        except FileNotFoundError:
            self._conclude(check, [f"there is no {name}"], "")
            return None
        except (ValueError, IntegrityError) as error:
            self._conclude(check, [f"{name}: {shown(str(error)[:300])}"], "")
            return None
        if signed.signed_by is None:
            claimed = ", ".join(shown(key[:80]) for key in signed.claimed_keys)
            self._add(check, CheckState.UNKNOWN, f"{name} is signed by no trusted key: {claimed}")
        else:
            self._add(check, CheckState.OK, f"{name} is signed by {signed.signed_by}")
            self._signed_by = self._signed_by or signed.signed_by
        return statement

    def _conclude(self, name: str, problems: Iterable[str], passed: str) -> None:
        seen = list(problems)
        if not seen:
            self._add(name, CheckState.OK, passed)
            return
        more = len(seen) - _MOST_SHOWN
        what = "; ".join(seen[:_MOST_SHOWN]) + (f"; and {more} more" if more > 0 else "")
        self._add(name, CheckState.FAILED, what)

    def _add(self, name: str, state: CheckState, what: str) -> None:
        self._checks.append(Check(name=name, state=state, what=what))
