"""Reference implementation of scores: loops over lists of events, from the formulas in docs/scores.md. No SQL."""

import math
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from statistics import mean
from typing import Any
from uuid import UUID

from cdp_sync.model import Profiles, Score, Share
from cdp_sync_tests.exporting.segment_oracle import property_meets

Events = Mapping[str, Sequence[Mapping[str, Any]]]
"""Events by type, each with `profile_id` and `happened_at`, which may be None, and its properties."""
Values = dict[UUID, float]


def values_of(score: Score, events: Events, profiles: Profiles, until: datetime) -> Values:
    """Return the value of each profile by its events until a moment."""
    if score.expected_value:
        return expected_values(score, events, until)
    weight = fading(score, until)
    trials = {
        owner: [(weight(at), is_message, is_response) for at, is_message, is_response in listed if at <= until]
        for owner, listed in trials_of(score, events, profiles, until).items()
    }
    known = {owner: listed for owner, listed in trials.items() if any(is_message for _, is_message, _ in listed)}
    return smoothed(known)


def fading(score: Score, until: datetime) -> Callable[[datetime], float]:
    """Return the function for what an event weighs."""
    return lambda at: 0.5 ** ((until - at) / timedelta(days=score.half_life_days))


def trials_of(
    score: Score, events: Events, profiles: Profiles, until: datetime
) -> dict[UUID, list[tuple[datetime, bool, bool]]]:
    """Return for each profile its events: when, whether it counts as message, and whether as response."""
    if score.share:
        return trials_of_share(score.share, events, profiles, until)
    found: dict[UUID, list[tuple[datetime, bool, bool]]] = {}
    rate = score.rate
    assert rate
    for event in (event for name in rate.among for event in dated(events, name)):
        found.setdefault(event["profile_id"], []).append((event["happened_at"], True, False))
    seen = set()
    responses = [event for name in rate.of for event in dated(events, name)]
    for event in sorted(responses, key=lambda event: event["happened_at"]):
        once = event.get(rate.once_per) if rate.once_per else None
        if once is None or (event["profile_id"], once) not in seen:
            found.setdefault(event["profile_id"], []).append((event["happened_at"], False, True))
        seen.add((event["profile_id"], once))
    return found


def trials_of_share(
    share: Share, events: Events, profiles: Profiles, until: datetime
) -> dict[UUID, list[tuple[datetime, bool, bool]]]:
    """Return the events of a share: each counts as message, and as response where it meets the condition."""
    found: dict[UUID, list[tuple[datetime, bool, bool]]] = {}
    plain = [prop for prop in profiles.event[share.of].properties if not prop.items]
    shape = Profiles.model_validate({"properties": [{"name": prop.name, "type": prop.type} for prop in plain]})
    for event in dated(events, share.of):
        met = property_meets({prop.name: event.get(prop.name) for prop in plain}, share.where, shape, until)
        found.setdefault(event["profile_id"], []).append((event["happened_at"], True, met))
    return found


def dated(events: Events, kind: str) -> list[Mapping[str, Any]]:
    """Return the events of a type that have a profile and a time."""
    return [event for event in events.get(kind, ()) if event["happened_at"] and event["profile_id"]]


def smoothed(trials: Mapping[UUID, Sequence[tuple[float, bool, bool]]]) -> Values:
    """Return the expected rate of each profile under a beta prior that is fitted by moments."""
    sent = {owner: sum(weight for weight, message, _ in listed if message) for owner, listed in trials.items()}
    squares = {owner: sum(weight**2 for weight, message, _ in listed if message) for owner, listed in trials.items()}
    done = {
        owner: min(sent[owner], sum(weight for weight, _, response in listed if response))
        for owner, listed in trials.items()
    }
    total = sum(sent.values())
    if not total:
        return {}
    middle = sum(done.values()) / total
    part = {owner: sent[owner] / total for owner in trials}
    variance = sum(part[owner] * (done[owner] / sent[owner] - middle) ** 2 for owner in trials)
    largest = sum(part[owner] * (1 - part[owner]) for owner in trials)
    chance = sum(part[owner] * (1 - part[owner]) * squares[owner] / sent[owner] ** 2 for owner in trials)
    spread = middle * (1 - middle)
    likeness = (variance / spread - chance) / (largest - chance) if spread and largest != chance else 0.0
    strength = 1 / min(max(likeness, 1 / 1001), 1 / 2) - 1
    return {owner: (done[owner] + strength * middle) / (sent[owner] + strength) for owner in trials}


def expected_values(score: Score, events: Events, until: datetime) -> Values:
    """Return the sum that each buyer is expected to spend within the horizon."""
    kind, name = score.amount
    every = [(event["profile_id"], event["happened_at"], event.get(name)) for event in dated(events, kind)]
    horizon = timedelta(days=score.horizon_days)
    earlier = forecasts([each for each in every if each[1] <= until - horizon], until - horizon, score.horizon_days)
    came: dict[UUID, int] = {}
    for owner, at, _ in every:
        came[owner] = came.get(owner, 0) + (until - horizon < at <= until)
    cells: dict[Any, list[float]] = {}
    for owner, (cell, forecast) in earlier.items():
        sums = cells.setdefault(cell, [1.0, 1.0])
        sums[0] += came[owner]
        sums[1] += forecast
    past = [each for each in every if each[1] <= until]
    amounts = typical_amounts(past)
    return {
        owner: forecast * (cells[cell][0] / cells[cell][1] if cell in cells else 1) * amounts[owner]
        for owner, (cell, forecast) in forecasts(past, until, score.horizon_days).items()
    }


def forecasts(
    purchases: Sequence[tuple[UUID, datetime, Any]], until: datetime, horizon: float
) -> dict[UUID, tuple[tuple[int, bool], float]]:
    """Return for each buyer the cell of its correction, and how many purchases are expected within the horizon."""
    times: dict[UUID, list[datetime]] = {}
    for owner, at, _ in purchases:
        times.setdefault(owner, []).append(at)
    day = timedelta(days=1)
    people = {
        owner: (len(each), (max(each) - min(each)) / day, (until - min(each)) / day) for owner, each in times.items()
    }
    if not people:
        return {}
    repeats = sum(count - 1 for count, _, _ in people.values())
    shape, scale, dropout = 1.0, max(sum(age for *_, age in people.values()), 1) / max(repeats, 1), 0.1
    for _ in range(20):
        alive = {owner: is_active(*each, shape, scale, dropout) for owner, each in people.items()}
        days = {
            owner: alive[owner] * age + (1 - alive[owner]) * active for owner, (_, active, age) in people.items()
        }  # fmt: skip
        pace = max(repeats, 1) / max(sum(days.values()), 1)
        squares = max(sum(each**2 for each in days.values()), 1)
        over = sum((people[owner][0] - 1 - pace * days[owner]) ** 2 for owner in people) - pace * sum(days.values())
        dropout = (sum(1 - each for each in alive.values()) + 1) / (repeats + len(people) + 10)
        differs = over > 1e-9 * (sum((count - 1) ** 2 for count, *_ in people.values()) + 1)
        shape = min(max(pace**2 / (over / squares), 0.05), 1000) if differs else 1000.0
        scale = shape / pace
    found = {}
    for owner, (count, active, age) in people.items():
        left = ((scale + age) / (scale + age + dropout * horizon)) ** (shape + count - 1)
        expected = is_active(count, active, age, shape, scale, dropout) / dropout * (1 - left)
        found[owner] = ((min(count, 10), age - active <= horizon), expected)
    return found


def is_active(count: int, active: float, age: float, shape: float, scale: float, dropout: float) -> float:
    """Return the probability that a buyer has not stopped."""
    silence = (shape + count - 1) * math.log((scale + age) / (scale + active))
    return 1 / (1 + dropout / (1 - dropout) * math.exp(min(silence, 700)))


def typical_amounts(purchases: Sequence[tuple[UUID, datetime, Any]]) -> Values:
    """Return the expected amount of a purchase of each buyer: between its own mean and that of all."""
    own: dict[UUID, list[float]] = {}
    for owner, _, amount in purchases:
        own.setdefault(owner, []).extend([] if amount is None else [float(amount)])
    known = {owner: each for owner, each in own.items() if each}
    number = sum(map(len, known.values()))
    if not number:
        return dict.fromkeys(own, 0.0)
    middle = sum(map(sum, known.values())) / number
    freedom = sum(len(each) - 1 for each in known.values())
    deviation = sum((amount - mean(each)) ** 2 for each in known.values() for amount in each)
    between_by = number - sum(len(each) ** 2 for each in known.values()) / number
    if not freedom:
        needed = 1.0
    else:
        within = deviation / freedom
        between = sum(len(each) * (mean(each) - middle) ** 2 for each in known.values()) - (len(known) - 1) * within
        between = between / between_by if between_by else 0
        needed = min(max(within / between, 0.001), 1000) if between > 0 else 1000
    return {owner: (sum(each) + needed * middle) / (len(each) + needed) for owner, each in own.items()}


def percentiles(values: Values) -> dict[UUID, int]:
    """Return the percentage, rounded down, of the other profiles that have a lower value."""
    listed = list(values.values())
    return {
        owner: sum(other < value for other in listed) * 100 // max(len(listed) - 1, 1)
        for owner, value in values.items()
    }


def rank_correlation(left: Sequence[float], right: Sequence[float]) -> float:
    """Return Spearman's rank correlation: Pearson's of the ranks, where equal values share the mean of their ranks."""
    ranks = [[(bisect_left(side, each) + bisect_right(side, each) + 1) / 2 for each in given]
             for given, side in ((left, sorted(left)), (right, sorted(right)))]  # fmt: skip
    means = [mean(side) for side in ranks]
    cross = sum((a - means[0]) * (b - means[1]) for a, b in zip(*ranks, strict=True))
    squares = [sum((each - middle) ** 2 for each in side) for side, middle in zip(ranks, means, strict=True)]
    return cross / math.sqrt(squares[0] * squares[1])
