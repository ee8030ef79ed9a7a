"""Contributions of rows to sums and lists, and their withdrawal, row by row."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from cdp_sync.model import FileGoal, Mapping, Property
from cdp_sync_tests.oracle.linking import Profile
from cdp_sync_tests.oracle.row import Row


@dataclass(frozen=True)
class Keyed:
    """The last contribution of a row key: the row's content under a fingerprint, its profile, and what it added."""

    identity: tuple[Any, ...]
    fingerprint: str
    profile: int
    sums: dict[str, Any]
    lists: frozenset[tuple[str, Any]]


@dataclass(frozen=True)
class Vanished:
    """A row that its file no longer has, with its profile and its contribution to sums."""

    path: str
    profile: int | None
    sums: dict[str, Any]


@dataclass
class Account:
    """Additions and withdrawals of a batch, by profile and property."""

    added: dict[tuple[int, str], list[tuple[Row, Any]]] = field(default_factory=dict)
    taken: dict[tuple[int, str], list[Any]] = field(default_factory=dict)
    dropped: dict[int, set[tuple[str, Any]]] = field(default_factory=dict)
    """Values to remove from lists."""
    paths: dict[int, set[str]] = field(default_factory=dict)
    """The files that withdraw something from a profile."""

    def add(self, row: Row, name: str, amount: Any) -> None:
        """Record an amount that a row adds."""
        assert row.profile is not None
        self.added.setdefault((row.profile, name), []).append((row, amount))

    def outgrown(self, profile: int, prop: Property, base: Any) -> list[Row]:
        """Remove, one by one, the rows at which the sum first exceeds its property; return them."""
        out: list[Row] = []
        own = self.added.get((profile, prop.name), [])
        while own and not fits(base + sum(amount for _, amount in own), prop):
            place = next(at for at in range(len(own)) if not fits(base + sum(one for _, one in own[: at + 1]), prop))
            out.append(own.pop(place)[0])
        return out

    def take(self, path: str, profile: int | None, sums: dict[str, Any], names: Iterable[str]) -> None:
        """Record amounts to withdraw."""
        for name in names:
            if profile is not None and name in sums:
                self.taken.setdefault((profile, name), []).append(sums[name])
                self.paths.setdefault(profile, set()).add(path)

    def net(self, profile: int, name: str) -> Any:
        """Return the change of a sum; None for no change."""
        added = [amount for _, amount in self.added.get((profile, name), [])]
        taken = self.taken.get((profile, name), [])
        if taken:
            return sum(added) - sum(taken) or None
        return sum(added) if added else None


def fits(total: Any, prop: Property) -> bool:
    """Return whether a property can hold a total."""
    limit = 2**63 if prop.type == "number" else 10 ** (prop.precision - prop.scale)
    return bool(-limit < total < limit or (prop.type == "number" and total == -limit))


def summed(goal: FileGoal) -> list[str]:
    """Return the properties of mappings with the mode `sum`."""
    return list(dict.fromkeys(mapping.property for mapping in goal.map if mapping.mode == "sum"))


def open_account(rows: list[Row], vanished: list[Vanished], goal: FileGoal, keyed: dict[Any, Keyed]) -> Account:
    """Return the additions and withdrawals of a batch.

    Args:
        rows: All rows of the batch, linked.
        vanished: Rows that their files no longer have.
        goal: The declaration.
        keyed: The last contribution of each key.
    """
    account, names = Account(), summed(goal)
    last = {row.key: row for row in rows if row.key is not None and row.applies}
    for row in (row for row in rows if row.applies):
        row.counts = row.key is None or last[row.key] is row
        for name in names:
            settle(row, name, account, keyed.get(row.key))
    for row in rows:
        if row.set_aside and row.key not in keyed and row.former:
            account.take(row.path, row.former.profile, row.former.sums, names)
    for key in last.keys() & keyed.keys():
        account.take(last[key].path, keyed[key].profile, keyed[key].sums, names)
    for gone in vanished if goal.redelivered == "replaces" else []:
        account.take(gone.path, gone.profile, gone.sums, names)
    drop_values(last, rows, keyed, account)
    return account


def settle(row: Row, name: str, account: Account, known: Keyed | None) -> None:
    """Record the contribution of one row to one sum, minus its former contribution."""
    said = [value for mapping, value in row.said if mapping.property == name and value is not None]
    old = row.former.sums.get(name) if row.former and not known else None
    failed = known and any(name == prop for _, prop in row.invalid)
    full = sum(said) if said else old if old is not None else (known.sums.get(name) if known and failed else None)
    if full is not None:
        row.sums[name] = full
    now = full if row.counts else None
    assert row.profile is not None
    moved = old is not None and row.former.profile not in (None, row.profile)
    if old is None:
        if now is not None:
            account.add(row, name, now)
        return
    if moved:
        account.take(row.path, row.former.profile, row.former.sums, [name])
    if difference := (now or 0) - (0 if moved else old):
        account.add(row, name, difference)


def drop_values(last: dict[Any, Row], rows: list[Row], keyed: dict[Any, Keyed], account: Account) -> None:
    """Record list values that replaced rows added and no other row has."""
    replaced = {key: keyed[key] for key in last if key in keyed}
    said = {(row.profile, *one) for row in rows if row.applies and row.counts for one in values_added(row)}
    others = {(one.profile, *value) for key, one in keyed.items() if key not in replaced for value in one.lists}
    for key, one in replaced.items():
        for value in one.lists:
            if (one.profile, *value) not in said | others:
                account.dropped.setdefault(one.profile, set()).add(value)
                account.paths.setdefault(one.profile, set()).add(last[key].path)


def values_added(row: Row) -> set[tuple[str, Any]]:
    """Return the list values that a row adds."""
    found: list[tuple[Mapping, Any]] = [one for one in row.said if one[0].mode == "add"]
    return {(mapping.property, value) for mapping, values in found for value in values or []}


def drop(profile: Profile, values: set[tuple[str, Any]], goal: FileGoal) -> None:
    """Remove values from a profile's lists."""
    for name in {mapping.property for mapping in goal.map if mapping.mode == "add"}:
        left = [value for value in profile.get(name, []) if (name, value) not in values]
        profile[name] = left
        if not left:
            del profile[name]


def remember_keys(rows: list[Row], before: list[Profile | None], fingerprint: str, keyed: dict[Any, Keyed]) -> None:
    """Store the contribution of each key's last applied row."""
    owned = {(one.profile, *value) for one in keyed.values() for value in one.lists}
    for row in rows:
        if row.key is None or not row.applies or not row.counts:
            continue
        assert row.profile is not None
        held = before[row.profile] if row.profile < len(before) else None
        lists = frozenset(
            (name, value)
            for name, value in values_added(row)
            if value not in (held or {}).get(name, []) or (row.profile, name, value) in owned
        )
        keyed[row.key] = Keyed(row.identity, fingerprint, row.profile, dict(row.sums), lists)
