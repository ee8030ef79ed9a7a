"""Random histories of imports and decisions: models with merge rules, files, redeliveries, merges, unmerges, splits.

A history has several worlds whose values differ, so that their people have nothing to do with each other: what one run
does to one of them leaves the others as they are.
"""

import csv
import io
import json
import random
import re
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from cdp_sync.model import FileGoal, Profiles
from cdp_sync_tests.merging.destination import SEGMENT

START = datetime(2024, 5, 1, 12, tzinfo=UTC)

Row = dict[str, str]

_FIELDS = {
    "Number": "number",
    "Card": "card",
    "Email": "emails",
    "Phone": "phones",
    "Passport": "passport",
    "Postal": "postal",
    "Country": "country",
    "Name": "name",
    "Total": "total",
    "Points": "points",
    "Day": "day",
    "Note": "note",
    "Tags": "tags",
    "News": "news",
    "Zone": "privacy_legislation",
    "Yes": "consented_objectives",
    "No": "refused_objectives",
}
"""Fields of files with the properties that they fill."""

_RULES: tuple[dict[str, Any], ...] = (
    {"property": "emails"},
    {"property": "phones"},
    {"property": "phones", "and": [{"same": "postal"}]},
    {"property": "emails", "and": [{"property": "country", "equals": "NL"}]},
    {"property": "phones", "and": [{"same": "country"}, {"property": "points", "equals": 2}]},
    {"property": "card"},
)

_GOALS: dict[str, dict[str, Any]] = {
    "shop": {"link": ["Number"], "fields": [*_FIELDS][2:], "order": True},
    "branch": {
        "link": ["Card"],
        "fields": ["Email", "Phone", "Passport", "Postal", "Country", "Total", "Tags", "Note"],
    },
    "desk": {"link": ["Number", "Card"], "fields": ["Phone", "Name", "Points", "Day", "News", "Yes", "No"]},
    "till": {"link": ["Card"], "fields": ["Total", "Tags", "Phone", "Note"], "row_key": ["Receipt"]},
    "mail": {"link": ["Email"], "fields": ["Name", "Note", "Tags", "Points", "Total"], "order": True},
    "strangers": {"link": ["Email"], "fields": ["Day", "Name", "Total"], "allow_new_profiles": False},
}

_CELLS: dict[str, tuple[str, ...]] = {
    "Passport": ("", "", "", "", "P1", "P2"),
    "Postal": ("", "1000", "2000"),
    "Country": ("NL", "NL", "NL", "BE", ""),
    "Name": ("Ann", "Bob", "Cid", ""),
    "Total": ("1", "2", "5", "", "x"),
    "Points": ("1", "2", "3", ""),
    "Day": ("2024-01-05", "2024-02-05", "2023-12-31", "", "soon"),
    "Note": ("n1", "n2", "n3", ""),
    "Tags": ("red", "blue", "red|green", ""),
    "News": ("a", "b|a", "c", ""),
    "Zone": ("GDPR", "CCPA", "", ""),
    "Yes": ("ads", "mail", "ads|mail", "", ""),
    "No": ("ads", "", "", ""),
}


@dataclass(frozen=True)
class Import:
    """A run: a goal, and files with their times."""

    goal: FileGoal
    files: tuple[tuple[str, bytes, datetime], ...]

    def __str__(self) -> str:
        """Return the run for a failed test's output."""
        goal = self.goal.model_dump(mode="json", by_alias=True, include={"name", "link", "map", "allow_new_profiles"})
        return f"{json.dumps(goal)}" + "".join(f"\n{path} {time}\n{data.decode()}" for path, data, time in self.files)


@dataclass(frozen=True)
class Decide:
    """A decision in a world; `chances` choose the profiles among those there are."""

    kind: str
    world: str
    chances: tuple[float, ...]


Step = Import | Decide


def declared_anew(chance: random.Random, profiles: Profiles) -> Profiles:
    """Return the model with other rules, strategies that do not go by time, survivor and unique properties."""
    other = model(chance)
    timed = ("latest", "oldest")
    merged_by = {prop.name: prop.merged_by for prop in other.properties}
    properties = [
        prop.model_copy(
            update={
                "merge": prop.merge if merged_by[prop.name] in timed else merged_by[prop.name],
                "unique": other.by_name[prop.name].unique,
            }
        )
        for prop in profiles.properties
    ]
    kept = chance.sample(profiles.merge_rules, chance.randint(0, len(profiles.merge_rules)))
    rules = {rule.words: rule for rule in (*kept, *other.merge_rules)}
    return Profiles(
        **{name: getattr(profiles, name) for name in ("zones", "objectives", "segments", "event_types")},
        properties=properties,
        merge_rules=chance.sample(sorted(rules.values(), key=lambda rule: rule.words), min(len(rules), 3)),
        survivor=other.survivor,
    )


def model(chance: random.Random) -> Profiles:
    """Return a model with one to three merge rules."""

    def any_of(*names: str) -> str:
        return chance.choice(names)

    timed = ("latest", "oldest", "survivor")
    return Profiles(
        properties=[
            {"name": "number", "identifier": True, "merge": "survivor"},
            {"name": "card", "identifier": True, "unique": chance.random() < 0.2},
            {"name": "emails", "identifier": True, "multiple": True, "merge": "both"},
            {"name": "phones", "identifier": True, "multiple": True},
            {"name": "passport", "unique": True},
            {"name": "postal"},
            {"name": "country", "merge": any_of(*timed)},
            {"name": "name", "merge": any_of(*timed)},
            {"name": "total", "type": "number", "merge": any_of("sum", "sum", "highest", "survivor")},
            {"name": "points", "type": "number", "merge": any_of("sum", "highest", "lowest", *timed)},
            {"name": "day", "type": "date", "merge": any_of("highest", "lowest", *timed)},
            {"name": "note", "merge": any_of("latest", "oldest")},
            {"name": "tags", "multiple": True, "merge": any_of("both", *timed)},
            {"name": "news", "multiple": True, "merge": any_of("both", "latest", "oldest")},
        ],
        zones={"GDPR": "opt_in", "CCPA": "opt_out"},
        objectives=[{"name": name, "zones": ["GDPR", "CCPA"]} for name in ("ads", "mail")],
        segments=[SEGMENT],
        event_types=[{"name": "order", "properties": [{"name": "sku"}]}],
        merge_rules=chance.sample(_RULES, chance.choice((1, 2, 2, 3))),
        survivor=any_of("newest", "newest", "oldest"),
    )


@dataclass
class Story:
    """What a history has had so far, and what comes next."""

    chance: random.Random
    worlds: int
    steps: int
    decisions: int = 3
    """The most decisions after an import."""
    known: dict[str, list[Row]] = field(default_factory=dict)
    orders: int = 0
    files: int = 0

    def __iter__(self) -> Iterator[Step]:
        """Yield the steps."""
        goals = [self.goal(name) for name in self.chance.sample(sorted(_GOALS), 3)]
        for _ in range(self.steps):
            goal = self.chance.choice(goals)
            files: dict[str, tuple[str, bytes, datetime]] = {}
            for _ in range(self.chance.choice((1, 1, 2))):
                file = self.file(goal, files)
                files[file[0]] = file
            yield Import(goal, tuple(files.values()))
            for _ in range(self.chance.randint(0, self.decisions)):
                kind = self.chance.choice(
                    ("merge", "unmerge", "unmerge", "unmerge", "split", "split", "rules", "declare")
                )
                world = f"w{self.chance.randrange(self.worlds)}"
                yield Decide(kind, world, tuple(self.chance.random() for _ in range(4)))

    def goal(self, name: str) -> FileGoal:
        """Return a goal."""
        settings = _GOALS[name]
        event = {"type": "order", "id": "Order", "time": "At", "map": [{"field": "Sku", "property": "sku"}]}
        return FileGoal(
            name=name,
            format={"multi_value": "|"},
            link=[{"field": each, "property": _FIELDS[each]} for each in settings["link"]],
            map=[self.mapping(each) for each in settings["fields"]],
            events=[event] if settings.get("order") else [],
            allow_new_profiles=settings.get("allow_new_profiles", True),
            row_key=settings.get("row_key", []),
            redelivered="adds" if "row_key" in settings else self.chance.choice(("adds", "replaces")),
        )

    def mapping(self, name: str) -> dict[str, str]:
        """Return a mapping of a field."""
        modes = {"Total": ["sum"], "Tags": ["add", "set"], "News": ["set", "add"], "Phone": ["add", "add", "set"]}
        modes |= {"Email": ["add", "set"], "Name": ["set", "set_or_clear", "set_if_empty"]}
        return {"field": name, "property": _FIELDS[name], "mode": self.chance.choice(modes.get(name, ["set"]))}

    def file(self, goal: FileGoal, taken: Collection[str]) -> tuple[str, bytes, datetime]:
        """Return a new file, or one of those not taken that is delivered again with some rows changed."""
        mine = [path for path in self.known if path.startswith(f"/{goal.name}/") and path not in taken]
        again = bool(mine) and self.chance.random() < 0.3
        path = self.chance.choice(mine) if again else f"/{goal.name}/{len(self.known)}.csv"
        self.known[path] = rows = self.changed(self.known[path]) if again else self.new_rows(goal)
        self.files += 1
        return path, written(rows), START + timedelta(minutes=self.files)

    def new_rows(self, goal: FileGoal) -> list[Row]:
        """Return rows of each world."""
        columns = [*dict.fromkeys([*goal.fields, *goal.row_key])]
        rows = [
            {name: self.cell(name, f"w{world}") for name in columns}
            for world in range(self.worlds)
            for _ in range(self.chance.randint(1, 5))
        ]
        self.chance.shuffle(rows)
        return rows

    def changed(self, rows: list[Row]) -> list[Row]:
        """Return rows of which some are gone, repeated, or have another cell."""
        rows = [dict(row) for row in rows if self.chance.random() < 0.9] or rows
        for row in rows:
            if self.chance.random() < 0.4:
                name = self.chance.choice([name for name in row if name not in ("Order", "Number", "Card")])
                world = next((found[0] for cell in row.values() if (found := re.match(r"w\d+", cell))), "w0")
                row[name] = self.cell(name, world)
        return rows

    def cell(self, name: str, world: str) -> str:
        """Return a cell."""
        choices: dict[str, Callable[[], str]] = {
            "Number": lambda: self.one_of(world, "num", 4),
            "Card": lambda: self.one_of(world, "card", 3),
            "Email": lambda: self.several(f"{world}mail{n}@x" for n in range(4)),
            "Phone": lambda: self.several(f"{world}p" if n == 3 else f"{world}tel{n}" for n in range(4)),
            "Order": lambda: self.order(world),
            "Receipt": lambda: self.one_of(world, "r", 5),
            "At": lambda: "2024-05-01",
            "Sku": lambda: "s1",
        }
        return choices[name]() if name in choices else self.chance.choice(_CELLS[name])

    def one_of(self, world: str, what: str, count: int) -> str:
        """Return one of some values, or at times nothing."""
        return "" if self.chance.random() < 0.15 else f"{world}{what}{self.chance.randint(1, count)}"

    def several(self, values: Iterator[str]) -> str:
        """Return mostly one of some values."""
        return "|".join(self.chance.sample([*values], self.chance.choice((0, 1, 1, 2))))

    def order(self, world: str) -> str:
        """Return the id of a new order."""
        self.orders += 1
        return f"{world}o{self.orders}"


def written(rows: list[Row]) -> bytes:
    """Return a file with the rows."""
    file = io.StringIO(newline="")
    writer = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return file.getvalue().encode()
