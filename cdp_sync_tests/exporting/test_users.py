"""The recorded outcomes of users when a delivery resumes after a crash."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from cdp_sync.errors import RequestRefused
from cdp_sync.exporting.audiences.delivering import UserFile
from cdp_sync.exporting.audiences.outcomes import read_outcomes
from cdp_sync.warehouse import Warehouse

LINES = "".join(f'{{"id": "{number}", "key": "email"}}\n' for number in range(6))


def users(folder: Path) -> UserFile:
    """Return a file of six users, for a goal without lists."""
    (folder / "users.jsonl").write_text(LINES)
    run: Any = SimpleNamespace(goal=SimpleNamespace(memberships=()))
    return UserFile(run, folder / "users.jsonl")


@pytest.mark.parametrize("torn", ["", "4,sen", "8" * 200_000])
def test_an_incomplete_outcome_is_removed(tmp_path: Path, torn: str) -> None:
    """An incomplete last line is removed, and the other outcomes stay."""
    outcomes = tmp_path / "users.csv"
    outcomes.write_text(f"5,absent,,,\n0,sent,,[],\n{torn}")
    with users(tmp_path) as resumed:
        assert outcomes.read_text() == "5,absent,,,\n0,sent,,[],\n"
        assert (resumed.resumed, len(resumed)) == (True, 6)
        assert [place for place, _ in resumed] == [1, 2, 3, 4]


def test_without_outcomes_every_user_is_pending(tmp_path: Path) -> None:
    """Without a complete outcome every user is pending."""
    (tmp_path / "users.csv").write_text("0,se")
    with users(tmp_path) as pending:
        assert not pending.resumed
        assert [body["id"] for _, body in pending] == list("012345")
    assert (tmp_path / "users.csv").read_text() == ""


def test_a_recorded_outcome_stays(tmp_path: Path) -> None:
    """A user with an outcome is not pending, in this run or in a resumed one."""
    with users(tmp_path) as pending:
        pending.note(2, RequestRefused("The address is invalid."))
        pending.note(4, None)
        assert [place for place, _ in pending] == [0, 1, 3, 5]
    assert (tmp_path / "users.csv").read_text() == "2,refused,,,The address is invalid.\n4,absent,,,\n"
    with users(tmp_path) as resumed:
        assert [place for place, _ in resumed] == [0, 1, 3, 5]


@pytest.mark.parametrize("sign", ["\r", "\n", "\r\n", '"', ","])
def test_a_reason_may_have_any_text(tmp_path: Path, sign: str) -> None:
    """What a platform says of a user is read in one line, in a resumed run and in the warehouse."""
    reason = f"The address{sign}is invalid."
    with users(tmp_path) as pending:
        pending.note(1, RequestRefused(reason))
        pending.note(2, None)
    with users(tmp_path) as resumed:
        assert [place for place, _ in resumed] == [0, 3, 4, 5]
    with Warehouse(tmp_path / "warehouse.duckdb").open("none") as session:
        read_outcomes(session, tmp_path / "users.jsonl")
        assert session.rows("select place, reason from outcome order by place") == [
            (1, " ".join(reason.split())), (2, None),
        ]  # fmt: skip
