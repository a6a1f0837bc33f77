"""Jobs whose worker died get their record all the same."""

from datetime import datetime

import structlog

from runner.adapters.job_folders import JobFolder, JobFolders
from runner.adapters.log_files import recover_log
from runner.adapters.private_runs import PrivateRuns
from runner.adapters.signing import Signer
from runner.errors import BusyError, NotFoundError, RunnerError
from runner.flows.seal import seal
from runner.model.artifact import Logs
from runner.model.job import Reason, Status
from runner.policy.conclusion import Conclusion
from runner.policy.recording import Facts, compose

_log = structlog.get_logger(__name__)

_LOST = Conclusion(
    Status.ERROR,
    Reason.WORKER_LOST,
    "the worker died before the job had ended; with it, every process of the job",
)


def recover(
    folders: JobFolders,
    runs: PrivateRuns,
    signer: Signer,
    *,
    now: datetime,
    hostname: str,
    runner_version: str,
) -> tuple[str, ...]:
    """Seals every job that was lost with its worker; their ids.

    That is one that was begun and that nobody living executes, and one that nobody will begin,
    since who promised to is dead. Who gets the lock of a job's folder knows that its executor is
    dead, since the kernel drops the lock with the process, and a job's processes die with it.
    """
    sealed = []
    broken = {job_id for job_id in runs.job_ids() if runs.is_broken(job_id)}
    for job_id in folders.ids():
        try:
            folder = folders.open(job_id)
            if job_id not in broken and not folder.was_begun():
                continue
            with folder.hold():
                if folder.artifact() is not None:
                    folder.tidy()
                elif _seal(folder, signer, now, hostname, runner_version):
                    sealed.append(job_id)
        except (BusyError, NotFoundError):
            broken.discard(job_id)
        except (RunnerError, OSError) as error:
            broken.discard(job_id)
            _log.error("recover.failed", job_id=job_id, error=str(error))
    for job_id in broken:
        runs.forget(job_id)
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
