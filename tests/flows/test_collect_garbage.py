"""What gc removes, and what it never touches: the living, the used, and what links lead to."""

import tempfile
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from runner.adapters.rq_queue import RedisClient
from runner.bootstrap.upkeep import keeping
from runner.flows.collect_garbage import Removal, collect_garbage
from runner.model.job import Status
from tests.support.folders import remove_sealed
from tests.support.workshop import Workshop

EVERYTHING = {
    "records_max_age": timedelta(0),
    "cache_max_age": timedelta(0),
    "cache_max_bytes": 0,
}


@pytest.fixture
def shop(backend_name: str, redis_client: RedisClient) -> Iterator[Workshop]:
    """An installation of its own for each test."""
    folder = Path(tempfile.mkdtemp(prefix="aiops-", dir="/tmp"))
    folder.chmod(0o711)
    made = Workshop(folder, redis_client, backend=backend_name)
    yield made
    made.close()
    remove_sealed(folder)


def collect(
    shop: Workshop, *, later: timedelta = timedelta(days=1), dry_run: bool = False, **limits: object
) -> set[tuple[str, bool]]:
    """The kinds of what gc removes, each with whether it is gone."""
    removals = removed(shop, later, dry_run, **limits)
    return {(removal.kind, removal.done) for removal in removals}


def removed(
    shop: Workshop, later: timedelta, dry_run: bool, **limits: object
) -> tuple[Removal, ...]:
    """What gc does at a later time."""
    chosen = replace(keeping(shop.runner), **{**EVERYTHING, **limits})  # type: ignore[arg-type]
    return collect_garbage(chosen, now=datetime.now(UTC) + later, dry_run=dry_run)


def test_what_is_old_goes_and_the_next_job_runs(shop: Workshop) -> None:
    old = shop.run("echo hello")
    assert collect(shop) == {("record", True), ("checkout", True), ("mirror", True)}
    assert old.job_id not in shop.runner.folders.ids()
    assert shop.run("echo hello").status is Status.SUCCESS


def test_what_is_young_stays(shop: Workshop) -> None:
    artifact = shop.run("echo hello")
    week, plenty = timedelta(days=7), 1 << 40
    assert collect(shop, records_max_age=week, cache_max_age=week, cache_max_bytes=plenty) == set()
    shop.check(artifact)


def test_a_dry_run_names_all_and_removes_nothing(shop: Workshop) -> None:
    artifact = shop.run("echo hello")
    assert collect(shop, dry_run=True) == {
        ("record", False),
        ("checkout", False),
        ("mirror", False),
    }
    shop.check(artifact)
    assert list(shop.runner.paths.checkouts.glob(f"*/{shop.sha}"))


def test_a_job_that_has_not_ended_keeps_its_folder(shop: Workshop) -> None:
    shop.run("echo hello")
    queued, begun = shop.submit("echo"), shop.submit("echo")
    begun.reserve()
    collect(shop, later=timedelta(days=36_500))
    assert set(shop.runner.folders.ids()) == {queued.job_id, begun.job_id}
    assert shop.execute(queued).status is Status.SUCCESS


def test_a_record_that_somebody_holds_stays(shop: Workshop) -> None:
    artifact = shop.run("echo hello")
    with shop.runner.folders.open(artifact.job_id).hold():
        assert ("record", False) in collect(shop)
    shop.check(artifact)


def test_a_running_job_keeps_its_checkout_mirror_and_wrappers(shop: Workshop) -> None:
    shop.add(
        "job",
        "until [ -s $TMPDIR/x ]; do echo x > $TMPDIR/x; done; sleep 0.5; "
        "cat README.md; git log --oneline | wc -l; cat $AIOPS_WRAPPERS/*.sh | wc -l",
    )
    folder = shop.submit("job")
    seen: list[set[tuple[str, bool]]] = []

    def meanwhile() -> None:
        if not seen:
            (shop.wrappers / "another.sh").write_text("#!/bin/sh\n")
            seen.append(collect(shop))

    artifact = shop.execute(folder, interrupted=meanwhile)
    assert seen == [{("checkout", False), ("mirror", False)}]
    assert artifact.status is Status.SUCCESS, artifact.detail
    assert shop.log(artifact).splitlines()[:2] == ["a repository", "1"]


def test_what_a_killed_runner_left_in_scratch_goes_when_its_job_has_its_record(
    shop: Workshop,
) -> None:
    ended, running = shop.run("echo hello"), shop.submit("echo")
    scratch = shop.runner.paths.scratch
    for job_id in (ended.job_id, running.job_id, "not-a-job"):
        (scratch / job_id / "tmp").mkdir(parents=True)
        (scratch / job_id / "tmp").chmod(0)
    collect(shop, records_max_age=timedelta(days=400))
    assert not (scratch / ended.job_id).exists()
    assert (scratch / running.job_id).exists()


def test_no_link_is_followed(shop: Workshop) -> None:
    precious = shop.folder / "precious"
    precious.mkdir()
    (precious / "file").write_text("kept")
    artifact = shop.run("echo hello")
    folder = shop.runner.folders.open(artifact.job_id).path
    (folder / "outputs" / "link").symlink_to(precious)
    (shop.runner.paths.artifacts / "20200102-030405-00112233aa").symlink_to(precious)
    (shop.runner.paths.wrappers / ("0" * 64)).symlink_to(precious)
    collect(shop)
    assert (precious / "file").read_text() == "kept"
    assert not folder.exists()


def test_wrappers_that_changed_since_go(shop: Workshop) -> None:
    shop.run("echo before")
    before = list(shop.runner.paths.wrappers.iterdir())
    shop.run("echo after")
    shop.runner.__dict__.pop("catalog", None)  # as another process: it is read once in each
    assert ("wrappers", True) in collect(shop)
    kept = list(shop.runner.paths.wrappers.iterdir())
    assert len(kept) == 1
    assert kept[0] not in before


def test_a_tree_that_was_put_away_is_not_kept_for_ever(shop: Workshop) -> None:
    """A quarantined entry is evidence, and takes space."""
    put_away = shop.runner.paths.quarantine / "someone"
    (put_away / "entry" / "tree").mkdir(parents=True)
    (put_away / "entry").chmod(0o555)
    week = timedelta(days=7)
    assert collect(shop, records_max_age=week) == set()
    assert collect(shop, later=2 * week, records_max_age=week) == {("quarantine", True)}
    assert not put_away.exists()


def test_what_was_begun_by_somebody_who_was_killed_goes_after_a_while(shop: Workshop) -> None:
    paths = shop.runner.paths
    left = [
        paths.scratch / "probe-0123456789ab",
        paths.artifacts / ".accepting-20200102-030405-00112233aa",
        paths.artifacts / ".expired-20200102-030405-00112233aa",
    ]
    for folder in left:
        (folder / "inside").mkdir(parents=True)
    assert collect(shop, later=timedelta(minutes=1)) == set()
    assert collect(shop, later=timedelta(hours=2)) == {("scratch", True)}
    assert not any(folder.exists() for folder in left)
