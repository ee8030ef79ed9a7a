"""Generated histories of goals with processors, which change from run to run."""

from dataclasses import dataclass
from typing import Any

from hypothesis import strategies as st

from cdp_sync.model import FileGoal, Mapping, Profiles
from cdp_sync.model.processor import Processor
from cdp_sync_tests.importing.strategies import (
    Delivery,
    History,
    Table,
    changed_goals,
    files_of,
    goals,
    modes_of,
    objectives_of,
    profile_models,
)

FUNCTIONS = "cdp_sync_tests.processing.functions"
MADE = ("Made", "Other")
"""Fields that processors add, or write anew where a file has them."""


@dataclass(frozen=True)
class _Chains:
    """Strategies of processors over some fields."""

    fields: tuple[str, ...]

    @property
    def field(self) -> st.SearchStrategy[str]:
        return st.sampled_from(self.fields)

    @property
    def into(self) -> st.SearchStrategy[str]:
        return st.sampled_from((*MADE, *self.fields))

    def each(self) -> st.SearchStrategy[dict[str, Any]]:
        """Generate one processor."""
        return st.one_of(self.of_cells(), self.of_fields(), self.of_rows(), self.of_rows())

    def of_cells(self) -> st.SearchStrategy[dict[str, Any]]:
        """Generate a processor that changes cells."""
        values = st.fixed_dictionaries(
            {"field": self.field, "values": st.sampled_from(VALUES)},
            optional={
                "any_case": st.booleans(),
                "others": st.sampled_from(("keep", "clear")),
                "separator": st.just("|"),
            },
        )
        dates = st.fixed_dictionaries(
            {"field": self.field, "from": st.sampled_from((["iso"], ["%d-%m-%Y", "iso"]))},
            optional={"to": st.sampled_from(("%d-%m-%Y", "%Y-%m-%d %H:%M"))},
        )
        return st.one_of(
            _named("casing", field=self.field, to=st.sampled_from(("lower", "upper", "first", "words"))),
            _named("clean_email", field=self.field, domains=st.just({"x": "y", "c": "x"})),
            values.map(lambda one: {"convert_values": one}),
            st.one_of(
                st.just({"remove_nulls": {}}), _named("remove_nulls", field=self.field, words=st.just(["a", "1"]))
            ),
            dates.map(lambda one: {"convert_dates": one}),
            _named("clean_name", field=self.field),
            _named("clean_phone", field=self.field, country=st.just("NL"), invalid=st.sampled_from(("keep", "clear"))),
            _named("hash", field=self.field, algorithm=st.just("md5")),
        )

    def of_fields(self) -> st.SearchStrategy[dict[str, Any]]:
        """Generate a processor that adds or replaces fields."""
        return st.one_of(
            _named("add_value", field=self.into, value=st.sampled_from(("a", "1", "b@x"))),
            _named("add_date", field=st.just("Made"), format=st.sampled_from(("%Y", "%H"))),
            _named("concatenate", fields=st.tuples(self.field, self.field), into=self.into, separator=st.just("")),
            _named("split", field=self.field, separator=st.sampled_from((" ", "|", "@")), into=st.tuples(self.into)),
            _named("split", field=self.field, separator=st.just("|"), into=st.just(("Made", "Other"))),
        )

    def of_rows(self) -> st.SearchStrategy[dict[str, Any]]:
        """Generate a processor that drops rows."""
        pattern = st.sampled_from(("^$", "a", "1", "^[0-9]+$", "(?i)a@x"))
        return st.one_of(
            st.builds(
                lambda field, how, text: {"filter": {"field": field, how: text}},
                self.field, st.sampled_from(("keep", "drop", "drop")), pattern,
            ),
            _named("first_rows", rows=st.integers(1, 5)),
            _named("drop_duplicates", field=self.field, keep=st.sampled_from(("first", "last"))),
            st.just({"drop_duplicates": {}}),
            st.just({"python": {"function": f"{FUNCTIONS}:shorten"}}),
        )  # fmt: skip


VALUES: tuple[dict[str, str], ...] = ({"a": "b", "": "a"}, {"1": "2", "2": "", "a@x": "b@x"}, {"A": "1", "x": ""})


def _named(name: str, **options: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries(options).map(lambda settings: {name: settings})


def chains(goal: FileGoal) -> st.SearchStrategy[tuple[Processor, ...]]:
    """Generate up to four processors of the goal's fields."""
    each = _Chains(tuple(dict.fromkeys(goal.fields))).each().map(Processor.model_validate)
    return st.lists(each, max_size=4).map(tuple)


@st.composite
def processed_histories(draw: st.DrawFn) -> History:
    """Two to four runs over the same profiles: files are delivered again, processors come, change and go."""
    profiles = draw(profile_models())
    goal = draw(_with_made_field(draw(goals(profiles)), profiles))
    if draw(st.sampled_from((False, False, True))):
        goal = goal.model_copy(update={"row_key": (draw(st.sampled_from(goal.fields)),)})
    known: dict[str, Table] = {}
    deliveries = []
    for number in range(draw(st.sampled_from((3, 2, 4)))):
        goal = draw(changed_goals(goal, profiles)) if number else goal
        if number == 0 or draw(st.booleans()):
            goal = goal.model_copy(update={"processors": draw(chains(goal))})
        files = draw(files_of(known, goal, profiles))
        known |= dict(files)
        deliveries.append(Delivery(goal, files, draw(objectives_of(profiles))))
    return History(profiles, tuple(deliveries))


@st.composite
def _with_made_field(draw: st.DrawFn, goal: FileGoal, profiles: Profiles) -> FileGoal:
    """The goal, perhaps with a property that a field of the processors fills."""
    free = [prop for prop in profiles.every if prop.name not in {one.property for one in goal.map}]
    if not free or draw(st.booleans()):
        return goal
    prop = draw(st.sampled_from(free))
    made = Mapping(field="Made", property=prop.name, mode=draw(st.sampled_from(modes_of(prop))))
    return goal.model_copy(update={"map": (*goal.map, made)})
