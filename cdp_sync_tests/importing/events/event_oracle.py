"""A slow second implementation of the import of events: dicts and loops, with a reader of its own.

Goals and types of events are plain dicts as in YAML. One link, by `Number`, names a person. It covers what generated
histories use: text, numbers, decimals, lists and nested lists, times in UTC, and no processors.
"""

import csv
import io
import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import Any

Row = dict[str, str]
Goal = Mapping[str, Any]
Key = tuple[Any, ...]
Complaint = tuple[str, int, str | None]
"""Path, line and field of a quarantined cell; the field of a row is None."""


@dataclass
class Event:
    """An event. `items` has the items of each nested list by their identifiers, in order of first arrival."""

    person: str | None = None
    happened_at: datetime | None = None
    values: dict[str, Any] = field(default_factory=dict)
    items: dict[str, dict[Any, dict[str, Any]]] = field(default_factory=dict)

    @property
    def waits(self) -> bool:
        """Whether its person or its time is not known."""
        return self.person is None or self.happened_at is None

    def frozen(self) -> Key:
        """Return a value that is equal for equal events."""
        held = {name: items for name, items in self.items.items() if items}
        lists = {name: [tuple(sorted(each.items())) for each in items.values()] for name, items in held.items()}
        return (self.person, self.happened_at, repr(sorted(self.values.items())), repr(sorted(lists.items())))

    def take(self, said: "Event") -> None:
        """Add what a later row says: values overwrite, what it does not say stays."""
        self.person = said.person or self.person
        self.happened_at = said.happened_at or self.happened_at
        self.values |= said.values
        for name, items in said.items.items():
            known = self.items.setdefault(name, {})
            if not items or any(isinstance(key, int) for key in items):  # no property names an item: it is one value
                self.items[name] = items
                continue
            for key, item in items.items():
                known.setdefault(key, {}).update(item)


@dataclass
class Memory:
    """What the ledger knows of a file."""

    content: bytes
    goal: str
    applied: Counter[Key]


@dataclass
class Waiting:
    """A row that waits for its person."""

    goal: str
    path: str
    line: int
    row: Row


@dataclass
class World:
    """People, events and the ledger."""

    people: dict[str, dict[str, str]] = field(default_factory=dict)
    events: dict[Key, Event] = field(default_factory=dict)
    files: dict[tuple[str, str], Memory] = field(default_factory=dict)
    waiting: list[Waiting] = field(default_factory=list)


@dataclass
class Outcome:
    """The counters of a run by file, and its quarantine."""

    counters: dict[str, Counter[str]] = field(default_factory=dict)
    quarantine: Counter[Complaint] = field(default_factory=Counter)


@dataclass
class Staged:
    """A row to apply."""

    path: str
    line: int
    row: Row
    retried: bool = False
    """It waited for its person: what is wrong with its cells stands with the run that read its file."""
    events: list[tuple[Key | None, Event]] = field(default_factory=list)
    """Type and id, or None for an id that is made of the content; what the row says of the event."""
    types: list[str] = field(default_factory=list)

    @property
    def place(self) -> tuple[str, int]:
        """Its path and its line."""
        return self.path, self.line


class NoValue(Exception):
    """The text does not convert."""


@dataclass
class Import:
    """One run of a goal, in progress."""

    world: World
    goal: Goal
    types: Mapping[str, Any]
    outcome: Outcome = field(default_factory=Outcome)
    first: dict[Key, str] = field(default_factory=dict)
    """The events that rows touched, with the file of the first of these rows."""
    people: dict[str, tuple[str, bool, dict[str, str]]] = field(default_factory=dict)
    """The people of rows: the file of the first one, whether they are new, and what they had."""

    def stage(self, path: str, content: bytes) -> Iterator[Staged]:
        """Read a file and yield the rows that its previous import did not apply."""
        key, declared = (self.goal["name"], path), json.dumps(self.goal, sort_keys=True)
        counters = self.outcome.counters[path] = Counter()
        known = self.world.files.get(key)
        if known and (known.content, known.goal) == (content, declared):
            return
        left = Counter(known.applied) if known and known.goal == declared else Counter()
        self.world.files[key] = memory = Memory(content, declared, Counter())
        self.world.waiting = [one for one in self.world.waiting if (one.goal, one.path) != key]
        fields = fields_of(self.goal)
        for number, row in enumerate(csv.DictReader(io.StringIO(content.decode(), newline="")), start=2):
            counters["rows_read"] += 1
            identity = tuple(row.get(name) for name in fields)
            if left[identity]:
                left[identity] -= 1
                memory.applied[identity] += 1
                counters["rows_unchanged"] += 1
            else:
                yield Staged(path, number, row)

    def retry(self) -> Iterator[Staged]:
        """Yield the rows that waited for their person, where the person is known now."""
        name, declared, world = self.goal["name"], json.dumps(self.goal, sort_keys=True), self.world
        due = [
            one
            for one in world.waiting
            if one.goal == name
            and one.row["Number"] in world.people
            and world.files[name, one.path].goal == declared  # a goal that changed reads the file again as a whole
        ]
        world.waiting = [one for one in world.waiting if one not in due]
        for one in due:
            self.outcome.counters.setdefault(one.path, Counter())["rows_read"] += 1
            yield Staged(one.path, one.line, one.row, retried=True)

    def apply(self, staged: Staged) -> None:
        """Decide what becomes of a row, and write its person and its events."""
        counters, quarantine, place = self.outcome.counters[staged.path], self.outcome.quarantine, staged.place
        complaints = read_events(self.goal, self.types, staged)
        ending, person = ending_of(self.world, self.goal, staged)
        counters[f"rows_{ending}"] += 1
        counters["values_invalid"] += len(complaints)
        if not staged.retried:
            quarantine.update((*place, name) for name in complaints)
        if ending == "applied":
            self.write_person(staged, person)
            self.write_events(staged, person)
            return
        quarantine[(*place, "Number" if ending != "rejected" else None)] += 1
        if ending == "unmatched":
            self.world.waiting.append(Waiting(self.goal["name"], *place, staged.row))

    def write_person(self, staged: Staged, person: str | None) -> None:
        """Remember that the row is applied, and apply it to its person."""
        known, row = self.world.people, staged.row
        memory = self.world.files[self.goal["name"], staged.path]
        memory.applied[tuple(row.get(name) for name in fields_of(self.goal))] += 1
        if person:
            self.people.setdefault(person, (staged.path, person not in known, dict(known.get(person, {}))))
            said = {each["property"]: row.get(each["field"]) for each in self.goal.get("map", ())}
            known.setdefault(person, {}).update({name: value for name, value in said.items() if value})

    def write_events(self, staged: Staged, person: str | None) -> None:
        """Apply the row to its events."""
        for kind, (key, said) in zip(staged.types, staged.events, strict=True):
            said.person = person
            full = key or (kind, "digest", *said.frozen())
            self.first.setdefault(full, staged.path)
            self.world.events.setdefault(full, Event()).take(said)


def import_files(world: World, goal: Goal, types: Mapping[str, Any], files: Iterable[tuple[str, bytes]]) -> Outcome:
    """Import files in one run."""
    run = Import(world, goal, types)
    rows = [row for path, content in files for row in run.stage(path, content)]
    rows += run.retry()
    before = {key: event.frozen() for key, event in world.events.items()}
    for staged in rows:
        run.apply(staged)
    for key, path in run.first.items():
        event, counters = world.events[key], run.outcome.counters[path]
        changed = "unchanged" if before.get(key) == event.frozen() else "updated"
        counters[f"events_{changed if key in before else 'created'}"] += 1
        counters["events_waiting"] += event.waits and changed == "updated"
    for person, (path, is_new, held) in run.people.items():
        changed = "unchanged" if held == world.people[person] else "updated"
        run.outcome.counters[path][f"profiles_{'created' if is_new else changed}"] += 1
    return run.outcome


def fields_of(goal: Goal) -> list[str]:
    """Return the fields that make a row what it is."""
    fields = [each["field"] for each in (*goal.get("link", ()), *goal.get("map", ()))]
    for entry in goal["events"]:
        fields += [entry[name] for name in ("id", "time") if name in entry]
        fields += [each["field"] for each in entry.get("map", ())]
        for items in entry.get("items", {}).values():
            fields += [items["field"]] if "field" in items else [items["id"], *(one["field"] for one in items["map"])]
    return list(dict.fromkeys(fields))


def ending_of(world: World, goal: Goal, staged: Staged) -> tuple[str, str | None]:
    """Return what becomes of a row, and its person."""
    usable = bool(staged.events)
    if not goal.get("link"):
        return ("applied" if usable else "rejected"), None
    if not usable and not goal.get("map"):
        return "rejected", None
    person = staged.row.get("Number") or None
    if person is None:
        return "without_identifier", None
    if person not in world.people and not goal.get("allow_new_profiles", True):
        return "unmatched", None
    return "applied", person


def read_events(goal: Goal, types: Mapping[str, Any], staged: Staged) -> list[str]:
    """Read the events of a row; return the fields of the cells that are invalid."""
    complaints: list[str] = []
    for entry in goal["events"]:
        said = Event()
        mine: list[str] = []
        props = {prop["name"]: prop for prop in types[entry["type"]]["properties"]}
        if not any(staged.row.get(name) for name in fields_of({"events": [entry]})):
            continue
        read_values(entry.get("map", ()), props, staged.row, said.values, mine)
        for name, items in entry.get("items", {}).items():
            read_items(name, items, props[name], staged.row, said, mine)
        complaints += mine
        missing = [entry["id"]] if "id" in entry and not staged.row.get(entry["id"]) else []
        if "time" in entry:
            try:
                said.happened_at = moment(staged.row.get(entry["time"]) or "")
            except NoValue:
                missing.append(entry["time"])
        complaints += missing
        if missing:
            continue
        staged.types.append(entry["type"])
        staged.events.append(((entry["type"], staged.row[entry["id"]]) if "id" in entry else None, said))
    return complaints


def read_values(
    mappings: Iterable[Mapping[str, str]], props: Mapping[str, Any], row: Mapping[str, Any], into: dict[str, Any],
    complaints: list[str],
) -> None:  # fmt: skip
    """Convert the mapped cells of a row; add the fields of invalid ones to the complaints."""
    for each in mappings:
        if text := row.get(each["field"]):
            try:
                into[each["property"]] = convert(text, props[each["property"]])
            except NoValue:
                complaints.append(each["field"])


def read_items(
    name: str, items: Mapping[str, Any], prop: Mapping[str, Any], row: Row, said: Event, complaints: list[str]
) -> None:
    """Read the items of a nested list that a row has."""
    props = {each["name"]: each for each in prop["items"]}
    identifier = next((each["name"] for each in prop["items"] if each.get("identifier")), None)
    field_of_id = items.get("id") or next(
        (each["field"] for each in items["map"] if each["property"] == identifier), None
    )
    if "field" not in items:
        found: list[Mapping[str, Any]] = [row]
    else:
        try:
            found = json_objects(row.get(items["field"]) or "[]")
        except NoValue:
            complaints.append(items["field"])
            return
        said.items |= {} if identifier or not row.get(items["field"]) else {name: {}}
    mine: list[str] = []
    for place, one in enumerate(found):
        values: dict[str, Any] = {}
        wanted = [*([{"field": field_of_id, "property": identifier}] if items.get("id") else []), *items["map"]]
        if "field" not in items and not any(one.get(each["field"]) for each in wanted):
            continue
        read_values(wanted, props, one, values, mine)
        if not identifier and not values:
            continue
        key = values.get(identifier) if identifier else place
        if key is None:
            mine.append(str(field_of_id))
        else:
            said.items.setdefault(name, {}).setdefault(key, {}).update(values)
    if "field" in items:  # one complaint for each name within the cell
        mine = [items["field"] if each == field_of_id else f"{items['field']}.{each}" for each in dict.fromkeys(mine)]
    complaints += mine


def json_objects(text: str) -> list[dict[str, str]]:
    """Return the objects of a JSON array, their values as texts."""
    try:
        found = json.loads(text, parse_float=str, parse_int=str)
    except ValueError:
        raise NoValue from None
    if not isinstance(found, list) or not all(isinstance(one, dict) for one in found):
        raise NoValue
    return [{name: value for name, value in one.items() if value is not None} for one in found]


def convert(text: str, prop: Mapping[str, Any]) -> Any:
    """Return the value of a cell. Raises NoValue."""
    if prop.get("multiple"):
        return tuple(dict.fromkeys(part.strip() for part in text.split("|") if part.strip()))
    match prop.get("type", "text"):
        case "decimal":
            try:
                return Decimal(text).quantize(Decimal("0.0001"))
            except InvalidOperation:
                raise NoValue from None
        case "number":
            if not text.isdecimal():
                raise NoValue
            return int(text)
    return text


def moment(text: str) -> datetime:
    """Return an instant. Raises NoValue."""
    try:
        return datetime.fromisoformat(text).replace(tzinfo=UTC)
    except ValueError:
        raise NoValue from None
