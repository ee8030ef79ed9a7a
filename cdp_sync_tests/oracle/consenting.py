"""May a profile be processed, and what refusing and consenting take from each other."""

from collections.abc import Iterable

from cdp_sync.model import Profiles
from cdp_sync_tests.oracle.linking import Profile

ZONE, CONSENTED, REFUSED = "privacy_legislation", "consented_objectives", "refused_objectives"
LISTS = (CONSENTED, REFUSED)


def may_process(profile: Profile, objectives: Iterable[str], declared: Profiles) -> bool:
    """Whether a connection with these objectives may process a profile; with none it may."""
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
    """Let an objective that rows put on one list leave the other; one that they put on both was refused.

    Args:
        profile: What the profile has become.
        said: What its rows say of the lists, on their own.
    """
    refused = said.get(REFUSED, [])
    consented = [name for name in said.get(CONSENTED, []) if name not in refused]
    leave(profile, CONSENTED, refused)
    leave(profile, REFUSED, consented)


def leave(profile: Profile, name: str, gone: list[str]) -> None:
    """Take objectives from a list; a list without any is none."""
    left = [objective for objective in profile.pop(name, []) if objective not in gone]
    if left:
        profile[name] = left
