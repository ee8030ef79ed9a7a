"""When a run that shows no sign of life is given up, on generated histories of looks."""

from dataclasses import dataclass

from hypothesis import given
from hypothesis import strategies as st

from cdp_sync.orchestration.runs.silence import LOOK_EVERY, SILENT_FOR, Silence

RUN = "6c1f"


@dataclass(frozen=True)
class Look:
    """A look of an observer."""

    passed: int
    """Seconds since the look before, by the observer's clock: negative after a restart of its machine."""
    has_changed: bool
    """Whether the run has shown a sign in between."""


LOOKS = st.lists(st.builds(Look, st.integers(-1_000_000, 1_000_000), st.booleans()), min_size=1, max_size=40)


def observed(looks: list[Look]) -> Silence:
    """Return what an observer has seen; it forgets everything but the text that it keeps."""
    silence, now, sign = Silence(), 0, 0
    for each in looks:
        now, sign = now + each.passed, sign + each.has_changed
        silence = Silence.read(str(silence.after({RUN: str(sign)}, now)))
    return silence


@given(LOOKS)
def test_silence_is_the_time_since_the_last_sign(looks: list[Look]) -> None:
    """A run is silent for the time between the looks since its last sign, each counted as a minute at most."""
    since = max((place for place, each in enumerate(looks) if each.has_changed or not place), default=0)
    expected = sum(min(max(each.passed, 0), 60) for each in looks[since + 1 :])
    assert observed(looks).of(RUN) == expected


@given(LOOKS, st.integers(0, 1_000_000))
def test_three_looks_without_a_sign_are_needed(looks: list[Look], passed: int) -> None:
    """However long the observer, or the history, was down: two looks after a sign give no run up."""
    seen = observed([*looks, Look(0, True), Look(passed, False), Look(passed, False)])
    assert seen.of(RUN) < SILENT_FOR


@given(LOOKS)
def test_a_silent_run_is_given_up_in_time(looks: list[Look]) -> None:
    """With looks as often as usual, a run that shows no sign is given up after its time and not before."""
    needed = int(SILENT_FOR // LOOK_EVERY)
    silent = [Look(0, True), *[Look(LOOK_EVERY, False)] * (needed - 1)]
    assert observed([*looks, *silent]).of(RUN) < SILENT_FOR
    assert observed([*looks, *silent, Look(LOOK_EVERY, False)]).of(RUN) >= SILENT_FOR


def test_ended_runs_are_forgotten() -> None:
    """Of a run that is not under way any more nothing is kept; a run that was not seen has shown no silence."""
    seen = Silence().after({RUN: "1"}, 0.0).after({RUN: "1"}, 30.0)
    assert seen.of(RUN) == LOOK_EVERY
    assert seen.after({}, 60.0).after({RUN: "1"}, 90.0).of(RUN) == 0.0
    assert Silence.read("") == Silence.read(None) == Silence()
