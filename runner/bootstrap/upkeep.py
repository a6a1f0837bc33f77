"""What gc and doctor are about on this machine."""

from datetime import timedelta
from functools import partial

from runner.bootstrap.connection import live
from runner.bootstrap.core import Runner
from runner.flows.collect_garbage import Keeping
from runner.flows.doctor import Patient


def keeping(runner: Runner) -> Keeping:
    """What gc needs to know."""
    settings = runner.settings
    return Keeping(
        folders=runner.folders,
        checkouts=runner.checkouts,
        mirrors=runner.mirrors,
        scratch=runner.paths.scratch,
        quarantine=runner.paths.quarantine,
        wrappers=runner.paths.wrappers,
        current_wrappers=runner.catalog.wrappers_hash,
        records_max_age=timedelta(days=settings.artifacts_max_age_days),
        cache_max_age=timedelta(days=settings.checkouts_max_age_days),
        cache_max_bytes=settings.checkouts_max_bytes,
    )


def patient(runner: Runner) -> Patient:
    """What doctor looks at."""

    def redis_version() -> str:
        with live(runner) as connected:
            info = connected.client.info("server")
            return f"{info.get('server_name', 'redis')} {info['redis_version']}"

    return Patient(
        catalog=lambda: runner.catalog,
        redis_version=redis_version,
        key_id=lambda: f"ed25519 {runner.signer.key_id}",
        git_version=lambda: runner.git.run("version").stdout.decode().strip(),
        probes=tuple((one.name, partial(runner.probe, one)) for one in runner.backends()),
        min_level=runner.settings.sandbox_min_level,
        state=runner.paths.root,
    )
