"""One run of an import goal: its files and their rows, in order, as one batch."""

import re
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from cdp_sync.model import Counters, FileGoal, Mapping, Profiles, Property, fingerprint
from cdp_sync.model.processed_fields import sources_of
from cdp_sync_tests.oracle.consenting import LISTS, may_process, move
from cdp_sync_tests.oracle.contributing import Account, Keyed, Vanished, drop, open_account, remember_keys, summed
from cdp_sync_tests.oracle.converting import Invalid, convert, link_values, stripped
from cdp_sync_tests.oracle.linking import Profile, holders_of, link_rows
from cdp_sync_tests.oracle.processing import Cells, process
from cdp_sync_tests.oracle.reading import named, read_file
from cdp_sync_tests.oracle.row import Entry, FileFails, Remembered, Row

MISSING = ("the file has no such column",)


@dataclass(frozen=True)
class Imported:
    """A path's entry in the ledger: its last import, and the rows that were applied in that import or earlier."""

    content: bytes
    fingerprint: str
    goal: FileGoal
    """The goal of that import."""
    fields: list[str]
    """The fields of a row's identity."""
    rows: list[Remembered]
    sources: list[str] = field(default_factory=list)
    """The fields before processors from which those are made."""


@dataclass
class State:
    """The state between runs: profiles in order of creation, and the ledger by path."""

    profiles: list[Profile] = field(default_factory=list)
    ledger: dict[str, Imported] = field(default_factory=dict)
    keyed: dict[Any, Keyed] = field(default_factory=dict)
    """The last contribution of each row key."""
    waiting: list[tuple[str, Row]] = field(default_factory=list)
    """Rows without a match, with their goal."""
    apart: set[frozenset[int]] = field(default_factory=set)
    """Pairs of profiles that were decided to stay apart."""


@dataclass
class Batch:
    """The rows of one run, and former rows that its files no longer have."""

    objectives: tuple[str, ...]
    rows: list[Row] = field(default_factory=list)
    vanished: list[Vanished] = field(default_factory=list)
    imported: dict[str, Imported] = field(default_factory=dict)
    """The files that were read, by path."""


@dataclass
class Outcome:
    """What a run did: counters per file, the files that failed with the reason, the quarantine."""

    now: datetime
    """When the run began."""
    counters: dict[str, Counters] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)
    quarantine: list[Entry] = field(default_factory=list)
    rows: list[Row] = field(default_factory=list)
    """The rows of its files, and earlier ones that were tried again."""

    def count(self, path: str, counter: str, by: int = 1) -> None:
        """Increase a counter of a file."""
        counted = self.counters[path]
        self.counters[path] = replace(counted, **{counter: getattr(counted, counter) + by})

    def reject(self, row: Row, column: str, reason: str) -> None:
        """Quarantine a row or one of its cells."""
        if not row.retried:  # the run that read their file has quarantined them
            self.quarantine.append(Entry(row.name, row.line, reason, column, row.cells.get(column)))

    def withhold(self, row: Row) -> None:
        """Quarantine a whole row, and remove the values of its quarantined cells."""
        if row.retried:
            return
        place = (row.name, row.line)
        withheld = [replace(one, value=None) if (one.path, one.line) == place else one for one in self.quarantine]
        self.quarantine = [*withheld, Entry(*place, "no consent for the connection's objectives")]


def import_files(
    state: State,
    goal: FileGoal,
    profiles: Profiles,
    files: Iterable[tuple[str, bytes]],
    objectives: tuple[str, ...] = (),
    now: datetime | None = None,
) -> Outcome:
    """Import files, in the order given, as one batch; change the state and report what happened.

    Args:
        state: Is changed.
        goal: The declaration.
        profiles: The declared profile.
        files: Paths and contents.
        objectives: Those that the connection is bound to.
        now: When the run begins, for processors; the present time unless it is given.
    """
    outcome = Outcome(now or datetime.now(UTC))
    digest = fingerprint(goal, profiles, objectives)
    state.waiting = [(goal.name if name == goal.was else name, row) for name, row in state.waiting]
    batch = Batch(objectives)
    rows = outcome.rows = batch.rows
    for path, content in files:
        outcome.counters[path] = Counters()
        previous = state.ledger.get(path)
        if not previous or (previous.content, previous.fingerprint) != (content, digest):
            read_one(path, Imported(content, digest, goal, [], []), previous, batch, outcome)
    landing = {path: one for path, one in batch.imported.items() if path not in outcome.failed}
    rows += retry(state, goal, digest, set(landing), profiles, outcome)
    if goal.row_key:
        match_keys(rows, state.keyed, digest)
    declared = profiles.with_properties(Property(name=name) for name in detected_names(rows, goal).values())
    before = [dict(profile) for profile in state.profiles]
    land(batch, goal, declared, state, outcome)
    state.ledger |= landing
    for row in rows:
        remember(row, state.ledger[row.path], state.keyed)
    remember_keys(rows, before, digest, state.keyed)
    keep_waiting(rows, state, goal, set(landing))
    return outcome


def read_one(path: str, current: Imported, previous: Imported | None, batch: Batch, outcome: Outcome) -> None:
    """Read one file into the batch and match its rows with the previous import."""
    goal = current.goal
    own = read_rows(path, current.content, goal, outcome)
    columns = dict.fromkeys(name for row in own for name in row.raw)
    own = [row for row in own if not row.filtered]
    current.fields.extend([*dict.fromkeys([*goal.fields, *goal.row_key]), *sorted(detected_names(own, goal))])
    batch.imported[path] = current
    current.sources.extend(sources_of(goal.processors, current.fields, columns))
    for row in own:
        row.identity = identity(row.steady, current.fields)
        row.source = identity(row.raw, current.sources)
    if previous and path not in outcome.failed:
        batch.vanished += match_former(path, own, previous, current)
    if goal.row_key:
        assign_keys(own, goal)
    batch.rows += own


def retry(
    state: State, goal: FileGoal, digest: str, again: set[str], declared: Profiles, outcome: Outcome
) -> list[Row]:
    """Return waiting rows whose profile exists now, unless their file is imported again."""
    holders = holders_of(state.profiles, declared)
    found = [
        row
        for name, row in state.waiting
        if name == goal.name
        and row.path not in again
        and state.ledger[row.path].fingerprint == digest
        and any(value in holders for value in row.values)
    ]
    rows = []
    for old in sorted(found, key=lambda row: (row.path, row.name, row.line)):
        row = Row(old.path, old.name, old.line, old.cells, retried=True, identity=old.identity, source=old.source)
        former = state.ledger[row.path].rows
        row.former = next((one for one in former if not one.applied and one.identity == row.identity), None)
        if row.former:
            former.remove(row.former)
        row.key = key_of(row, goal)
        outcome.counters.setdefault(row.path, Counters())
        outcome.count(row.path, "rows_read")
        rows.append(row)
    return rows


def keep_waiting(rows: list[Row], state: State, goal: FileGoal, imported: set[str]) -> None:
    """Store rows without a match, in place of those that were retried or read again."""
    tried = {(row.name, row.line) for row in rows if row.retried}
    state.waiting = [
        (name, row)
        for name, row in state.waiting
        if name != goal.name or (row.path not in imported and (row.name, row.line) not in tried)
    ]
    if not goal.allow_new_profiles:
        state.waiting += [(goal.name, row) for row in rows if counter_of(row) == "rows_unmatched"]
    state.waiting = [(name, row) for name, row in state.waiting if name != goal.name or row.key not in state.keyed]


def read_rows(path: str, content: bytes, goal: FileGoal, outcome: Outcome) -> list[Row]:
    """Read one file; a file that fails has no rows."""
    try:
        rows, rejected = read_file(path, content, goal)
    except FileFails as reason:
        outcome.failed[path] = str(reason)
        outcome.quarantine += reason.rejected
        return []
    outcome.count(path, "rows_read", len(rows) + len(rejected))
    outcome.count(path, "rows_rejected", len(rejected))
    outcome.quarantine += rejected
    process_rows(rows, goal, outcome.now)
    outcome.count(path, "rows_filtered", sum(row.filtered for row in rows))
    return rows


def process_rows(rows: list[Row], goal: FileGoal, now: datetime) -> None:
    """Let processors change the cells of a file's rows, text by text."""
    for name in dict.fromkeys(row.name for row in rows):
        own = [row for row in rows if row.name == name]
        for row in own:
            row.raw, row.steady = dict(row.cells), dict(row.cells)
        kept = process([row.cells for row in own], goal.processors, now)
        process([row.steady for row in own], goal.processors, None)
        for row, is_kept in zip(own, kept, strict=True):
            row.filtered = not is_kept


def identity(cells: Cells, fields: list[str]) -> tuple[Any, ...]:
    """Return the identity of a row: its cells in these fields, by name."""
    return tuple((name, cells.get(name, MISSING)) for name in fields)


def match_former(path: str, rows: list[Row], previous: Imported, current: Imported) -> list[Vanished]:
    """Match rows with those of the previous import of their file, as many times as each occurred there.

    Returns:
        The former rows that no row matches.
    """
    known: dict[tuple[Any, ...], list[Remembered]] = defaultdict(list)
    same_rules = (current.fingerprint, current.fields) == (previous.fingerprint, previous.fields)
    for old in sorted(previous.rows, key=lambda old: (old.applied, len(old.sums)), reverse=True):
        known[old.identity if same_rules else old.source].append(old)
    found = [row.identity for row in rows] if same_rules else as_read_before(rows, previous, current)
    for row, identified in zip(rows, found, strict=True):
        if same := known[identified]:
            row.former = same.pop(0)
            row.unchanged = same_rules and row.former.applied
            row.stays = row.former.profile is not None and current.goal.link == previous.goal.link
    return [Vanished(path, old.profile, old.sums) for left in known.values() for old in left]


def as_read_before(rows: list[Row], previous: Imported, current: Imported) -> list[tuple[Any, ...]]:
    """Return the identity of each row according to the previous import's format."""
    if previous.goal.format == current.goal.format:
        return [former_identity(row, previous, current) for row in rows]
    try:
        read = read_file(rows[0].path, current.content, previous.goal)[0] if rows else []
    except FileFails:
        read = []
    before = {(row.name, row.line): replace(row, raw=row.cells) for row in read}
    return [former_identity(before.get((row.name, row.line), row), previous, current) for row in rows]


def former_identity(row: Row, previous: Imported, current: Imported) -> tuple[Any, ...]:
    """Return a row's identity in the fields of the previous import, whose columns may have been renamed since."""
    cells = dict(row.raw)
    if len(previous.sources) == len(current.sources):
        for before, now in zip(previous.sources, current.sources, strict=True):
            if before not in cells and now not in previous.sources and now in cells:
                cells[before] = cells[now]
    return identity(cells, previous.sources)


def assign_keys(rows: list[Row], goal: FileGoal) -> None:
    """Assign row keys. The last row of a key counts; earlier ones and rows without a key are set aside."""
    last: dict[Any, Row] = {}
    for row in rows:
        row.key = key_of(row, goal)
        if row.key is not None:
            last[row.key] = row
    for row in rows:
        if row.key is None:
            row.set_aside = "no value in the fields of row_key"
        elif last[row.key] is not row:
            row.set_aside = "a later row"


def key_of(row: Row, goal: FileGoal) -> tuple[str, ...] | None:
    """Return the key of a row; None without `row_key` or without a value in its fields."""
    cells = tuple(stripped(row.cells.get(name) or "") for name in goal.row_key)
    return cells if any(cells) else None


def match_keys(rows: list[Row], keyed: dict[Any, Keyed], digest: str) -> None:
    """Mark rows as unchanged whose key had the same content last, unless another row of the key precedes."""
    other: set[Any] = set()
    for row in rows:
        row.unchanged = False
        if row.set_aside:
            continue
        known = keyed.get(row.key)
        row.unchanged = (
            row.key not in other and known is not None and (known.identity, known.fingerprint) == (row.identity, digest)
        )
        if not row.unchanged:
            other.add(row.key)


def remember(row: Row, current: Imported, keyed: dict[Any, Keyed]) -> None:
    """Store that a row was applied, with its profile and its contribution to sums."""
    if row.set_aside:
        return
    if row.unchanged:
        old = keyed[row.key] if row.key is not None else row.former
        assert old is not None
        current.rows.append(Remembered(row.identity, True, old.profile, old.sums, row.source))
        return
    sums = (row.former.sums if row.former else {}) | row.sums
    if row.applies or sums:
        current.rows.append(Remembered(row.identity, row.applies, row.profile, sums, row.source))


def land(batch: Batch, goal: FileGoal, declared: Profiles, state: State, outcome: Outcome) -> None:
    """Link and apply rows that are not unchanged, and count the outcome of each row."""
    before: list[Profile | None] = [dict(profile) for profile in state.profiles]
    fresh = [row for row in batch.rows if not row.unchanged and not row.set_aside]
    for row in fresh:
        convert_row(row, goal, declared, outcome)
    linkable = [row for row in fresh if row.values]
    link_rows(linkable, state.profiles, declared, allow_new=goal.allow_new_profiles, apart=state.apart)
    before += [None] * (len(state.profiles) - len(before))
    for place in range(len(state.profiles)):
        check_consent(place, before[place], batch, declared, state, outcome)
    account = open_account(batch.rows, batch.vanished, goal, state.keyed)
    for place, profile in enumerate(state.profiles):
        own = [row for row in fresh if row.profile == place]
        for name in summed(goal):
            for row in account.outgrown(place, declared.by_name[name], profile.get(name, 0)):
                row.sums.pop(name)
                outcome.count(row.path, "values_invalid")
                fields = [mapping.field for mapping in mappings_of(row, goal) if mapping.property == name]
                outcome.reject(row, " and ".join(fields), "the sum would not fit")
        settle_profile(place, profile, own, account, goal, declared)
        paths = [own[0].path] if own else [path for path in outcome.counters if path in account.paths.get(place, ())]
        for path in paths[:1]:
            outcome.count(path, counter_of_profile(before[place], profile))
    remove_withheld(batch.rows, before, state)
    for row in batch.rows:
        count_row(row, goal, outcome)


def check_consent(
    place: int, before: Profile | None, batch: Batch, declared: Profiles, state: State, outcome: Outcome
) -> None:
    """Withhold the rows of a profile that, with these rows, may not be processed."""
    own = [row for row in batch.rows if row.profile == place and row.applies]
    trial = dict(state.profiles[place])
    apply_rows(own, trial, declared)
    if own and not may_process(trial, batch.objectives, declared):
        withhold(own, outcome)
        state.profiles[place] = before or {}


def settle_profile(
    place: int, profile: Profile, own: list[Row], account: Account, goal: FileGoal, declared: Profiles
) -> None:
    """Apply withdrawals, rows and sums to a profile."""
    drop(profile, account.dropped.get(place, set()), goal)
    apply_rows(own, profile, declared)
    for name in summed(goal):
        if (net := account.net(place, name)) is not None:
            profile[name] = profile.get(name, 0) + net


def remove_withheld(rows: list[Row], before: list[Profile | None], state: State) -> None:
    """Remove new profiles whose rows were all withheld, and renumber those after them."""
    kept = {row.profile for row in rows if row.profile is not None}
    places = [place for place in range(len(state.profiles)) if before[place] is not None or place in kept]
    moved = {old: new for new, old in enumerate(places)}
    state.profiles = [state.profiles[place] for place in places]
    for row in rows:
        if row.profile is not None:
            row.profile = moved[row.profile]


def withhold(rows: list[Row], outcome: Outcome) -> None:
    """Unlink rows from a profile that may not be processed."""
    for row in rows:
        row.profile, row.withheld = None, True
        outcome.withhold(row)


def convert_row(row: Row, goal: FileGoal, declared: Profiles, outcome: Outcome) -> None:
    """Convert a row's cells. An invalid cell counts once for each property."""
    invalid = row.invalid
    for one in goal.link:
        try:
            values = link_values(row.cells.get(one.field), declared.by_name[one.property], goal)
            row.by_link.append([(one.property, value) for value in values])
        except Invalid as error:
            invalid[one.field, one.property] = str(error)
    for mapping in mappings_of(row, goal):
        try:
            value = convert(row.cells[mapping.field], declared.by_name[mapping.property], goal.format)
            row.said.append((mapping, value))
        except Invalid as error:
            invalid[mapping.field, mapping.property] = str(error)
    for (column, _), reason in invalid.items():
        outcome.count(row.path, "values_invalid")
        outcome.reject(row, column, reason)


def count_row(row: Row, goal: FileGoal, outcome: Outcome) -> None:
    """Count a readable row; quarantine it if it has no profile."""
    end = counter_of(row)
    outcome.count(row.path, end)
    if row.set_aside:
        outcome.reject(row, " and ".join(goal.row_key), row.set_aside)
        return
    outcome.count(row.path, "rows_ambiguous", int(row.ambiguous))
    if end in ("rows_without_identifier", "rows_unmatched"):
        linked = " or ".join(dict.fromkeys(link.field for link in goal.link))
        outcome.reject(row, linked, "no usable identifier" if not row.values else "no profile has this identifier")


def counter_of(row: Row) -> str:
    """Return the counter of a readable row."""
    if row.set_aside:
        return "rows_rejected"
    if row.unchanged:
        return "rows_unchanged"
    if not row.values:
        return "rows_without_identifier"
    if row.withheld:
        return "rows_without_consent"
    return "rows_unmatched" if row.profile is None else "rows_applied"


def counter_of_profile(before: Profile | None, after: Profile) -> str:
    """Return the counter of a profile."""
    if before is None:
        return "profiles_created"
    return "profiles_unchanged" if before == after else "profiles_updated"


def apply_rows(rows: list[Row], profile: Profile, declared: Profiles) -> None:
    """Apply the rows of a profile in order, then reconcile its lists of consent."""
    held = set(profile)
    said: Profile = {}
    held_by_said = set(held)
    for row in rows:
        for mapping, value in row.said:
            apply_value(value, mapping, profile, row, held)
            if mapping.property in LISTS:
                apply_value(value, mapping, said, row, held_by_said)
    if declared.objectives:
        move(profile, said)


def apply_value(value: Any, mapping: Mapping, profile: Profile, row: Row, held: set[str]) -> None:
    """Apply one value by its set mode. `set_if_empty` does not write properties in `held`."""
    name = mapping.property
    if value is None:
        if mapping.mode == "set_or_clear":
            profile.pop(name, None)
    elif mapping.mode in ("set", "set_or_clear"):
        profile[name] = value
    elif mapping.mode == "set_if_empty" and name not in held:
        profile[name] = value
        held.add(name)
    elif mapping.mode == "add" and row.counts:
        profile[name] = [*profile.get(name, []), *(one for one in value if one not in profile.get(name, []))]


def mappings_of(row: Row, goal: FileGoal) -> list[Mapping]:
    """Return the mappings whose columns are in the row's file: declared ones, then detected ones."""
    declared = [mapping for mapping in goal.map if mapping.field in row.cells]
    detected = [Mapping(field=column, property=name) for column, name in detected_names([row], goal).items()]
    return declared + detected


def detected_names(rows: list[Row], goal: FileGoal) -> dict[str, str]:
    """Return the columns that no mapping uses, with the properties that they alone fill."""
    if goal.map_detected is None:
        return {}
    filled = {mapping.property for mapping in goal.map}
    found = {}
    for column in dict.fromkeys(column for row in rows for column in named(list(row.cells))):
        name = detected_name(column, goal.map_detected.prefix)
        if column not in goal.fields and name not in filled:
            found[column] = name
            filled.add(name)
    return found


def detected_name(column: str, prefix: str) -> str:
    """Return the name of a detected column's property."""
    name = prefix + re.sub("[^a-z0-9]+", "_", column.lower()).strip("_")
    return name if re.match("[a-z]", name) else f"f_{name}"
