"""Counts segments over events, beside the same queries written by hand, on the same open warehouse.

Three conditions on events; a sequence of two; two rollups. The warehouse is made of generated events, with three items
each. Both count the same profiles, otherwise it fails.

`python -m cdp_sync_tests.benchmarks.segments_bench --events 5000000 --people 1000000 --repeat 3`
"""

import argparse
import statistics
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import func, select

from cdp_sync.model import Profiles
from cdp_sync.segments.membership import PROFILE, is_in_segment
from cdp_sync.segments.statements import step
from cdp_sync.warehouse import Session, Warehouse, readable_columns, sync_events, sync_properties

NOW = datetime(2026, 11, 30, 12, tzinfo=UTC)
MODEL = Profiles.model_validate(
    {
        "properties": [{"name": "email", "type": "email", "identifier": True}],
        "event_types": ["order", "order_refund"],
        "rollups": [
            {"name": "orders", "event": "order", "count": True, "in_last_days": 90},
            {"name": "revenue", "event": "order", "sum": "total_revenue"},
        ],
        "segments": [
            {
                "name": "conditions",
                "when": {
                    "all": [
                        {"event": "order", "at_least": 2, "in_last_days": 90},
                        {"event": "order", "where": {"items": "products", "property": "netprice", "at_least": 90}},
                        {"event": "order", "never": True, "where": {"property": "coupon", "equals": "C7"}},
                    ]
                },
            },
            {"name": "sequence", "when": {"event": "order", "then": {"event": "order_refund", "within_days": 14}}},
            {
                "name": "rollups",
                "when": {"all": [{"property": "orders", "at_least": 2}, {"property": "revenue", "at_least": 100}]},
            },
        ],
    }
)

BY_HAND = {
    "conditions": """
        select count(*) from warehouse.live_profile
        where profile_id in (
            select profile_id from warehouse.event_order
            where happened_at > '2026-09-01 00:00:00+00'::timestamptz
                and happened_at <= '2026-11-30 12:00:00+00'::timestamptz
            group by 1 having count(*) >= 2
        )
        and profile_id in (
            select profile_id from warehouse.event_order
            where len(list_filter(products, lambda x: x.netprice >= 90)) > 0
        )
        and profile_id not in (
            select profile_id from warehouse.event_order where lower(coupon) = 'c7' and profile_id is not null
        )""",
    "sequence": """
        select count(*) from warehouse.live_profile
        where profile_id in (
            select o.profile_id
            from warehouse.event_order o
            join warehouse.event_order_refund r
                on r.profile_id = o.profile_id and r.happened_at > o.happened_at
                and r.happened_at <= o.happened_at + interval 336 hours
        )""",
    "rollups": """
        select count(*) from warehouse.live_profile
        join (
            select
                profile_id,
                count(*) filter (
                    happened_at > '2026-09-01 00:00:00+00'::timestamptz
                    and happened_at <= '2026-11-30 12:00:00+00'::timestamptz
                ) as orders,
                sum(total_revenue) as revenue
            from warehouse.event_order
            group by 1
        ) using (profile_id)
        where orders >= 2 and revenue >= 100""",
}
"""The same as the segments."""

_ITEM = "{{id: '{0}' || i, name: null, variant: null, quantity: 1, netprice: (i % {1})::decimal(18, 4), {2}}}"
_REST = "coupon: null, deliverydate: null, tag: null"


def fill(session: Session, events: int, people: int) -> None:
    """Make profiles, orders, and a fifth as many refunds, within a year before `NOW`."""
    sync_properties(session, MODEL)
    sync_events(session, MODEL)
    names = "insert into warehouse.profile (profile_id, created_at, email)"
    session.execute(
        f"{names} select md5(i::varchar)::uuid, $now, 'u' || i || '@x.nl' from range($people) t(i)",
        {"now": NOW, "people": people},
    )
    at = "$now::timestamptz - to_seconds((hash(i + {}) % 31536000)::bigint)"
    owner = "md5((hash(i + {}) % $people)::varchar)::uuid"
    items = ", ".join(_ITEM.format(*each, _REST) for each in (("a", 100), ("b", 70), ("c", 7)))
    session.execute(
        f"""insert into warehouse.event_order (event_id, profile_id, happened_at, total_revenue, coupon, products)
        select 'o' || i, {owner.format(0)}, {at.format(7)}, (hash(i + 1) % 10000 / 100)::decimal(18, 4),
            case when i % 3 = 0 then 'c' || i % 50 end, [{items}]
        from range($events) t(i)""",
        {"now": NOW, "people": people, "events": events},
    )
    session.execute(
        f"""insert into warehouse.event_order_refund (event_id, profile_id, happened_at)
        select 'r' || i, {owner.format(5)}, {at.format(9)} from range($events) t(i)""",
        {"now": NOW, "people": people, "events": events // 5},
    )


def timed(session: Session, sql: str, values: object = None) -> tuple[int, float]:
    """Return a count and the seconds that it took."""
    began = time.perf_counter()
    found: int = session.value(sql, values)  # type: ignore[arg-type]
    return found, time.perf_counter() - began


def main() -> None:
    """Fill a warehouse, count each segment both ways in turn, and print medians."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--events", type=int, default=5_000_000)
    parser.add_argument("--people", type=int, default=1_000_000)
    parser.add_argument("--repeat", type=int, default=3)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        warehouse = Warehouse(Path(folder) / "warehouse.duckdb")
        with warehouse.open("write") as session:
            fill(session, options.events, options.people)
        with warehouse.open("read") as session:
            columns = readable_columns(session, MODEL)
            print(f"{options.events:,} events of {options.people:,} profiles")
            for name, by_hand in BY_HAND.items():
                inside = is_in_segment(MODEL, name, NOW, columns)
                query = step(name, select(func.count()).select_from(PROFILE).where(inside))
                ours, theirs = [], []
                for _ in range(options.repeat):
                    found, seconds = timed(session, query.sql, query.values)
                    wanted, by_hand_seconds = timed(session, by_hand)
                    if found != wanted:
                        raise SystemExit(f"{name}: {found:,} profiles, by hand {wanted:,}")
                    ours.append(seconds)
                    theirs.append(by_hand_seconds)
                mine, yours = statistics.median(ours), statistics.median(theirs)
                print(f"{name:12}{mine:6.2f} s  {mine / yours:.2f} of {yours:.2f}  {found:>9,} profiles")


if __name__ == "__main__":
    main()
