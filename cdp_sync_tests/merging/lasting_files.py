"""Random files that say the same in any order: of rows, of files, and of runs.

A row names its part by one key. A value that overwrites is said once of each part; other rows add.
"""

import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from cdp_sync.model import FileGoal, Profiles
from cdp_sync_tests.merging.merge_histories import START, Import, Row, written

_SET = {
    "Passport": ("passport", ("P1", "P2", "P3")),
    "Postal": ("postal", ("1000", "2000")),
    "Country": ("country", ("NL", "NL", "BE")),
    "Note": ("note", ("n1", "n2", "n3")),
    "First": ("first", ("f1", "f2", "f3")),
    "Points": ("points", ("1", "2", "3")),
    "Best": ("best", ("1", "2", "3")),
    "Day": ("day", ("2024-01-05", "2024-02-05", "2023-12-31")),
    "News": ("news", ("a", "b|a", "c")),
}
"""Fields that overwrite, with their properties and values."""

_ADDED = {"Email": "emails", "Phone": "phones", "Total": "total", "Tags": "tags"}

_RULES = (
    {"property": "emails"},
    {"property": "phones"},
    {"property": "phones", "and": [{"same": "postal"}]},
    {"property": "emails", "and": [{"property": "country", "equals": "NL"}]},
)


@dataclass
class Lasting:
    """A model, and files that say the same in any order."""

    chance: random.Random
    worlds: int
    said: set[tuple[str, str]] = field(default_factory=set)
    """Parts and fields of which something was said that overwrites."""

    def model(self) -> Profiles:
        """Return a model whose merged profiles show the same but for the keys, in any order of creation."""
        return Profiles(
            properties=[
                {"name": "number", "identifier": True},
                {"name": "card", "identifier": True},
                {"name": "emails", "identifier": True, "multiple": True},
                {"name": "phones", "identifier": True, "multiple": True},
                {"name": "passport", "unique": self.chance.random() < 0.7, "merge": "latest"},
                {"name": "postal", "merge": "latest"},
                {"name": "country", "merge": "oldest"},
                {"name": "note", "merge": "latest"},
                {"name": "first", "merge": "oldest"},
                {"name": "points", "type": "number", "merge": "lowest"},
                {"name": "best", "type": "decimal", "merge": "highest"},
                {"name": "day", "type": "date", "merge": self.chance.choice(("highest", "lowest"))},
                {"name": "total", "type": "number", "merge": "sum"},
                {"name": "tags", "multiple": True, "merge": "both"},
                {"name": "news", "multiple": True, "merge": self.chance.choice(("latest", "oldest"))},
            ],
            merge_rules=self.chance.sample(_RULES, self.chance.choice((1, 2, 2, 3))),
            survivor=self.chance.choice(("newest", "oldest")),
        )

    def files(self, count: int) -> Iterator[tuple[FileGoal, str, list[Row], datetime]]:
        """Yield files with their goals and times."""
        goals = {key: self.goal(key) for key in ("Number", "Card")}
        for number in range(count):
            key = self.chance.choice(("Number", "Card"))
            rows = [
                self.row(key, f"w{world}") for world in range(self.worlds) for _ in range(self.chance.randint(1, 5))
            ]
            yield goals[key], f"/{key}/{number}.csv", rows, START + timedelta(minutes=number)

    def goal(self, key: str) -> FileGoal:
        """Return the goal of files with a key."""
        added = [{"field": name, "property": prop, "mode": "add"} for name, prop in _ADDED.items() if name != "Total"]
        return FileGoal(
            name=key.lower(),
            format={"multi_value": "|"},
            link=[{"field": key, "property": key.lower()}],
            map=[
                *added,
                {"field": "Total", "property": "total", "mode": "sum"},
                *({"field": name, "property": prop} for name, (prop, _) in _SET.items()),
            ],
        )

    def row(self, key: str, world: str) -> Row:
        """Return a row."""
        chance = self.chance
        part = f"{world}{key}{chance.randint(1, 4)}"
        row = {
            key: part,
            "Email": "|".join(f"{world}mail{n}@x" for n in chance.sample(range(5), chance.choice((0, 1, 1, 2)))),
            "Phone": "|".join(f"{world}tel{n}" for n in chance.sample(range(4), chance.choice((0, 0, 1, 1)))),
            "Total": chance.choice(("1", "2", "", "x")),
            "Tags": chance.choice(("red", "blue", "red|green", "")),
        }
        for name, (_, values) in _SET.items():
            is_new = (part, name) not in self.said and chance.random() < 0.4
            row[name] = chance.choice(values) if is_new else ""
            self.said |= {(part, name)} if is_new else set()
        return row


def runs(chance: random.Random, files: list[tuple[FileGoal, str, list[Row], datetime]]) -> Iterator[Import]:
    """Yield runs that import these files in some order, with their rows in some order."""
    left = chance.sample(files, len(files))
    while left:
        goal = left[0][0]
        most = chance.choice((1, 1, 2, 3))
        batch = [each for each in left if each[0] == goal][:most]
        left = [each for each in left if each not in batch]
        yield Import(goal, tuple((path, written(chance.sample(rows, len(rows))), at) for _, path, rows, at in batch))
