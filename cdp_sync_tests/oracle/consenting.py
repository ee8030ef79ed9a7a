"""Consent: whether a profile may be processed, and how consent and refusal replace each other."""

from collections.abc import Iterable

from cdp_sync.model import Profiles
from cdp_sync_tests.oracle.linking import Profile

ZONE, CONSENTED, REFUSED = "privacy_legislation", "consented_objectives", "refused_objectives"
LISTS = (CONSENTED, REFUSED)


def may_process(profile: Profile, objectives: Iterable[str], declared: Profiles) -> bool:
    """Return whether a connection with these objectives may process a profile; without objectives it may."""
    zone = profile.get(ZONE, "NONE")
    asked = [declared.objective(name) for name in objectives]
    if not asked or any(zone not in objective.zones for objective in asked):
        return True
    refused = [objective.name in profile.get(REFUSED, []) for objective in asked]
    consented = [objective.name in profile.get(CONSENTED, []) for objective in asked]
    if declared.zones.get(zone) == "opt_in":
        return any(yes and not no for yes, no in zip(consented, refused, strict=True))
    return not any(refused)


def move(profile: Profile, said: Profile) -> None:
    """Remove an objective that rows put on one list from the other; on both lists it counts as refused.

    Args:
        profile: The profile after its rows were applied.
        said: The lists according to its rows alone.
    """
    refused = said.get(REFUSED, [])
    consented = [name for name in said.get(CONSENTED, []) if name not in refused]
    remove(profile, CONSENTED, refused)
    remove(profile, REFUSED, consented)


def remove(profile: Profile, name: str, gone: list[str]) -> None:
    """Remove objectives from a list, and the list if it becomes empty."""
    left = [objective for objective in profile.pop(name, []) if objective not in gone]
    if left:
        profile[name] = left
