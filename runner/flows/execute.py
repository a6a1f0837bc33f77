"""One job, from the claim to the sealed record.

The steps are numbered; each either goes on, or ends the job with a status and a reason. Whatever
happens after the claim, a record is written: that is what this file is about.
"""

import contextlib
import errno
from collections.abc import Callable, Iterator
from datetime import UTC, datetime

import structlog

from runner.adapters.git.mirrors import Mirror
from runner.adapters.job_folders import JobFolder
from runner.adapters.junit import count_tests
from runner.adapters.log_files import CappedLog, recover_log
from runner.adapters.outputs import collect
from runner.adapters.sandbox.backend import Contained
from runner.adapters.sandbox.supervise import supervise
from runner.adapters.scratch import private_folder
from runner.errors import BusyError, RefusedError, RunnerError
from runner.flows.audit import audit_later, quarantine
from runner.flows.claims import claim_of
from runner.flows.equipment import Equipment
from runner.flows.job_command import job_command
from runner.flows.seal import seal
from runner.flows.watch import Watch
from runner.model.artifact import Artifact, LogRecord, Logs
from runner.model.catalog import Catalog
from runner.model.checkout import Checkout
from runner.model.job import JobPlan, Reason, RepoSource, Status
from runner.model.sandbox import ProcessExit, Stop
from runner.model.shown import shown
from runner.policy.admission import still_admitted
from runner.policy.claims import Finding
from runner.policy.conclusion import Conclusion, Ending, conclude
from runner.policy.confinement import can_run_here
from runner.policy.invariants import check
from runner.policy.record_rules import awaits_audit
from runner.policy.recording import Facts, compose

_log = structlog.get_logger(__name__)


class _CancelledEarlyError(Exception):
    """The job was cancelled before its own code began."""


def execute(
    job_id: str,
    equipment: Equipment,
    *,
    worker: str,
    interrupted: Callable[[], Stop | None] = lambda: None,
) -> Artifact | None:
    """Runs the job that the queue rang for; the sealed record, or null if it wasn't ours to run.

    Args:
        job_id: As it came over the queue.
        equipment: What to do it with.
        worker: Who runs it, for the claim.
        interrupted: Asked while the job runs; an answer ends it.

    Raises:
        NotFoundError: no such job was ever accepted.
        UnavailableError: the store can't be reached, or the record can't be written.
    """
    folder = equipment.folders.open(job_id)
    plan = folder.plan()
    with contextlib.ExitStack() as stack:
        try:
            stack.enter_context(folder.hold())
        except BusyError:
            return None
        # 1 claim: one wins; a job that was cancelled meanwhile is not run
        started_at = datetime.now(UTC)
        fence = equipment.store.claim(
            job_id, worker=worker, now=started_at, lease_s=equipment.lease_s
        )
        if fence is None:
            return None
        watch = Watch(equipment.store, job_id, fence, equipment.lease_s, interrupted)
        attempt = _Attempt(plan, folder, equipment, started_at, fence)
        conclusion = attempt.run(watch)
        artifact = attempt.seal(conclusion)
        attempt.put_away()
        watch.tell_end(artifact)
        attempt.audit(artifact)
        return artifact


class _Attempt:
    """One attempt at a job: gathers facts step by step, so that any ending can be recorded."""

    def __init__(
        self,
        plan: JobPlan,
        folder: JobFolder,
        equipment: Equipment,
        started_at: datetime,
        number: int,
    ) -> None:
        self.plan = plan
        self.folder = folder
        self.equipment = equipment
        self.facts = Facts(started_at=started_at, attempt=number)
        self.log_records: dict[str, LogRecord] = {}
        self.checkout: Checkout | None = None

    def run(self, watch: Watch) -> Conclusion:
        """Steps 2 to 7. Every error becomes a conclusion: this is the edge of a job's execution."""
        try:
            self.folder.reserve()
            catalog = self.equipment.catalog()
            still_admitted(self.plan, catalog)
            with self._checkout() as checkout:
                self._run_confined(checkout, catalog, watch)
                self.facts = self.facts.learned(tree=self.equipment.checkouts.check(checkout))
                # 7 exit and invariants → status and reason; of a success, what it claims too
                conclusion = self._conclude()
                if conclusion.status is Status.SUCCESS:
                    self.facts = self.facts.learned(claim=self._claim())
                    conclusion = self._conclude()
                return conclusion
        except _CancelledEarlyError:
            return Conclusion(
                Status.CANCELLED, Reason.CANCELLED, "it was cancelled before it began"
            )
        except RefusedError as error:
            return _ended(Status.REJECTED, error.code, error)
        except RunnerError as error:
            return _ended(Status.ERROR, error.code, error)
        except OSError as error:
            full = error.errno in (errno.ENOSPC, errno.EDQUOT)
            reason = Reason.DISK_FULL if full else Reason.INTERNAL_ERROR
            _log.error("job.os_error", job_id=self.plan.job_id, error=str(error), exc_info=True)
            return _ended(Status.ERROR, reason, error)
        except Exception as error:
            _log.error("job.bug", job_id=self.plan.job_id, exc_info=True)
            return _ended(Status.ERROR, Reason.INTERNAL_ERROR, error)

    @contextlib.contextmanager
    def _checkout(self) -> Iterator[Checkout]:
        # 2 the commit is there, is a commit, and is on an allowed branch
        plan = self.plan
        mirror = self._mirror()
        tree_id = mirror.ensure_commit(
            plan.sha, allowed_branches=plan.allowed_branches, default_branch=plan.default_branch
        )
        self.facts = self.facts.learned(tree_id=tree_id)
        # 3 its read-only tree, shared with every other job on it
        with (
            mirror.hold(),
            self.equipment.checkouts.use(
                mirror.key,
                mirror.objects,
                plan.sha,
                lambda into: mirror.materialise(plan.sha, into),
            ) as checkout,
        ):
            self.checkout = checkout
            yield checkout

    def _mirror(self) -> Mirror:
        local = self.plan.repo_source is RepoSource.OPERATOR_PATH
        return self.equipment.mirrors.open(self.plan.remote_url, local=local)

    def _run_confined(self, checkout: Checkout, catalog: Catalog, watch: Watch) -> None:
        # 4 confine; a write is tried inside before the job's own code is let go
        chamber = self.equipment.chamber()
        self.facts = self.facts.learned(confinement=chamber.confinement)
        can_run_here(self.plan, chamber.confinement)
        if watch.should_stop() is Stop.CANCELLED:
            raise _CancelledEarlyError
        with (
            private_folder(self.equipment.scratch, self.plan.job_id) as scratch,
            chamber.backend.start(
                job_command(self.plan, self.equipment, checkout, catalog, scratch)
            ) as contained,
        ):
            self.facts = self.facts.learned(evidence=contained.evidence)
            # 5 run until exit, time-out or cancel; then nothing of it is alive
            end = self._supervise(contained, watch)
            self.facts = self.facts.learned(process_exit=end)
            # 6 outputs, as hostile input
            if end.proven_dead or chamber.confinement.level == 0:
                self._collect(contained.outputs_fd)

    def _supervise(self, contained: Contained, watch: Watch) -> ProcessExit:
        cap = self.plan.limits.log_bytes
        stdout = CappedLog(self.folder.path / "stdout.log", cap)
        stderr = CappedLog(self.folder.path / "stderr.log", cap)
        try:
            return supervise(
                contained,
                stdout=stdout.write,
                stderr=stderr.write,
                timeout_s=self.plan.timeout_s,
                grace_s=self.equipment.grace_s,
                output_limit_bytes=self.plan.limits.output_bytes,
                should_stop=watch.should_stop,
            )
        finally:
            self.log_records = {"stdout": stdout.close(), "stderr": stderr.close()}

    def _collect(self, outputs_fd: int) -> None:
        limits = self.plan.limits
        collected = collect(
            outputs_fd,
            self.folder.path / "outputs",
            max_files=limits.output_files,
            max_bytes=limits.output_bytes,
        )
        self.facts = self.facts.learned(
            outputs=collected.outputs,
            outputs_refused=collected.refused,
            output_limit=collected.limit_hit,
            tests=count_tests(self.folder.path / "outputs" / "junit.xml"),
        )

    def _claim(self) -> Finding | None:
        facts, root = self.facts, self.equipment.scratch
        left = (self.folder.path / "outputs", facts.outputs, facts.outputs_refused)
        return claim_of(self.plan, *left, scratch_root=root, mirror=self._mirror())

    def _conclude(self) -> Conclusion:
        facts = self.facts
        assert facts.process_exit is not None
        invariants, _ = check(facts.confinement, facts.evidence, facts.process_exit, facts.tree)
        return conclude(
            Ending(
                process_exit=facts.process_exit,
                invariants=invariants,
                changed_files=() if facts.tree is None else facts.tree.changed_files,
                output_limit=facts.output_limit,
                timeout_s=self.plan.timeout_s,
                claim_problems=() if facts.claim is None else facts.claim.problems,
            )
        )

    def seal(self, conclusion: Conclusion) -> Artifact:
        """Step 8: what was found out, in the form that stays. The first sealed record stands."""
        self.folder.release_reserve()
        artifact = compose(
            self.plan,
            self.facts,
            conclusion,
            logs=self._logs(),
            finished_at=datetime.now(UTC),
            hostname=self.equipment.hostname,
            runner_version=self.equipment.runner_version,
        )
        if seal(self.folder, artifact, self.equipment.signer):
            return artifact
        return self.folder.sealed()

    def put_away(self) -> None:
        """Takes a checkout that changed out of the cache, so that the next job gets a new one."""
        checkout, tree = self.checkout, self.facts.tree
        if checkout is None or tree is None or (tree.intact and not tree.head_moved):
            return
        quarantine(checkout, tree, self.equipment.checkouts)

    def audit(self, artifact: Artifact) -> None:
        """Makes up for the comparison of a big tree that was put off."""
        if self.checkout is not None and awaits_audit(artifact):
            audit_later(self.checkout, self._mirror(), self.equipment)

    def _logs(self) -> Logs:
        for name in ("stdout", "stderr"):
            if name not in self.log_records:
                path = self.folder.path / f"{name}.log"
                self.log_records[name] = recover_log(path, self.plan.limits.log_bytes)
        return Logs(**self.log_records)


def _ended(status: Status, code: str, error: BaseException) -> Conclusion:
    words = error.args[0] if isinstance(error, RunnerError) else f"{type(error).__name__}: {error}"
    remedy = f" ({error.remedy})" if isinstance(error, RunnerError) and error.remedy else ""
    return Conclusion(status, code, shown(f"{words}{remedy}", keep="\n"))
