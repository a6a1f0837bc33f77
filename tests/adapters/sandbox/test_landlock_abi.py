"""The kernel's answers to rulesets of every ABI that it speaks."""

import os
from pathlib import Path

import pytest

from runner.adapters.sandbox.landlock_abi import (
    NEWEST,
    OWN,
    READ,
    USE_DEVICE,
    Rule,
    abi_version,
    make_ruleset,
    make_signal_scope,
)
from runner.errors import UnavailableError
from tests.support.seccomp_child import run_filtered

pytestmark = pytest.mark.needs_landlock

# A filter that answers landlock_create_ruleset with an errno, as other kernels do
_WITHOUT = "20000000 00000000 15000001 bc010000 06000000 {errno:02x}000500 06000000 0000ff7f"


def test_the_version_is_one_that_this_module_knows() -> None:
    assert 1 <= abi_version() <= NEWEST


@pytest.mark.parametrize(("number", "words"), [(38, "not in this kernel"), (95, "switched off")])
def test_a_kernel_without_landlock_is_unavailable_with_the_reason(number: int, words: str) -> None:
    """ENOSYS and EOPNOTSUPP, as landlock(7) tells them apart."""
    code = f"""
sys.path[:0] = {[str(Path(__file__).parents[3]), *__import__("sys").path]!r}
from runner.adapters.sandbox.landlock_abi import abi_version
try:
    abi_version()
except Exception as error:
    print(type(error).__name__, error, error.remedy)
"""
    done = run_filtered(bytes.fromhex(_WITHOUT.format(errno=number)), code)
    assert done.stdout.startswith("UnavailableError SANDBOX_UNAVAILABLE"), done.stderr
    assert words in done.stdout
    assert done.stdout.rstrip()[-1] != ":"


@pytest.mark.parametrize("abi", range(1, NEWEST + 1))
def test_the_kernel_takes_the_rules_of_every_abi(tmp_path: Path, abi: int) -> None:
    rules = (
        Rule(Path("/usr"), READ),
        Rule(Path("/etc/passwd"), READ),
        Rule(Path("/dev/null"), USE_DEVICE),
        Rule(tmp_path, OWN),
    )
    os.close(make_ruleset(rules, min(abi, abi_version())))


def test_signals_are_scoped_from_abi_6_on() -> None:
    assert make_signal_scope(5) is None
    if abi_version() >= 6:
        scope = make_signal_scope(6)
        assert scope is not None
        os.close(scope)


def test_a_rule_for_what_does_not_exist_is_refused_by_name_and_leaves_no_descriptor(
    tmp_path: Path,
) -> None:
    before = os.listdir("/proc/self/fd")
    with pytest.raises(UnavailableError, match="gone"):
        make_ruleset([Rule(tmp_path / "gone", READ)], abi_version())
    assert os.listdir("/proc/self/fd") == before
