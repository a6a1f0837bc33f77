"""The list of defects can't rot unnoticed."""

from pathlib import Path

import pytest

from tests.mutants.apply import HERE, ROOT, Defect, read_defects, try_defect, why_out_of_date

DEFECTS = read_defects(HERE)


def _defect(old: str, new: str) -> Defect:
    return Defect(
        area="any", name="d", file="sums.py", old=old, new=new, tests=("test_sums.py::test_sum",)
    )


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    (tmp_path / "sums.py").write_text("def total(a, b):\n    return a + b\n\n\nUNUSED = 1\n")
    (tmp_path / "test_sums.py").write_text(
        "from sums import total\n\n\ndef test_sum():\n    assert total(2, 3) == 5\n"
    )
    return tmp_path


def test_a_defect_that_a_test_notices_is_caught_and_taken_out_again(copy: Path) -> None:
    before = (copy / "sums.py").read_text()
    assert try_defect(copy, _defect("a + b", "a - b")) == ""
    assert (copy / "sums.py").read_text() == before


def test_a_defect_that_no_test_notices_is_alive(copy: Path) -> None:
    assert try_defect(copy, _defect("UNUSED = 1", "UNUSED = 2")).startswith("it lives")


def test_a_defect_that_breaks_the_import_is_not_taken_for_caught(copy: Path) -> None:
    assert "could not be run" in try_defect(copy, _defect("def total", "def (total"))


@pytest.mark.parametrize(("old", "why"), [("gone", "0 times"), ("a", "times")])
def test_a_defect_whose_text_is_not_there_exactly_once_is_out_of_date(
    copy: Path, old: str, why: str
) -> None:
    assert why in try_defect(copy, _defect(old, "x"))


@pytest.mark.parametrize("defect", DEFECTS, ids=lambda defect: defect.name)
def test_every_committed_defect_can_still_be_put_in(defect: Defect) -> None:
    assert why_out_of_date(defect, (ROOT / defect.file).read_text(encoding="utf-8")) == ""
    for test in defect.tests:
        assert (ROOT / test.partition("::")[0]).exists()
