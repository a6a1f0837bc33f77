"""Which requests become plans, and what a plan says."""

import hashlib
from datetime import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from runner.errors import BugError, RefusedError
from runner.model.catalog import Catalog, IntParam, JobType, Limits, PatternParam, Repo
from runner.model.job import JobPlan, JobRequest, RepoSource
from runner.policy.admission import admit, still_admitted
from runner.policy.sources import name_of_path
from tests.support.catalogs import JOB_ID, NOW, SHA, admitted, catalog, job_type, repo, request

RUN_ID = PatternParam(type="pattern", pattern="[a-z]+")
UNLISTED = job_type(requires_repo_allowlist=False)


def refusal_of(asked: JobRequest, *entries: JobType | Repo, local_path: str | None = None) -> str:
    """The code with which ``asked`` is refused."""
    with pytest.raises(RefusedError) as refusal:
        admitted(asked, catalog(*entries), local_path=local_path)
    return refusal.value.code


def test_a_plan_says_everything_that_its_entries_decide() -> None:
    entry = job_type(
        timeout_s=7,
        retries=2,
        needs_python=True,
        needs_metadata_writes=True,
        toolchains=("/opt/x",),
        limits=Limits(processes=9),
        argv=("/bin/sh", "wrappers/echo.sh"),
    )
    plan = admitted(request(priority=3, idempotency_key="k"), catalog(entry, repo()))
    assert plan.argv == entry.argv
    assert plan.timeout_s == 7
    assert plan.retries == 2
    assert plan.limits == entry.limits
    assert plan.toolchains == ("/opt/x",)
    assert plan.needs_python
    assert plan.needs_metadata_writes
    assert plan.network == "none"
    assert plan.sha == SHA
    assert plan.job_id == JOB_ID
    assert plan.trace_id == "trace"
    assert plan.priority == 3
    assert plan.idempotency_key == "k"
    assert plan.wrapper_sha256 == "a" * 64
    assert plan.allowlist_hash == "b" * 64
    assert plan.allowed_branches == ("main", "release/*")
    assert plan.default_branch == "main"
    assert plan.repo_source is RepoSource.ALLOWLIST


def test_what_is_fetched_is_the_entrys_own_spelling() -> None:
    plan = admitted(request(remote_url="https://git.example.org/team/orb"))
    assert plan.remote_url == "git@git.example.org:team/orb.git"


def test_the_environment_is_exactly_what_was_declared_and_sorted() -> None:
    entry = job_type(env={"MODE": "full"}, allowed_params={"run_id": RUN_ID})
    plan = admitted(request(params={"run_id": "abc"}), catalog(entry, repo()))
    assert plan.env == (
        ("AIOPS_JOB_ID", JOB_ID),
        ("AIOPS_JOB_TYPE", "echo"),
        ("AIOPS_REPO", "orb"),
        ("AIOPS_SHA", SHA),
        ("CI", "true"),
        ("MODE", "full"),
        ("RUN_ID", "abc"),
    )


def test_the_input_hash_can_be_recomputed_from_the_record() -> None:
    entry = job_type(allowed_params={"run_id": RUN_ID})
    plan = admitted(request(params={"run_id": "abc"}), catalog(entry, repo()))
    text = (
        '{"job_type":"echo","params":{"run_id":"abc"},'
        f'"repository":"git@git.example.org:team/orb.git","sha":"{SHA}"}}'
    )
    assert plan.input_hash == hashlib.sha256(text.encode()).hexdigest()


def test_a_plan_is_the_same_after_its_file_is_read_back() -> None:
    plan = admitted(request())
    assert JobPlan.model_validate_json(plan.model_dump_json()) == plan


def test_a_time_without_a_zone_is_no_time() -> None:
    with pytest.raises(ValidationError):
        admit(request(), catalog(), job_id=JOB_ID, now=datetime(2025, 1, 2), trace_id="")  # noqa: DTZ001


@pytest.mark.parametrize("field", ["job_type", "repo_name"])
@pytest.mark.parametrize("name", ["", "../x", "/x", "a\n", "a\x00", "-x", ".x", "x.", "é", "a b"])
def test_a_malformed_name_is_refused_before_anything_is_looked_up(field: str, name: str) -> None:
    assert refusal_of(request(**{field: name})) == "NAME_MALFORMED"


def test_an_unknown_job_type_is_refused_with_the_known_ones() -> None:
    with pytest.raises(RefusedError, match=r"got 'ecko', expected one of: echo") as refusal:
        admitted(request(job_type="ecko"))
    assert refusal.value.code == "JOB_TYPE_UNKNOWN"


def test_a_job_type_that_requires_approval_is_refused() -> None:
    assert refusal_of(request(), job_type(requires_approval=True), repo()) == "APPROVAL_UNAVAILABLE"


def test_an_unknown_repository_is_refused() -> None:
    assert refusal_of(request(repo_name="orbs")) == "REPO_UNKNOWN"


def test_an_unknown_repository_is_refused_with_a_good_url_too() -> None:
    asked = request(repo_name="orbs", remote_url="https://git.example.org/team/orbs")
    assert refusal_of(asked) == "REPO_UNKNOWN"


def test_a_known_name_with_another_repositorys_url_is_refused() -> None:
    asked = request(remote_url="https://git.example.org/team/other")
    assert refusal_of(asked) == "REPO_URL_MISMATCH"


@pytest.mark.parametrize("sha", ["HEAD", SHA.upper(), "g" * 40, SHA + "\n", SHA[:-1] + "\n"])
def test_a_commit_is_named_by_its_full_id_only(sha: str) -> None:
    assert refusal_of(request(sha=sha)) == "SHA_MALFORMED"


def test_a_repository_takes_only_the_job_types_that_it_lists() -> None:
    entries = (job_type(), job_type("other"), repo(jobs=("other",)))
    assert refusal_of(request(), *entries) == "REPO_NOT_ALLOWED_FOR_JOB"
    assert admitted(request(job_type="other"), catalog(*entries)).job_type == "other"


def test_a_repository_that_lists_no_job_type_takes_none() -> None:
    assert refusal_of(request(), job_type(), repo(jobs=())) == "REPO_NOT_ALLOWED_FOR_JOB"


def test_a_url_beside_a_known_name_is_checked_for_its_form_too() -> None:
    assert refusal_of(request(remote_url="ext::sh -c id")) == "REMOTE_URL_REFUSED"


def test_a_timeout_can_be_shortened() -> None:
    assert admitted(request(timeout_s=5)).timeout_s == 5


def test_a_timeout_cannot_be_lengthened() -> None:
    assert refusal_of(request(timeout_s=61)) == "TIMEOUT_TOO_LONG"


@pytest.mark.parametrize("key", ["", " ", "a b", "a\n", "\x00", "é"])
def test_an_idempotency_key_is_visible_ascii(key: str) -> None:
    assert refusal_of(request(idempotency_key=key)) == "IDEMPOTENCY_KEY_MALFORMED"


def test_params_are_checked_against_the_job_type() -> None:
    assert refusal_of(request(params={"x": "1"})) == "PARAM_UNKNOWN"


def test_an_unlisted_repository_needs_a_url() -> None:
    assert refusal_of(request(repo_name="new"), UNLISTED) == "REMOTE_URL_MISSING"


def test_an_unlisted_repository_with_a_good_url_is_recorded_as_unlisted() -> None:
    asked = request(repo_name="new", remote_url="https://git.example.org/team/new")
    plan = admitted(asked, catalog(UNLISTED, repo()))
    assert plan.repo_source is RepoSource.UNLISTED
    assert plan.remote_url == "https://git.example.org/team/new"
    assert plan.allowed_branches == ("*",)


def test_a_job_type_that_needs_no_allowlist_still_takes_listed_repositories() -> None:
    plan = admitted(request(), catalog(UNLISTED, repo()))
    assert plan.repo_source is RepoSource.ALLOWLIST


def test_the_operators_own_path_is_recorded_as_such() -> None:
    plan = admitted(request(repo_name="whatever"), local_path="/srv/My Repo")
    assert plan.repo_source is RepoSource.OPERATOR_PATH
    assert plan.remote_url == "/srv/My Repo"
    assert plan.repo_name == "My-Repo"
    assert plan.allowed_branches == ("*",)


@pytest.mark.parametrize(
    "path",
    ["", "x", "./x", "-x", "/a/../b", "/a\nb", "/a\x00", "/\udc80", "ext::x", "/" + "a" * 5000],
)
def test_a_path_that_is_not_plainly_absolute_is_refused(path: str) -> None:
    assert refusal_of(request(), local_path=path) == "REPO_PATH_REFUSED"


def test_a_path_and_a_url_together_are_refused() -> None:
    asked = request(remote_url="git@git.example.org:team/orb.git")
    assert refusal_of(asked, local_path="/srv/x") == "REPO_URL_MISMATCH"


@given(st.text(max_size=150))
def test_every_path_gives_a_well_formed_name(path: str) -> None:
    plan = admitted(request(), local_path="/srv/repo")
    name = name_of_path(path)
    again = JobPlan.model_validate(plan.model_dump() | {"repo_name": name})
    assert again.repo_name == name


def test_a_catalog_that_skipped_its_checks_is_a_bug_and_not_an_admission() -> None:
    with pytest.raises(BugError):
        admitted(request(), catalog(job_type(), repo(), wrappers={}))


def test_the_first_check_that_fails_is_the_answer() -> None:
    entries = (job_type(requires_approval=True), job_type("open"), repo(jobs=("open",)))
    everything_wrong = {"sha": "HEAD", "params": {"x": 1}, "timeout_s": 999}
    asked = request(job_type="open", remote_url="-x", **everything_wrong)
    assert refusal_of(asked, *entries) == "REMOTE_URL_REFUSED"
    assert refusal_of(request(repo_name="no", **everything_wrong), *entries) == (
        "APPROVAL_UNAVAILABLE"
    )
    asked = request(job_type="open", **everything_wrong)
    assert refusal_of(asked, *entries) == "SHA_MALFORMED"
    asked = request(job_type="open", **(everything_wrong | {"sha": SHA}))
    assert refusal_of(asked, *entries) == "PARAM_UNKNOWN"


@pytest.mark.parametrize("local_path", [None, "/srv/repo"])
def test_a_plan_is_still_admitted_by_the_same_catalog(local_path: str | None) -> None:
    entry = job_type(
        allowed_params={"run_id": RUN_ID, "n": IntParam(type="int", min=0, max=9)},
        env={"A": "b"},
    )
    allowed = catalog(entry, repo())
    asked = request(params={"run_id": "abc", "n": 7}, timeout_s=5, priority=1, idempotency_key="k")
    plan = admitted(asked, allowed, local_path=local_path)
    still_admitted(JobPlan.model_validate_json(plan.model_dump_json()), allowed)


def test_an_unlisted_plan_is_still_admitted_by_the_same_catalog() -> None:
    asked = request(repo_name="new", remote_url="https://git.example.org/team/new")
    still_admitted(admitted(asked, catalog(UNLISTED)), catalog(UNLISTED))


@pytest.mark.parametrize(
    "changed",
    [
        catalog(job_type(), repo(), allowlist_hash="c" * 64),
        catalog(job_type(), repo(), wrappers_hash="c" * 64),
        catalog(repo()),
        catalog(job_type()),
        catalog(job_type(timeout_s=59), repo()),
        catalog(job_type(argv=("/bin/sh", "wrappers/echo.sh")), repo()),
        catalog(job_type(env={"A": "b"}), repo()),
        catalog(job_type(requires_approval=True), repo()),
        catalog(job_type(), repo(allowed_branches=("main",))),
        catalog(job_type(), repo(url="https://git.example.org/team/orb")),
        catalog(job_type(), repo(url="git@git.example.net:team/orb.git")),
    ],
    ids=[
        "allowlists",
        "wrappers",
        "job type gone",
        "repository gone",
        "shorter timeout",
        "argv",
        "env",
        "approval",
        "branches",
        "spelling of the URL",
        "URL",
    ],
)
def test_whatever_changed_since_admission_is_noticed(changed: Catalog) -> None:
    plan = admitted(request())
    with pytest.raises(RefusedError) as refusal:
        still_admitted(plan, changed)
    assert refusal.value.code == "ALLOWLIST_CHANGED"


def test_a_plan_that_was_edited_is_not_admitted_again() -> None:
    plan = admitted(request())
    for field, value in (
        ("argv", ("/bin/sh", "-c", "id")),
        ("env", (("LD_PRELOAD", "/x"),)),
        ("limits", Limits(processes=65536)),
        ("toolchains", ("/etc",)),
        ("allowed_branches", ("*",)),
        ("remote_url", "https://evil.example.org/x"),
        ("wrapper_sha256", None),
        ("input_hash", "0" * 64),
        ("repo_name", "other"),
        ("sha", "HEAD"),
        ("timeout_s", 86_400),
        ("repo_source", RepoSource.UNLISTED),
        ("repo_source", RepoSource.OPERATOR_PATH),
    ):
        with pytest.raises(RefusedError) as refusal:
            still_admitted(plan.model_copy(update={field: value}), catalog())
        assert refusal.value.code == "ALLOWLIST_CHANGED", field


@given(st.text(max_size=80), st.text(max_size=40), st.none() | st.text(max_size=80))
def test_no_request_reaches_a_path_or_an_unlisted_repository(
    sha: str, name: str, url: str | None
) -> None:
    """Whatever a caller writes, a plan is for a listed repository at a full commit id."""
    try:
        plan = admitted(request(sha=sha, repo_name=name, remote_url=url))
    except RefusedError:
        return
    assert plan.repo_source is RepoSource.ALLOWLIST
    assert len(plan.sha) in (40, 64)


def test_the_times_in_plans_have_milliseconds() -> None:
    assert admitted(request()).created_at == NOW.replace(microsecond=678_000)
