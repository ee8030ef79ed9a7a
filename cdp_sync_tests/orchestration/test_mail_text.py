"""What a mail says, of a value: no I/O, no Dagster."""

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


def test_a_mail_says_what_to_act_on() -> None:
    """What happened, goal by goal in running order, with the first reasons, why and when it ran, where to look."""
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
def test_the_subject_says_how_a_run_ended(state: str, subject: str) -> None:
    """Where no goal failed, connection and state are all there is to say."""
    assert subject_of(replace(RUN, state=state, goals=(GoalOutcome("orders", "not run"),))) == subject


def test_a_run_that_never_started_names_its_cause() -> None:
    """There is no time of start; the cause is all that helps."""
    run = replace(RUN, state="not started", cause="The code server\nis gone.", started_at=None, goals=())
    assert text_of(run) == (
        f"Web shop (webshop): the run did not start.\nThe code server is gone.\n\nReason: schedule\nRun: {LINK}\n"
    )


def test_nothing_can_break_out_of_its_line() -> None:
    """Line breaks and control characters in texts become spaces: no header, no forged paragraph."""
    goal = GoalOutcome("a\r\nBcc: eve@example.org", "failed", "one\n\nRun: http://evil.example\x1b[2J\u2028two")
    run = replace(RUN, connections=(("webshop", "Web\nshop"),), cause="x\ny", goals=(goal,))
    assert len(subject_of(run).splitlines()) == 1
    text = text_of(run)
    assert [line for line in text.splitlines() if line.startswith("Run: ")] == [f"Run: {LINK}"]
    assert "\x1b" not in text


def test_of_too_many_goals_those_that_failed_are_shown() -> None:
    """In running order as well: the last of a hundred is the one that matters."""
    goals = (*(GoalOutcome(f"goal_{number}", "success") for number in range(99)), GoalOutcome("last", "failed"))
    text = text_of(replace(RUN, goals=goals))
    assert text.index("goal_38 succeeded") < text.index("last failed") < text.index("and 60 more goals")


def test_texts_are_of_bounded_length() -> None:
    """However long an error is and however many goals fail, a mail can be read."""
    goals = tuple(GoalOutcome(f"goal_{number}", "failed", "x" * 10_000) for number in range(200))
    run = replace(RUN, goals=goals)
    assert len(subject_of(run)) <= 150
    assert len(text_of(run)) < 40_000
    assert "and 160 more goals" in text_of(run)
    assert "…" in text_of(run)


def test_no_address_is_passed_on() -> None:
    """Errors say none; should one do so, the mail does not."""
    goal = GoalOutcome("a", "failed", "No ada@example.com, 'bob@example.org' in it.", (("<cleo@example.net>", 1),))
    text = text_of(replace(RUN, cause="dan@example.com", goals=(goal,)))
    assert "@" not in text
    assert "No (an address), '(an address)' in it." in text


def test_letters_that_cannot_be_encoded_do_not_stop_a_mail() -> None:
    """A file's name may hold bytes that are no text."""
    text_of(replace(RUN, goals=(GoalOutcome("a", "failed", "/inbox/\udcff.csv failed."),))).encode()
