"""A strict import of contacts: its declaration, its files, and an importer that has learned one."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from cdp_sync.connectors.spotler.goals import SpotlerExchange
from cdp_sync.importing.faults import unreported_faults
from cdp_sync.importing.pipeline import link_identifiers, parse_files, upsert_profiles
from cdp_sync.learning import read_learned
from cdp_sync.model import ImportReport, Profiles
from cdp_sync.model.expected_file import like
from cdp_sync.warehouse.learned import keep_learned, learned_file
from cdp_sync_tests.trail.importer import NOON, Content, Importer, arrived

PROPERTIES = [
    {"name": "email", "type": "email", "identifier": True},
    {"name": "first_name"},
    {"name": "city"},
    {"name": "total", "type": "decimal"},
    {"name": "static_lists", "multiple": True},
    {"name": "suppressed", "type": "boolean"},
]
PROFILES = Profiles.model_validate({"properties": PROPERTIES})
MAP = {"FirstName": "first_name", "City": "city", "Total": "total"}
HEADER = "Email;FirstName;City;Total;Note\r\n"
RIGHT = HEADER + "a@x.nl;Ada;Utrecht;1.5;\r\nb@x.nl;Bob;;2;\r\n"
"""City and Note may be empty."""


def declared(**attributes: Any) -> dict[str, Any]:
    """Return a goal as YAML declares it."""
    usual = {
        "name": "contacts",
        "directory": "/import",
        "files": "contacts*",
        "complete": {"settle_seconds": 0},
        "format": {"separator": ";"},
        "link": [{"field": "Email", "property": "email"}],
        "map": [{"field": field, "property": name} for field, name in MAP.items()],
    }
    return usual | attributes


def exchange(*goals: Mapping[str, Any], **attributes: Any) -> SpotlerExchange:
    """Return a connection with these goals."""
    server = {"host": "sftp.example.com", "username": "shop", "password_env": "SECRET"}
    return SpotlerExchange.model_validate(
        {"name": "spotler", "server": server, "import_profiles": list(goals)} | attributes
    )


class Exchange(Importer):
    """Consecutive runs of a strict import, each with what was learned last."""

    def learn(self, content: Content, name: str = "contacts.csv", *, empty: tuple[str, ...] = ()) -> None:
        """Learn a file."""
        local = self.folder / "learned" / name
        local.parent.mkdir(exist_ok=True)
        local.write_bytes(content.encode() if isinstance(content, str) else content)
        found = read_learned(self.warehouse, self.goal, local, empty)
        with self.warehouse.open("write") as session:
            keep_learned(session, self.connection, self.goal.name, found, datetime.now(UTC))

    def hand_in(
        self, files: Mapping[str, Content], reports: Path | None = None
    ) -> tuple[ImportReport, dict[str, bytes]]:
        """Import files into `/import`; return the report, and the faults files by the name of the file.

        Faults files are written into `reports`, or into the importer's folder.
        """
        run = self.new_run()
        place = (reports or self.folder / "reports") / run.run_id
        with self.warehouse.open("read") as session:
            like_learned = like(run.goal, learned_file(session, self.connection, self.goal.name))
        run = replace(run, goal=like_learned, faults=place)
        at = {f"/import/{name}": content for name, content in files.items()}
        parse_files(run, arrived(self.folder / run.run_id, at, NOON))
        link_identifiers(run)
        report = upsert_profiles(run)
        faults = unreported_faults(place)
        return report, {path.removeprefix("/import/"): file.read_bytes() for path, (file, _) in faults.items()}


def importer(folder: Path, **attributes: Any) -> Exchange:
    """Return an importer of a strict goal."""
    connection = exchange(declared(**attributes))
    [goal] = connection.import_profiles
    assert not list(goal.problems(PROFILES))
    return Exchange(folder, goal.importing(connection, PROFILES), PROFILES, connection="spotler")
