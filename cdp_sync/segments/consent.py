"""What a profile's consent allows, as SQL conditions over its three columns. Never null.

The rules are BlueConic's, articles 247963 and 360002272314: a connection that is bound to objectives processes a
profile if one of them needs no consent in the profile's zone; where the zone is opt-in, if one was consented to; where
it is opt-out, if none was refused. What is both consented to and refused counts as refused.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from cdp_sync.model import CONSENT_PROPERTIES, Profiles
from cdp_sync.quoting import quote_literal


@dataclass(frozen=True)
class ConsentColumns:
    """The SQL expressions that hold a profile's zone and its lists of objectives."""

    zone: str = "privacy_legislation"
    consented: str = "consented_objectives"
    refused: str = "refused_objectives"

    @classmethod
    def of_profile(cls, profiles: Profiles, columns: Collection[str] | None = None) -> "ConsentColumns":
        """Return the columns of the table `profile`; one that it does not have yet is null. None: all are there."""
        props = (profiles.by_name[name] for name in CONSENT_PROPERTIES)
        return cls(
            *(
                f"profile.{prop.name}" if columns is None or prop.name in columns else f"cast(null as {prop.sql_type})"
                for prop in props
            )
        )

    def is_refused(self, objective: str) -> str:
        """Return the condition that an objective was refused."""
        return f"coalesce(list_contains({self.refused}, {quote_literal(objective)}), false)"

    def is_consented(self, objective: str) -> str:
        """Return the condition that an objective was consented to, and not refused."""
        listed = f"coalesce(list_contains({self.consented}, {quote_literal(objective)}), false)"
        return f"({listed} and not {self.is_refused(objective)})"


def may_process(objectives: Sequence[str], profiles: Profiles, columns: ConsentColumns) -> str:
    """Return the condition that a connection with these objectives processes a profile; `true` without any."""
    if not objectives:
        return "true"
    unneeded = " or ".join(is_unneeded(name, profiles, columns) for name in objectives)
    consented = " or ".join(columns.is_consented(name) for name in objectives)
    refused = " or ".join(columns.is_refused(name) for name in objectives)
    opt_in = _in_zones(columns, [zone for zone, kind in profiles.zones.items() if kind == "opt_in"])
    return f"({unneeded} or case when {opt_in} then {consented} else not ({refused}) end)"


def is_unneeded(objective: str, profiles: Profiles, columns: ConsentColumns) -> str:
    """Return the condition that an objective needs no consent in the profile's zone."""
    return f"not ({_in_zones(columns, profiles.objective(objective).zones)})"


def consent_is(state: str, objective: str, profiles: Profiles, columns: ConsentColumns) -> str:
    """Return the condition that a profile's consent to an objective is in a state of `ConsentState`."""
    consented, refused = columns.is_consented(objective), columns.is_refused(objective)
    return {
        "consented": consented,
        "consented_or_unneeded": f"({consented} or {is_unneeded(objective, profiles, columns)})",
        "refused": refused,
        "unknown": f"not ({consented} or {refused})",
        "refused_or_unknown": f"not {consented}",
    }[state]


def _in_zones(columns: ConsentColumns, zones: Sequence[str]) -> str:
    # A profile without a zone is in the rest of the world.
    return f"coalesce({columns.zone}, 'NONE') in ({', '.join(map(quote_literal, zones))})" if zones else "false"
