"""Random histories of imports of events: goals, files, redeliveries and changed rows."""

import csv
import io
import json
import random
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

TYPES: list[dict[str, Any]] = [
    {
        "name": "order",
        "properties": [
            {"name": "select"},
            {"name": "group", "type": "decimal"},
            {"name": "order", "type": "number"},
            {"name": "table", "multiple": True},
            {
                "name": "products",
                "items": [
                    {"name": "id", "identifier": True},
                    {"name": "from"},
                    {"name": "price", "type": "decimal"},
                    {"name": "quantity", "type": "number"},
                ],
            },
            {"name": "where", "items": [{"name": "value"}, {"name": "limit", "type": "number"}]},
        ],
    },
    {"name": "visit", "properties": [{"name": "page"}, {"name": "union", "type": "number"}]},
]
"""Types of events, with words of SQL as names."""

PROPERTIES = [{"name": "number", "identifier": True}, {"name": "first_name"}]
"""Properties of profiles."""

_LINK = [{"field": "Number", "property": "number"}]
_NAME = [{"field": "Name", "property": "first_name"}]


def _map(**fields: str) -> list[dict[str, str]]:
    return [{"field": name, "property": prop} for name, prop in fields.items()]


_ORDER = {
    "type": "order",
    "id": "Id",
    "time": "At",
    "map": _map(Select="select", Group="group", Order="order", Table="table"),
}
_LINE = {"products": {"id": "Sku", "map": _map(From="from", Price="price", Quantity="quantity")}}
_BASKET = {
    "products": {"field": "Lines", "id": "id", "map": _map(**{"from": "from", "price": "price", "n": "quantity"})},
    "where": {"field": "Notes", "map": _map(v="value", n="limit")},
}
_FULL_ORDER = {**_ORDER, "items": {**_LINE, "where": _BASKET["where"]}}
_VISIT = {"type": "visit", "time": "Seen", "map": _map(Page="page", Union="union")}

GOALS: list[dict[str, Any]] = [
    {"name": "orders", "link": _LINK, "map": _NAME, "events": [_ORDER]},
    {"name": "lines", "events": [{"type": "order", "id": "Id", "items": _LINE}]},
    {"name": "own_lines", "link": _LINK, "events": [{"type": "order", "id": "Id", "items": _LINE}]},
    {"name": "heads", "events": [_ORDER]},
    {"name": "whole", "link": _LINK, "map": _NAME, "events": [{**_ORDER, "items": _LINE}]},
    {"name": "baskets", "link": _LINK, "events": [{"type": "order", "id": "Id", "time": "At", "items": _BASKET}]},
    {"name": "visits", "link": _LINK, "map": _NAME, "events": [_VISIT]},
    {"name": "visits_only", "link": _LINK, "events": [_VISIT]},
    {"name": "both", "link": _LINK, "events": [_ORDER, _VISIT]},
    {"name": "claims", "link": _LINK, "events": [{"type": "order", "id": "Id", "map": _map(Select="select")}]},
    {"name": "strangers", "link": _LINK, "allow_new_profiles": False, "events": [_FULL_ORDER, _VISIT]},
]
"""Goals; those without a link add to events by their ids."""

_ITEMS = ['"from":"x"', '"from":null', '"price":"2.5"', '"price":1', '"price":"dear"', '"n":2', '"n":"two"', '"more":1']
_NOTES = ['"v":"a"', '"v":"b"', '"n":1', '"n":"one"']

_CELLS: dict[str, tuple[str, ...]] = {
    "Name": ("Ann", "Bob", ""),
    "At": ("2024-05-01 10:00:00", "2024-05-02 10:00:00", "2024-05-03", "1969-07-20", "2024-05-04", "soon", ""),
    "Seen": ("2024-05-01 10:00:00", "2024-05-02", "2024-05-02", "soon", "", ""),
    "Select": ("a", "b", 'c"d', ""),
    "Group": ("1", "2.50", "-3.25", "x", ""),
    "Order": ("1", "22", "1.5", ""),
    "Table": ("x|y", "y", "x|x", ""),
    "From": ("here", "there", ""),
    "Price": ("1.5", "2", "free", ""),
    "Quantity": ("1", "3", "many", ""),
    "Page": ("/", "/basket", ""),
    "Union": ("1", "2", "x", ""),
    "Sku": ("s1", "s2", "s3", "s4", ""),
    "Extra": ("1", "2"),
}


@dataclass(frozen=True)
class EventRun:
    """A run: a goal and files with their contents."""

    goal: dict[str, Any]
    files: tuple[tuple[str, bytes], ...]

    def __str__(self) -> str:
        """Return the run for a failed test's output."""
        return "".join([f"\n{json.dumps(self.goal)}", *(f"\n{path}\n{data.decode()}" for path, data in self.files)])


def history(chance: random.Random) -> Iterator[EventRun]:
    """Yield the runs of a history: files arrive, come again unchanged or changed, and a goal's declaration changes."""
    known: dict[tuple[str, str], list[dict[str, str]]] = {}
    goals = {goal["name"]: goal for goal in chance.sample(GOALS, 4)}
    for number in range(6):
        name = chance.choice(sorted(goals))
        if chance.random() < 0.15:
            goals[name] = {**goals[name], "blocked_values": [f"nobody{number}"]}
        files = []
        mine = [path for goal, path in known if goal == name and name != "strangers"]
        for nth in range(chance.choice((1, 1, 2))):
            again = bool(mine) and chance.random() < 0.5
            path = mine.pop(chance.randrange(len(mine))) if again else f"/in/{name}_{number}_{nth}.csv"
            rows = changed(chance, known[name, path], name) if again else new_rows(chance, goals[name])
            known[name, path] = rows
            files.append((path, written(rows)))
        yield EventRun(goals[name], tuple(files))


def new_rows(chance: random.Random, goal: dict[str, Any]) -> list[dict[str, str]]:
    """Return rows with the fields of a goal."""
    fields = [field for field in _fields(goal) if field != "Name" or chance.random() < 0.9]
    return [_row(chance, fields) for _ in range(chance.randint(1, 7))]


def changed(chance: random.Random, rows: list[dict[str, str]], name: str) -> list[dict[str, str]]:
    """Return rows of a file that is delivered again."""
    rows = [dict(row) for row in rows]
    match chance.choice(("same", "order", "cells", "more", "fewer", "twice")):
        case "order":
            chance.shuffle(rows)
        case "cells":
            row = chance.choice(rows)
            row |= _row(chance, chance.sample(sorted(row), min(2, len(row))))
        case "more":
            rows.insert(chance.randrange(len(rows) + 1), _row(chance, list(rows[0])))
        case "fewer" if len(rows) > 1:
            rows.pop(chance.randrange(len(rows)))
        case "twice":
            rows.append(dict(chance.choice(rows)))
    return rows


def _row(chance: random.Random, fields: list[str]) -> dict[str, str]:
    bare = chance.random() < 0.1
    return {field: "" if bare and field != "Number" else _cell(chance, field) for field in fields}


def _cell(chance: random.Random, field: str) -> str:
    match field:
        case "Number":
            return chance.choice([f"n{number}" for number in range(1, 6)] * 3 + [""])
        case "Id":
            return chance.choice([f"o{number}" for number in range(1, 6)] * 3 + [""])
        case "Lines":
            return _json(chance, ['"id":"s1"', '"id":"s2"', '"id":"s3"'], _ITEMS)
        case "Notes":
            return _json(chance, [], _NOTES)
    return chance.choice(_CELLS[field])


def _json(chance: random.Random, ids: list[str], others: list[str]) -> str:
    if chance.random() < 0.3:
        return chance.choice(("", "[]", "[]", '[{"id":"s1","price":', '{"id":"s1"}', "[1]"))
    objects = []
    for _ in range(chance.randint(1, 3)):
        members = {each.partition(":")[0]: each for each in chance.sample(others, chance.randint(1, 3))}
        named = [chance.choice(ids)] if ids and chance.random() < 0.9 else []
        objects.append(f"{{{','.join([*named, *members.values()])}}}")
    return f"[{','.join(objects)}]"


def _fields(goal: dict[str, Any]) -> list[str]:
    fields = [each["field"] for each in (*goal.get("link", ()), *goal.get("map", ()))]
    for entry in goal["events"]:
        fields += [entry[name] for name in ("id", "time") if name in entry]
        fields += [each["field"] for each in entry.get("map", ())]
        for items in entry.get("items", {}).values():
            fields += [items["field"]] if "field" in items else [items["id"], *(each["field"] for each in items["map"])]
    return [*dict.fromkeys(fields), "Extra"]


def written(rows: list[dict[str, str]]) -> bytes:
    """Return a file with the rows."""
    file = io.StringIO(newline="")
    writer = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return file.getvalue().encode()
