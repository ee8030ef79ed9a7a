"""What is imported: several connections that know the same people, deliveries with corrections, errors and events.

Whatever lands must not depend on the order in which runs of different connections land. So a person's name follows from
the address, every connection has properties of its own, and its deliveries come one after another. Amounts are summed:
a row that landed twice shows.
"""

from random import Random

from cdp_sync_tests.projects import PROPERTIES, Project, export, goal

PEOPLE, ROWS = 2_000, 300
"""Known people, and rows of a delivery."""

EVERYBODY = {"name": "everybody", "title": "Everybody", "when": {"property": "email", "has_value": True}}
HEADER = "Email,FirstName,Points,Note,Id,At,C\n"
OUTLET = "outlet"
"""The connection that exports."""


def declare(project: Project, connections: int) -> list[str]:
    """Declare the profile and the connections; return the names of those that import."""
    names = [f"shop{number}" for number in range(1, connections + 1)]
    own = [{"name": f"{what}_{name}", "type": kind} for name in names for what, kind in _OWN]
    project.describe(
        properties=[*(dict(each) for each in PROPERTIES), *own], event_types=["order"], segments=[EVERYBODY]
    )
    for name in names:
        project.connect(name, _imports(name))
    columns = [{"field": "Email", "property": "email"}]
    columns += [{"field": each["name"], "property": each["name"]} for each in own]
    project.connect(OUTLET, export_profiles=[export("everybody", segment="everybody", map=columns)])
    return names


_OWN = (("points", "number"), ("note", "text"))


def _imports(name: str) -> dict[str, object]:
    return goal(
        directory=f"/inbox/{name}",
        map=[
            {"field": "FirstName", "property": "first_name"},
            {"field": "Points", "property": f"points_{name}", "mode": "sum"},
            {"field": "Note", "property": f"note_{name}"},
        ],
        events=[{"type": "order", "id": "Id", "time": "At", "map": [{"field": "C", "property": "coupon"}]}],
    )


def deliver(project: Project, names: list[str], number: int, seed: int) -> None:
    """Put the next delivery of each connection on the server."""
    for name in names:
        text = HEADER + "".join(
            _row(name, number, line, Random(f"{seed} {name} {number} {line}")) for line in range(ROWS)
        )
        project.deliver(f"/inbox/{name}/customers_{number:04}.csv", text, minutes=number)


def _row(name: str, number: int, line: int, random: Random) -> str:
    person = random.randrange(PEOPLE)
    email = "" if random.random() < 0.01 else f"p{person}@example.com"
    points = "many" if random.random() < 0.01 else str(random.randrange(100))
    order = f"{name}-{number}-{line}"
    at = f"2026-0{random.randrange(1, 10)}-1{random.randrange(10)}T12:00:00Z"
    return f"{email},Name{person},{points},{random.choice('abc')}{number},{order},{at},c{random.randrange(5)}\n"
