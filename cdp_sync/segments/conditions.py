"""A declared condition as a SQL condition over the columns of `warehouse.profile`, called `profile`.

Pure, and never null: a question about a missing value is false, so that `not` is the exact opposite.
"""

from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from cdp_sync.model import Condition, Profiles
from cdp_sync.segments.consent import ConsentColumns, consent_is
from cdp_sync.segments.events import happens
from cdp_sync.segments.groups import belongs
from cdp_sync.segments.lifecycles import is_in_stage
from cdp_sync.segments.questions import Columns, Holds, answer, combined
from cdp_sync.segments.rollups import value_of


def condition_of(when: Condition, profiles: Profiles, now: datetime, columns: Columns = None) -> Holds:
    """Return the SQL condition that a profile meets a declared one, which has no problems.

    "In the last days" counts from `now`, which has an offset from UTC. A property that `columns`, those of the
    warehouse, does not hold is empty, and there are no events or groups without a table; None: all are there.
    """
    return _Compiler(profiles, now, columns).holds(when)


@dataclass(frozen=True)
class _Compiler:
    """What every part of a condition is compiled with."""

    profiles: Profiles
    now: datetime
    columns: Columns

    def holds(self, when: Condition) -> Holds:
        if when.parts:
            return combined(when, self.holds)
        if when.segment:
            return self.holds(self.profiles.segment(when.segment).when)
        if when.event:
            return happens(when, self.profiles, self.now, self.columns)
        if when.group:
            return belongs(when, self.profiles, self.now, self.columns)
        return self._of_profile(when)

    def _of_profile(self, when: Condition) -> Holds:
        """Return the condition about the profile itself: its stage, its consent or one of its properties."""
        if when.lifecycle:
            return is_in_stage(when.lifecycle, when.stage or self.profiles.lifecycle[when.lifecycle].every_stage)
        if when.objective:
            columns = ConsentColumns.of_profile(self.profiles, self.columns)
            state = consent_is(str(when.consent), when.objective, self.profiles, columns)
            return sa.literal_column(f"({state})", sa.Boolean())
        (question,) = when.questions()
        prop = self.profiles.readable[str(when.property)]
        return answer(question, prop, value_of(prop, self.profiles, self.now, self.columns), self.now)
