"""A goal's fingerprint: a digest of everything declared that affects what a file becomes."""

import hashlib
import json

from cdp_sync.model.goal import ImportGoal
from cdp_sync.model.profile import Profiles

_AFFECTS_RESULT = {"format", "link", "blocked_values", "allow_new_profiles", "map", "map_detected"}


def fingerprint(goal: ImportGoal, profiles: Profiles) -> str:
    """Return the digest, 16 hexadecimal digits.

    Where the files lie, when they count as whole and what things are called is not part of it; the declared types of
    the properties it fills are.
    """
    names = {link.property for link in goal.link} | {mapping.property for mapping in goal.map}
    properties = [prop.model_dump(mode="json", exclude={"title"}) for prop in profiles.properties if prop.name in names]
    declared = {"goal": goal.model_dump(mode="json", include=_AFFECTS_RESULT), "properties": properties}
    return hashlib.sha256(json.dumps(declared, sort_keys=True).encode()).hexdigest()[:16]
