"""Jobs whose worker died get their record all the same."""

from datetime import datetime

import structlog

from runner.adapters.job_folders import JobFolder, JobFolders
from runner.adapters.log_files import recover_log
from runner.adapters.signing import Signer
from runner.errors import BusyError, RunnerError
from runner.flows.seal import seal
from runner.model.artifact import Logs
from runner.model.job import Reason, Status
from runner.policy.conclusion import Conclusion
from runner.policy.recording import Facts, compose

_log = structlog.get_logger(__name__)

_LOST = Conclusion(
    Status.ERROR,
    Reason.WORKER_LOST,
    "the worker died while it ran the job; with it, every process of the job",
)


def recover(
    folders: JobFolders, signer: Signer, *, now: datetime, hostname: str, runner_version: str
) -> tuple[str, ...]:
    """Seals every job that was begun and that nobody living executes; their ids.

    Who gets the lock of a job's folder knows that its executor is dead, since the kernel drops
    the lock with the process, and a job's processes die with it.
    """
    sealed = []
    for job_id in folders.ids():
        folder = folders.open(job_id)
        if not folder.was_begun():
            continue
        try:
            with folder.hold():
                if folder.artifact() is None and _seal(
                    folder, signer, now, hostname, runner_version
                ):
                    sealed.append(job_id)
        except BusyError:
            continue
        except RunnerError as error:
            _log.error("recover.failed", job_id=job_id, error=str(error))
    return tuple(sealed)


def _seal(
    folder: JobFolder, signer: Signer, now: datetime, hostname: str, runner_version: str
) -> bool:
    logs = Logs(stdout=recover_log(folder.stdout), stderr=recover_log(folder.stderr))
    artifact = compose(
        folder.plan(),
        Facts(),
        _LOST,
        logs=logs,
        finished_at=now,
        hostname=hostname,
        runner_version=runner_version,
    )
    return seal(folder, artifact, signer)
