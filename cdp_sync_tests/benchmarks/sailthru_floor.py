"""The floor of an exchange with Sailthru: a plain requests script that transfers the same bytes.

It polls a job every 20 ms and reports the seconds of jobs separately. `import` has a list exported and downloads it;
`export` sends a file of users and downloads the list of those that arrived; `each` sends users one by one.

`python -m cdp_sync_tests.benchmarks.sailthru_floor --url http://… --work export --lines users.jsonl` prints the cost.
"""

import argparse
import hashlib
import json
import os
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import requests

from cdp_sync_tests.benchmarks.floor import Stopwatch, peak_megabytes

_PAUSE = 0.02
_THREADS = 16
_KEY, _SECRET = os.environ["BENCH_KEY"], os.environ["BENCH_SECRET"]


def signed(says: dict[str, Any]) -> dict[str, str]:
    """Return the signed parameters of a call."""
    payload = {"api_key": _KEY, "format": "json", "json": json.dumps(says)}
    return {**payload, "sig": hashlib.md5((_SECRET + "".join(sorted(payload.values()))).encode()).hexdigest()}


class Floor:
    """Client of one account."""

    def __init__(self, url: str, clock: Stopwatch) -> None:
        self.url = url
        self.clock = clock
        self.session = requests.Session()
        self.session.mount("http://", requests.adapters.HTTPAdapter(pool_maxsize=_THREADS))

    def finished(self, says: dict[str, Any], lines: Path | None = None) -> dict[str, Any]:
        """Start a job and wait for its end."""
        if lines:
            with lines.open("rb") as file:
                answer = self.session.post(f"{self.url}/job", data=signed(says), files={"file": file})
        else:
            answer = self.session.post(f"{self.url}/job", data=signed(says))
        job = answer.json()
        while job["status"] == "pending":
            time.sleep(_PAUSE)
            job = self.session.get(f"{self.url}/job", params=signed({"job_id": job["job_id"]})).json()
        if job["status"] != "completed":
            raise SystemExit(f"The job ended as {job['status']}.")
        return dict(job)

    def fetch(self, name: str, fields: list[str], target: Path) -> int:
        """Have a list exported and download it; return the number of users on it."""
        with self.clock("prepare"):
            says = {"job": "export_list_data", "list": name, "fields": {"vars": dict.fromkeys(fields, 1)}}
            url = self.finished(says)["export_url"]
        lines = 0
        with self.clock("download"), self.session.get(url, stream=True) as answer, target.open("wb") as file:
            for chunk in answer.iter_content(1 << 18):
                file.write(chunk)
                lines += chunk.count(b"\n")
        return lines - 1

    def send(self, lines: Path) -> None:
        """Send a file of users."""
        with self.clock("update"):
            self.finished({"job": "update"}, lines)

    def send_each(self, lines: Path) -> int:
        """Send users one by one."""
        with self.clock("update"), lines.open(encoding="utf-8") as file, ThreadPoolExecutor(_THREADS) as threads:
            return sum(threads.map(self._send_one, _bodies(file)))

    def _send_one(self, body: dict[str, Any]) -> int:
        answer = self.session.post(f"{self.url}/user", data=signed(body))
        return int("keys" in answer.json())


def _bodies(lines: Iterator[str]) -> Iterator[dict[str, Any]]:
    return ({**json.loads(line), "fields": {"keys": 1, "lists": 1}} for line in lines)


def work(floor: Floor, options: argparse.Namespace, folder: Path) -> dict[str, int]:
    """Run one kind of work; return its counters under the product's names."""
    if options.work == "import":
        return {"rows_read": floor.fetch(options.list, options.fields.split(","), folder / "list.csv")}
    if options.work == "each":
        return {"profiles_written": floor.send_each(options.lines)}
    floor.send(options.lines)
    return {"profiles_written": floor.fetch(options.list, options.fields.split(","), folder / "list.csv")}


def main() -> None:
    """Run once and print the cost as JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--url", required=True)
    parser.add_argument("--work", choices=("import", "export", "each"), required=True)
    parser.add_argument("--list", default="Main")
    parser.add_argument("--fields", default="")
    parser.add_argument("--lines", type=Path, help="the file of users")
    options = parser.parse_args()
    clock, began = Stopwatch(), time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        counters = work(Floor(options.url, clock), options, Path(folder))
    seconds = round(time.perf_counter() - began, 3)
    print(json.dumps({"seconds": seconds, "peak_mb": peak_megabytes(), "phases": clock.phases, "goals": [counters]}))


if __name__ == "__main__":
    main()
