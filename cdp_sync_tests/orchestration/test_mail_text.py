"""The text of a mail as a function of a value, without I/O and Dagster."""

from dataclasses import replace

import pytest

from cdp_sync.orchestration.notify.mail_text import GoalOutcome, RunOutcome, subject_of, text_of

LINK = "http://localhost:3000/runs/4d2"
RUN = RunOutcome(
    connections=(("webshop", "Web shop"),),
    state="failed",
    reason="schedule",
    link=LINK,
    started_at=1_700_000_000.0,
    ended_at=1_700_000_083.4,
    goals=(
        GoalOutcome("orders", "success", "1 file, 3 rows: 3 applied; 2 profiles created, 1 updated."),
        GoalOutcome("customers", "failed", "/inbox/a.csv failed: it is no CSV.", (("Total: no number", 1200),)),
        GoalOutcome("consents", "not run"),
    ),
)


def test_a_mail_has_the_outcome_of_each_goal() -> None:
    """A mail has the outcome of each goal in running order, first reasons, cause and time of the run, and links."""
    assert subject_of(RUN) == "[cdp_sync] webshop failed: customers"
    assert text_of(RUN) == (
        "Web shop (webshop): the run failed.\n"
        "\n"
        "orders succeeded\n"
        "  1 file, 3 rows: 3 applied; 2 profiles created, 1 updated.\n"
        "\n"
        "customers failed\n"
        "  /inbox/a.csv failed: it is no CSV.\n"
        "  1,200 times: Total: no number\n"
        "\n"
        "consents was not run\n"
        "\n"
        "Reason: schedule\n"
        "Started: 2023-11-14 22:13:20 UTC, 83 s\n"
        f"Run: {LINK}\n"
    )


@pytest.mark.parametrize(
    ("state", "subject"),
    [
        ("success", "[cdp_sync] webshop succeeded"),
        ("stopped", "[cdp_sync] webshop was stopped"),
        ("not started", "[cdp_sync] webshop did not start"),
    ],
)
def test_the_subject_has_the_state(state: str, subject: str) -> None:
    """Without a failed goal the subject has connection and state only."""
    assert subject_of(replace(RUN, state=state, goals=(GoalOutcome("orders", "not run"),))) == subject


def test_a_run_that_never_started_names_its_cause() -> None:
    """A run that never started has a cause and no start time."""
    run = replace(RUN, state="not started", cause="The code server\nis gone.", started_at=None, goals=())
    assert text_of(run) == (
        f"Web shop (webshop): the run did not start.\nThe code server is gone.\n\nReason: schedule\nRun: {LINK}\n"
    )


def test_text_cannot_be_injected() -> None:
    """Line breaks and control characters become spaces, so that no header or paragraph can be injected."""
    goal = GoalOutcome("a\r\nBcc: eve@example.org", "failed", "one\n\nRun: http://evil.example\x1b[2J\u2028two")
    run = replace(RUN, connections=(("webshop", "Web\nshop"),), cause="x\ny", goals=(goal,))
    assert len(subject_of(run).splitlines()) == 1
    text = text_of(run)
    assert [line for line in text.splitlines() if line.startswith("Run: ")] == [f"Run: {LINK}"]
    assert "\x1b" not in text


def test_of_too_many_goals_the_failed_ones_are_shown() -> None:
    """Of too many goals the failed ones are shown, in running order."""
    goals = (*(GoalOutcome(f"goal_{number}", "success") for number in range(99)), GoalOutcome("last", "failed"))
    text = text_of(replace(RUN, goals=goals))
    assert text.index("goal_38 succeeded") < text.index("last failed") < text.index("and 60 more goals")


def test_texts_have_a_bounded_length() -> None:
    """A mail has a bounded length for any error and any number of failed goals."""
    goals = tuple(GoalOutcome(f"goal_{number}", "failed", "x" * 10_000) for number in range(200))
    run = replace(RUN, goals=goals)
    assert len(subject_of(run)) <= 150
    assert len(text_of(run)) < 40_000
    assert "and 160 more goals" in text_of(run)
    assert "…" in text_of(run)


def test_addresses_are_masked() -> None:
    """An e-mail address in an error is masked."""
    goal = GoalOutcome("a", "failed", "No ada@example.com, 'bob@example.org' in it.", (("<cleo@example.net>", 1),))
    text = text_of(replace(RUN, cause="dan@example.com", goals=(goal,)))
    assert "@" not in text
    assert "No (an address), '(an address)' in it." in text


def test_an_unencodable_file_name_does_not_stop_a_mail() -> None:
    """A file name with bytes that are not text does not stop the mail."""
    text_of(replace(RUN, goals=(GoalOutcome("a", "failed", "/inbox/\udcff.csv failed."),))).encode()
