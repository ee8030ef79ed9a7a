"""A slow second implementation of merging: every pair of parts is compared, and networkx finds who is connected.

A part is a profile that was ever created, by its position in the order of creation, with the values that it has by
itself. Importing is that of `cdp_sync_tests.oracle`, whose profiles are the parts.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import networkx as nx

from cdp_sync.model import CONSENT_PROPERTIES, Counters, FileGoal, Profiles, Property
from cdp_sync.model.merge_rule import MergeRule
from cdp_sync_tests import oracle
from cdp_sync_tests.oracle.linking import Profile, values_held
from cdp_sync_tests.oracle.row import LinkValue, Row

SHORTEST = 4
MOST_HOLDERS = 20
MOST_MERGES = 1000


class CannotDecide(Exception):
    """A decision that makes no sense; nothing is changed."""


@dataclass(frozen=True)
class Edge:
    """Why two parts are one; `left` is the older one."""

    left: int
    right: int
    rule: str = ""
    """The rule in words; empty: decided by hand."""
    value: LinkValue | None = None


@dataclass
class Outcome:
    """What a step did."""

    merged: int = 0
    unmerged: int = 0
    counters: dict[str, Counters] = field(default_factory=dict)


@dataclass
class Who:
    """All parts, what was decided about them, and what came of it."""

    declared: Profiles
    state: oracle.State = field(default_factory=oracle.State)
    merges: list[Edge] = field(default_factory=list)
    """Decisions to merge that hold."""
    apart: set[frozenset[int]] = field(default_factory=set)
    """Pairs that were decided to stay apart."""
    said: dict[tuple[int, str], datetime] = field(default_factory=dict)
    """When the value of a part and a property was said."""
    times: dict[str, datetime] = field(default_factory=dict)
    """The modification times of files at their last import."""
    events: dict[str, int] = field(default_factory=dict)
    """The parts of events."""
    most_holders: int = MOST_HOLDERS

    def __post_init__(self) -> None:
        """Let rows go by what was decided."""
        self.state.apart = self.apart

    @property
    def parts(self) -> list[Profile]:
        """What each part has by itself."""
        return self.state.profiles

    @property
    def asked(self) -> set[str]:
        """The properties that rules name."""
        return {rule.property for rule in self.declared.merge_rules}

    # -- steps

    def import_files(self, goal: FileGoal, files: Sequence[tuple[str, bytes, datetime]]) -> Outcome:
        """Import files, given with their modification times, in one run."""
        self.times |= {path: time for path, _, time in files}
        held = {(part, name) for part, profile in enumerate(self.parts) for name in profile}
        done = oracle.import_files(self.state, goal, self.declared, [(path, data) for path, data, _ in files])
        clusters = self.clusters_by_part()
        for row in done.rows:
            self.note(row, goal, self.times[row.path], held)
            if row.ambiguous and len({frozenset(clusters.get(part, {part})) for part in row.found}) == 1:
                done.counters[row.path] += Counters(rows_ambiguous=-1)
        outcome = self.apply_rules()  # of everybody: what no row is about does not change
        outcome.counters = done.counters
        return outcome

    def note(self, row: Row, goal: FileGoal, said_at: datetime, held: set[tuple[int, str]]) -> None:
        """Note when the values of a row were said, and whose its events are; `held` are values before the run."""
        if row.profile is None or not row.applies:
            return
        for mapping, value in row.said:
            key = (row.profile, mapping.property)
            writes = row.counts if mapping.mode == "add" else mapping.mode != "set_if_empty" or key not in held
            if value is not None and writes:
                self.said[key] = said_at
                held |= {key} if mapping.mode == "set_if_empty" else set()
        for event in goal.events:
            if event.id and (name := row.cells.get(event.id)):
                self.events[name] = row.profile

    def declare(self, declared: Profiles) -> Outcome:
        """Go by another declaration."""
        before, self.declared = self.live(), declared
        return self.check(set(range(len(self.parts))), before)

    def apply_rules(self) -> Outcome:
        """Check everybody."""
        return self.check(set(range(len(self.parts))))

    def merge(self, left: int, right: int) -> Outcome:
        """Merge two profiles by hand. Raises CannotDecide."""
        one, other = self.cluster_of(left), self.cluster_of(right)
        if one == other:
            raise CannotDecide
        before = self.live()
        self.apart -= {frozenset((a, b)) for a in one for b in other}
        self.merges.append(Edge(min(left, right), max(left, right)))
        return self.check(one | other, before)

    def unmerge(self, part: int, survivor: int | None = None) -> Outcome:
        """Take a part out of its cluster. Raises CannotDecide."""
        cluster = self.cluster_of(part)
        if len(cluster) == 1 or survivor not in (None, self.survivor(cluster)):
            raise CannotDecide
        return self.leave({part}, cluster - {part}, [], self.live())

    def split(self, part: int, identifiers: Iterable[LinkValue]) -> Outcome:
        """Make a new profile of some identifiers of a live one. Raises CannotDecide."""
        cluster, named = self.cluster_of(part), set(identifiers)
        held = {one: set(values_held(self.parts[one], self.declared)) for one in cluster}
        leaving = {one for one in cluster if held[one] and held[one] <= named}
        moving = sorted({value for one in cluster - leaving for value in held[one] & named})
        single = [name for name, _ in moving if not self.declared.by_name[name].multiple]
        if not named <= set().union(*held.values()) or leaving == {one for one in cluster if held[one]}:
            raise CannotDecide
        if len(single) > len(set(single)):
            raise CannotDecide
        before = self.live()
        if moving:
            leaving |= {self.move(moving, cluster - leaving)}
        first, *others = sorted(leaving)
        return self.leave(leaving, cluster - leaving, [Edge(first, one) for one in others], before)

    def move(self, values: Iterable[LinkValue], owners: set[int]) -> int:
        """Move identifiers from their parts to a new one."""
        new: Profile = {}
        for name, value in values:
            prop = self.declared.by_name[name]
            new[name] = [*new.get(name, []), value] if prop.multiple else value
            for owner in owners:
                take_away(self.parts[owner], prop, value)
        self.parts.append(new)
        return len(self.parts) - 1

    def leave(self, leaving: set[int], rest: set[int], joined: list[Edge], before: dict[int, int]) -> Outcome:
        """Let parts leave the rest of their cluster for good; those that leave are joined by hand."""
        across = [one for one in self.merges if len({one.left, one.right} & leaving) == 1]
        self.merges = [one for one in self.merges if one not in across] + joined
        self.apart |= {frozenset((one, other)) for one in leaving for other in rest}
        return self.check(leaving | rest, before)

    # -- clusters

    def check(self, touched: set[int], before: dict[int, int] | None = None) -> Outcome:
        """Merge and unmerge the parts that were touched and all that evidence or decisions connect them with."""
        before = before or self.live()
        common = self.common_values()
        lapsed = [one for one in self.merges if self.lapses(one, common)]
        self.merges = [one for one in self.merges if one not in lapsed]
        touched = touched | {part for one in lapsed for part in (one.left, one.right)}
        crowded = {value for value in common if value[0] in self.asked}
        let_go = {value for part in touched for value in values_held(self.parts[part], self.declared)} & crowded
        touched |= {number for number, part in enumerate(self.parts) if let_go & {*values_held(part, self.declared)}}
        pairs = list(self.pairs())
        concerned = self.concerned(touched, common)
        for group in components(range(len(self.parts)), [*self.merges, *pairs]):
            if group & concerned:
                self.settle(group, pairs)
        after = self.live()
        return Outcome(
            sum(before.get(part, part) == part != live for part, live in after.items()),
            sum(before.get(part, part) != part == live for part, live in after.items()),
        )

    def concerned(self, touched: set[int], common: Collection[LinkValue]) -> set[int]:
        """Return the parts that touched ones lead to, through values that they share and through decisions."""
        holders: dict[LinkValue, list[int]] = defaultdict(list)
        for number, part in enumerate(self.parts):
            for name, value in values_held(part, self.declared):
                if name in self.asked and len(value) >= SHORTEST and (name, value) not in common:
                    holders[name, value].append(number)
        shared = [Edge(first, other) for first, *others in holders.values() for other in others]
        groups = components(range(len(self.parts)), [*self.merges, *shared])
        return set().union(*(group for group in groups if group & touched))

    def settle(self, group: set[int], pairs: Sequence[Edge]) -> None:
        """Decide who of a group are one."""
        standing = [one for one in self.merges if one.left in group]
        new = [one for one in pairs if one.left in group and one not in standing]
        fitting = list(self.fit(group, [*standing, *new]))
        for cluster in components(group, fitting):
            if any(pair <= cluster for pair in self.apart):
                fitting = [one for one in fitting if one.left not in cluster or one in standing]
        self.merges = [one for one in self.merges if one not in standing]
        self.merges += [one for one in standing if one in fitting]
        self.merges += set(earliest(set(fitting) & set(pairs))) - set(standing)

    def fit(self, group: Iterable[int], edges: Sequence[Edge]) -> Iterator[Edge]:
        """Yield the edges without those of the last rules of clusters that do not fit."""
        for cluster in components(group, edges):
            own = [one for one in edges if one.left in cluster]
            last = max([self.number_of(one) for one in own], default=0)
            if not last or self.fits(cluster):
                yield from own
            else:
                yield from self.fit(cluster, [one for one in own if self.number_of(one) != last])

    def number_of(self, edge: Edge) -> int:
        """Return the number of an edge's rule from 1; 0: by hand; the last number: a rule that is no more."""
        words = ["", *(rule.words for rule in self.declared.merge_rules)]
        return words.index(edge.rule) if edge.rule in words else len(words)

    def fits(self, parts: Iterable[int]) -> bool:
        """Return whether parts can be one person."""
        every = [self.parts[part] for part in parts]
        unique = [prop.name for prop in self.declared.every if prop.unique]
        return len(every) <= MOST_MERGES + 1 and all(
            len({one[name] for one in every if name in one}) <= 1 for name in unique
        )

    def pairs(self) -> Iterator[Edge]:
        """Yield what rules say of every two parts, but of those that differ or stay apart."""
        held = [set(values_held(part, self.declared)) for part in self.parts]
        common = self.common_values()
        for right in range(len(self.parts)):
            for left in range(right):
                shared = sorted(held[left] & held[right] - common)
                if shared and frozenset((left, right)) not in self.apart and self.fits((left, right)):
                    yield from self.evidence(left, right, shared)

    def evidence(self, left: int, right: int, shared: Iterable[LinkValue]) -> Iterator[Edge]:
        """Yield what rules say of two parts that share some values."""
        for rule in self.declared.merge_rules:
            if holds(rule, self.parts[left], self.parts[right]):
                for name, value in shared:
                    if name == rule.property and len(value) >= SHORTEST:
                        yield Edge(left, right, rule.words, (name, value))

    def common_values(self) -> set[LinkValue]:
        """Return the values that too many parts have."""
        holders = Counter(value for part in self.parts for value in values_held(part, self.declared))
        return {value for value, count in holders.items() if count > self.most_holders}

    def lapses(self, edge: Edge, common: Collection[LinkValue]) -> bool:
        """Return whether a decision by a rule does not count any more; values count where a rule asks for them."""
        return edge.value is not None and (
            (edge.value in common and edge.value[0] in self.asked) or not self.fits((edge.left, edge.right))
        )

    def clusters(self) -> list[set[int]]:
        """Return the parts of each live profile."""
        return components(range(len(self.parts)), self.merges)

    def clusters_by_part(self) -> dict[int, set[int]]:
        """Return the cluster of each part."""
        return {part: cluster for cluster in self.clusters() for part in cluster}

    def cluster_of(self, part: int) -> set[int]:
        """Return the parts that are one with this one."""
        return self.clusters_by_part()[part]

    def survivor(self, cluster: Iterable[int]) -> int:
        """Return the part whose id a cluster shows."""
        return max(cluster) if self.declared.survivor == "newest" else min(cluster)

    def live(self) -> dict[int, int]:
        """Return the live profile of each part."""
        return {part: self.survivor(cluster) for cluster in self.clusters() for part in cluster}

    # -- values

    def shown(self) -> dict[int, Profile]:
        """Return what live profiles show."""
        return {self.survivor(cluster): self.composed(cluster) for cluster in self.clusters()}

    def composed(self, cluster: set[int]) -> Profile:
        """Return what the parts of a cluster show together."""
        if len(cluster) == 1:
            return self.parts[min(cluster)]
        shown = {prop.name: self.fold(prop, sorted(cluster)) for prop in self.declared.every}
        if self.declared.objectives:
            shown |= self.consent([self.parts[part] for part in self.by_rank(cluster)], sorted(cluster))
        return {name: value for name, value in shown.items() if value not in (None, [])}

    def by_rank(self, cluster: Iterable[int]) -> list[int]:
        """Return parts with the survivor first."""
        return sorted(cluster, reverse=self.declared.survivor == "newest")

    def fold(self, prop: Property, parts: list[int]) -> Any:
        """Return what the values of parts, the oldest first, come to."""
        name = prop.name
        having = [part for part in parts if name in self.parts[part]]
        values = [self.parts[part][name] for part in having]
        if not values:
            return None
        match prop.merged_by:
            case "both":
                return unique(values)
            case "sum":
                return sum(values)
            case "highest":
                return max(values)
            case "lowest":
                return min(values)
            case "latest" | "oldest" as strategy:
                choose: Callable[..., int] = max if strategy == "latest" else min
                return self.parts[choose(having, key=lambda part: (self.said[part, name], self.parts[part][name]))][
                    name
                ]
        return self.parts[self.by_rank(having)[0]][name]

    def consent(self, ranked: list[Profile], ages: list[int]) -> Profile:
        """Return the stricter of what parts say."""
        zone, consented, refused = CONSENT_PROPERTIES
        refusals = unique(self.parts[part].get(refused, []) for part in ages)
        consents = unique(self.parts[part].get(consented, []) for part in ages)
        zones = [part[zone] for part in ranked if zone in part]
        strictness = {"opt_in": 0, "opt_out": 1}
        strictest = sorted(zones, key=lambda each: strictness.get(self.declared.zones.get(each, ""), 2))
        return {
            zone: strictest[0] if strictest else None,
            consented: [each for each in consents if each not in refusals],
            refused: refusals,
        }


def components(parts: Iterable[int], edges: Iterable[Edge]) -> list[set[int]]:
    """Return who is connected."""
    graph = nx.Graph()
    graph.add_nodes_from(parts)
    graph.add_edges_from((one.left, one.right) for one in edges)
    return list(nx.connected_components(graph))


def earliest(edges: Iterable[Edge]) -> list[Edge]:
    """Return, of the edges by the same value to the same part, the one from the oldest part."""
    first: dict[tuple[Any, ...], Edge] = {}
    for one in sorted(edges, key=lambda one: one.left):
        first.setdefault((one.rule, one.value, one.right), one)
    return list(first.values())


def holds(rule: MergeRule, one: Profile, other: Profile) -> bool:
    """Return whether the conditions of a rule hold."""
    return all(
        condition.name in one
        and one[condition.name] == other.get(condition.name)
        and (condition.same is not None or one[condition.name] == condition.equals)
        for condition in rule.conditions
    )


def unique(lists: Iterable[Sequence[Any]]) -> list[Any]:
    """Return the values of lists, each where it stands first."""
    return list(dict.fromkeys(value for values in lists for value in values))


def take_away(part: Profile, prop: Property, value: str) -> None:
    """Remove an identifier from a part."""
    if prop.name not in part:
        return
    left = [one for one in part[prop.name] if str(one) != value] if prop.multiple else []
    if left:
        part[prop.name] = left
    elif prop.multiple or str(part[prop.name]) == value:
        del part[prop.name]
