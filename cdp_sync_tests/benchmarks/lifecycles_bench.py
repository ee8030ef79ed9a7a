"""Keeps the stages of a lifecycle of ten stages, beside counting its ten conditions by hand, in the same warehouse.

The cases: a new lifecycle, whose every profile gets a stage and an event; a tenth of the profiles changed; and nothing
changed. By hand, each condition is one query `select count(*) … where`. Times are CPU seconds of all threads, which
other work on the machine changes little. The stages hold as many profiles as a query by hand finds, otherwise it fails.

`python -m cdp_sync_tests.benchmarks.lifecycles_bench --people 1000000 --repeat 3`
"""

import argparse
import statistics
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from cdp_sync.lifecycles import StageChanges, keep_stages
from cdp_sync.model import Lifecycle, Profiles
from cdp_sync.warehouse import Session, Warehouse, sync_events, sync_properties

NOW = datetime(2026, 11, 30, 12, tzinfo=UTC)
_LIVE = "from warehouse.live_profile profile where"

STAGES: list[tuple[dict[str, Any], str]] = [
    ({"property": "orders", "is_empty": True}, "orders is null"),
    ({"property": "orders", "at_least": 1}, "orders >= 1"),
    ({"property": "orders", "between": [3, 5]}, "orders between 3 and 5"),
    ({"property": "total", "at_least": 50}, "total >= 50"),
    ({"property": "city", "equals": "Berlin"}, "lower(city) = 'berlin'"),
    (
        {"property": "last_seen", "in_last_days": 30},
        "last_seen between '2026-10-31 12:00:00+00'::timestamptz and '2026-11-30 12:00:00+00'::timestamptz",
    ),
    (
        {"property": "tags", "contains_any": ["red", "blue"]},
        "list_has_any(list_transform(tags, lambda x: lower(x)), ['red', 'blue'])",
    ),
    (
        {
            "all": [
                {"property": "orders", "at_least": 6},
                {"not": {"property": "city", "contains_any": ["Rome", "Oslo"]}},
            ]
        },
        "orders >= 6 and coalesce(lower(city), '') not in ('rome', 'oslo')",
    ),
    (
        {"event": "visit", "at_least": 2, "in_last_days": 90},
        """profile_id in (
            select profile_id from warehouse.event_visit
            where happened_at > '2026-09-01 00:00:00+00'::timestamptz
                and happened_at <= '2026-11-30 12:00:00+00'::timestamptz
            group by 1 having count(*) >= 2
        )""",
    ),
    ({"property": "total", "at_least": 95}, "total >= 95"),
]
"""The conditions of the stages, declared and by hand."""

MODEL = Profiles.model_validate(
    {
        "properties": [
            {"name": "email", "type": "email", "identifier": True},
            {"name": "orders", "type": "number"},
            {"name": "total", "type": "decimal"},
            {"name": "city"},
            {"name": "last_seen", "type": "datetime"},
            {"name": "tags", "multiple": True},
        ],
        "event_types": [{"name": "visit", "properties": [{"name": "store"}]}],
    }
)
LIFECYCLE = Lifecycle.model_validate(
    {
        "name": "way",
        "enter": {"property": "email", "has_value": True},
        "stages": [{"name": f"stage_{number}", "when": when} for number, (when, _) in enumerate(STAGES)],
    }
)


def fill(session: Session, people: int) -> None:
    """Make profiles with values, and as many visits."""
    sync_properties(session, MODEL)
    sync_events(session, MODEL)
    session.execute(
        """insert into warehouse.profile (profile_id, created_at, email, orders, total, city, last_seen, tags)
        select md5(i::varchar)::uuid, $now, 'u' || i || '@x.nl',
            case when i % 4 > 0 then (hash(i) % 9)::bigint end, (hash(i + 1) % 10000 / 100)::decimal(18, 4),
            ['Berlin', 'Rome', 'Oslo', 'Lima', null][1 + (hash(i + 2) % 5)::int],
            $now::timestamptz - to_seconds((hash(i + 3) % 31536000)::bigint),
            [['red'], ['Blue', 'green'], ['grey'], null][1 + (hash(i + 4) % 4)::int]
        from range($people) t(i)""",
        {"now": NOW, "people": people},
    )
    session.execute(
        """insert into warehouse.event_visit (event_id, profile_id, happened_at)
        select 'v' || i, md5((hash(i) % $people)::varchar)::uuid,
            $now::timestamptz - to_seconds((hash(i + 7) % 31536000)::bigint)
        from range($people) t(i)""",
        {"now": NOW, "people": people},
    )


def change(session: Session) -> None:
    """Put a tenth of the profiles into another stage."""
    session.execute("update warehouse.profile set total = 150 - total where hash(profile_id) % 10 = 0")


def by_hand(session: Session) -> float:
    """Count each condition by a query of its own; return the CPU seconds."""
    began = time.process_time()
    for _, condition in STAGES:
        session.value(f"select count(*) {_LIVE} {condition}")
    return time.process_time() - began


def kept(session: Session, profiles: Profiles) -> tuple[StageChanges, float]:
    """Keep the stages; return what changed and the CPU seconds."""
    began = time.process_time()
    changes = keep_stages(session, profiles, LIFECYCLE, NOW)
    return changes, time.process_time() - began


def verify(session: Session, changes: StageChanges) -> None:
    """Fail unless the stages are as large as a query by hand finds."""
    cases = " ".join(
        f"when {condition} then 'stage_{number}'" for number, (_, condition) in reversed([*enumerate(STAGES)])
    )
    query = f"select case {cases} else 'unassigned' end as stage, count(*) {_LIVE} email is not null group by stage"
    wanted = dict(session.rows(query))
    if {name: size for name, size in changes.sizes.items() if size} != wanted:
        raise SystemExit(f"{dict(changes.sizes)}, by hand {wanted}")


def main() -> None:
    """Keep the stages in each case, with the conditions by hand in turn, and print medians."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--people", type=int, default=1_000_000)
    parser.add_argument("--repeat", type=int, default=3)
    options = parser.parse_args()
    profiles = MODEL.with_lifecycles([LIFECYCLE])
    ours: dict[str, list[float]] = {"new": [], "changed": [], "unchanged": []}
    theirs: list[float] = []
    for _ in range(options.repeat):
        with tempfile.TemporaryDirectory() as folder:
            with Warehouse(Path(folder) / "warehouse.duckdb").open("write") as session:
                fill(session, options.people)
            with Warehouse(Path(folder) / "warehouse.duckdb").open("write") as session:
                for case, seconds in ours.items():
                    if case == "changed":
                        change(session)
                    theirs.append(by_hand(session))
                    changes, took = kept(session, profiles)
                    verify(session, changes)
                    seconds.append(took)
    hand = statistics.median(theirs)
    print(f"{options.people:,} profiles, ten stages; the conditions by hand: {hand:.2f} s")
    for case, seconds in ours.items():
        mine = statistics.median(seconds)
        print(f"{case:10}{mine:6.2f} s  {mine / hand:.2f} of the conditions by hand")


if __name__ == "__main__":
    main()
