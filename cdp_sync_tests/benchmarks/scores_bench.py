"""What the scores cost: all kinds over one warehouse of generated events, computed in a process of its own.

The events are of five types, half of them deliveries of mail. At full size all scores together have to stay under 60
seconds of CPU and 1 GiB of memory, otherwise it fails.

`python -m cdp_sync_tests.benchmarks.scores_bench --profiles 1000000 --events 10000000`
"""

import argparse
import resource
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from multiprocessing import get_context
from pathlib import Path

from cdp_sync.model import Profiles
from cdp_sync.scoring import compute_scores
from cdp_sync.warehouse import Session, Warehouse, sync_events, sync_properties

NOW = datetime(2026, 11, 30, 12, tzinfo=UTC)
MOST_CPU, MOST_MIB = 60.0, 1024.0
"""Limits for a million profiles and ten million events."""

PARTS = {"email_delivered": 50, "email_opened": 25, "email_link_clicked": 10, "email_unsubscribed": 2, "order": 13}
"""Percent of the events that are of each type."""

MODEL = Profiles.model_validate(
    {
        "properties": [{"name": "email", "type": "email", "identifier": True}],
        "event_types": list(PARTS),
        "scores": [
            *(
                {"name": name, "rate": {"of": of, "among": "email_delivered", "once_per": "message_id"}}
                for name, of in (
                    ("likely_to_open", "email_opened"),
                    ("likely_to_click", "email_link_clicked"),
                    ("likely_to_unsubscribe", "email_unsubscribed"),
                    ("email_affinity", ["email_opened", "email_link_clicked"]),
                )
            ),
            {"name": "likely_to_convert", "rate": {"of": "order", "among": "email_link_clicked"}},
            {"name": "discount_affinity", "share": {"of": "order", "where": {"property": "coupon", "has_value": True}}},
            {"name": "value_score", "expected_value": "order.total_revenue"},
        ],
    }
)


@dataclass(frozen=True)
class Measured:
    """What computing took."""

    seconds: float
    cpu: float
    memory: float
    """MiB at most."""
    scored: int
    """Profiles with a score, of all scores."""


def fill(session: Session, profiles: int, events: int) -> None:
    """Make profiles, and their events within two years before `NOW`."""
    sync_properties(session, MODEL)
    sync_events(session, MODEL)
    session.execute(
        """insert into warehouse.profile (profile_id, created_at)
        select md5(i::varchar)::uuid, $now from range($profiles) t(i)""",
        {"now": NOW, "profiles": profiles},
    )
    owner = "md5((hash(i + {}) % $profiles)::varchar)::uuid"
    at = "$now::timestamptz - to_seconds((hash(i * 7 + {}) % 63072000)::bigint)"
    for place, (name, percent) in enumerate(PARTS.items()):
        own = "(hash(i) % 10000 / 100)::decimal(18, 4), case when hash(i + 9) % 3 = 0 then 'SAVE' end"
        columns, values = ("total_revenue, coupon", own) if name == "order" else ("message_id", "'m' || hash(i) % 5000")
        session.execute(
            f"""insert into warehouse.event_{name} (event_id, profile_id, happened_at, {columns})
            select i::varchar, {owner.format(place)}, {at.format(place)}, {values} from range($events) t(i)""",
            {"now": NOW, "profiles": profiles, "events": events * percent // 100},
        )


def compute(path: Path) -> Measured:
    """Compute all scores and return what that took."""
    began, cpu_before = time.perf_counter(), time.process_time()
    with Warehouse(path).open("write") as session:
        found = compute_scores(session, MODEL, MODEL.score, NOW)
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    cpu = time.process_time() - cpu_before
    return Measured(time.perf_counter() - began, cpu, memory, sum(scored.profiles for scored in found))


def main() -> None:
    """Fill a warehouse, compute the scores twice, and print what each time took: the second replaces the first."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--profiles", type=int, default=1_000_000)
    parser.add_argument("--events", type=int, default=10_000_000)
    options = parser.parse_args()
    problems = []
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "warehouse.duckdb"
        with Warehouse(path).open("write") as session:
            fill(session, options.profiles, options.events)
        print(f"{len(MODEL.scores)} scores, {options.profiles:,} profiles, {options.events:,} events")
        for turn in ("first", "again"):
            with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
                took = pool.submit(compute, path).result()
            print(
                f"{turn:6}{took.seconds:7.1f} s{took.cpu:7.1f} s of CPU{took.memory:7.0f} MiB  {took.scored:,} scores"
            )
            if took.cpu > MOST_CPU or took.memory > MOST_MIB:
                problems.append(turn)
    if problems:
        raise SystemExit(f"More than {MOST_CPU:g} s of CPU or {MOST_MIB:g} MiB: {', '.join(problems)}")


if __name__ == "__main__":
    main()
