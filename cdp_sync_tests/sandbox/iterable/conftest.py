"""Iterable sandboxes with a simulated clock, one for each type of project, and calls of their API."""

from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest
import requests

from cdp_sync.sandbox.iterable import Clock, IterableSandbox, ProjectType

KEY = "server-key-41"  # of servers that live for one test
NOON = 1_714_564_800.0
"""2024-05-01 12:00:00 UTC."""


class Api:
    """Calls of a sandbox, each with its whole response."""

    def __init__(self, box: IterableSandbox) -> None:
        self.box = box

    def get(self, path: str, **query: Any) -> requests.Response:
        """Return the response to a GET."""
        return requests.get(f"{self.box.url}/api/{path}", params=query, headers={"Api-Key": KEY}, timeout=20)

    def post(self, path: str, **body: Any) -> requests.Response:
        """Return the response to a POST."""
        return requests.post(f"{self.box.url}/api/{path}", json=body, headers={"Api-Key": KEY}, timeout=20)

    def delete(self, path: str) -> requests.Response:
        """Return the response to a DELETE."""
        return requests.delete(f"{self.box.url}/api/{path}", headers={"Api-Key": KEY}, timeout=20)

    def user(self, email: str) -> Any:
        """Return the data fields of a user by address, or None."""
        return self.get(f"users/{email}").json().get("user", {}).get("dataFields")

    def user_by_id(self, user_id: str) -> Any:
        """Return the data fields of a user by userId, or None."""
        return self.get(f"users/byUserId/{user_id}").json().get("user", {}).get("dataFields")

    def failures(self, path: str, **body: Any) -> dict[str, list[str]]:
        """Return the non-empty lists of failures of a bulk call."""
        answer = self.post(path, **body)
        assert answer.status_code == 200, answer.text
        found = {name: values for name, values in answer.json()["failedUpdates"].items() if values}
        assert answer.json()["failCount"] == sum(map(len, found.values()))
        return found


class Projects:
    """Sandboxes by type of project, each started at its first use."""

    def __init__(self, stack: ExitStack) -> None:
        self._stack = stack

    def __call__(self, kind: ProjectType, **options: Any) -> Api:
        """Return a new project without users."""
        box = IterableSandbox(api_key=KEY, project_type=kind, clock=Clock(NOON), **options)
        return Api(self._stack.enter_context(box))


@pytest.fixture
def projects() -> Iterator[Projects]:
    """Return the factory of sandboxes."""
    with ExitStack() as stack:
        yield Projects(stack)


@pytest.fixture
def api(projects: Projects) -> Api:
    """A project whose users are identified by e-mail address."""
    return projects("email")


def refused(answer: requests.Response) -> tuple[int, str]:
    """Return status and code of a refusal."""
    return answer.status_code, answer.json()["code"]
