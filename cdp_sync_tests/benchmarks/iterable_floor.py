"""The floor of an exchange with Iterable: a bare requests script that moves the same bytes, and does nothing else.

It keeps to the documented limits, as the product does: one look at an export and five bulk updates a second. `import`
has all users exported and brings the files here, eight side by side. `export` sends users in calls for 1,000 each, puts
them on a new list, and reads ten of them back.

`python -m cdp_sync_tests.benchmarks.iterable_floor --url http://… --work import --fields email,city` prints the cost.
"""

import argparse
import json
import os
import tempfile
import time
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import count, islice
from pathlib import Path

import requests

from cdp_sync_tests.benchmarks.floor import Stopwatch, peak_megabytes

_BETWEEN_LOOKS = 1.0
_THREADS = 8
_UPDATES_PER_SECOND = 5
_USERS, _SENDERS = 1000, 6


class Floor:
    """Calls one project."""

    def __init__(self, url: str, clock: Stopwatch) -> None:
        self.url = f"{url}/api"
        self.clock = clock
        self.session = requests.Session()
        self.session.headers["Api-Key"] = os.environ["BENCH_KEY"]
        self.session.mount("http://", requests.adapters.HTTPAdapter(pool_maxsize=_THREADS))

    def fetch_users(self, fields: str, folder: Path) -> int:
        """Have all users exported and bring the files here; return how many users there are."""
        asked = {"dataTypeName": "user", "outputFormat": "application/x-json-stream", "onlyFields": fields}
        job_id = self.session.post(f"{self.url}/export/start", json=asked).json()["jobId"]
        with ThreadPoolExecutor(_THREADS) as threads:
            with self.clock("prepare"):
                downloads = self._downloads(f"{self.url}/export/{job_id}/files", threads, folder)
            with self.clock("download"):
                return sum(each.result() for each in downloads)

    def send_users(self, lines: Path, list_name: str) -> int:
        """Send users and put them on a new list; return how many there are."""
        list_id = self.session.post(f"{self.url}/lists", json={"name": list_name}).json()["listId"]
        begun, sent = time.perf_counter(), 0
        with self.clock("update"), lines.open("rb") as file, ThreadPoolExecutor(_SENDERS) as threads:
            answers = []
            for number in count():
                batch = list(islice(file, _USERS))
                if not batch:
                    break
                time.sleep(max(0.0, number / _UPDATES_PER_SECOND - (time.perf_counter() - begun)))
                answers.append(threads.submit(self._send, batch, list_id))
                sent += len(batch)
            if any(not answer.result() for answer in answers):
                raise SystemExit("Some users were refused.")
        for number in range(10):
            self.session.get(f"{self.url}/users/getByEmail", params={"email": f"person{number}@example.com"})
        return sent

    def _send(self, batch: list[bytes], list_id: int) -> bool:
        users = b",".join(line.strip() for line in batch)
        ids = b",".join(line.partition(b',"dataFields"')[0] + b"}" for line in batch)
        update = b'{"users":[%s],"createNewFields":true}' % users
        subscribe = b'{"listId":%d,"updateExistingUsersOnly":false,"subscribers":[%s]}' % (list_id, ids)
        answers = [
            self.session.post(f"{self.url}/{endpoint}", data=body, headers={"Content-Type": "application/json"}).json()
            for endpoint, body in (("users/bulkUpdate", update), ("lists/subscribe", subscribe))
        ]
        return all(answer["successCount"] == len(batch) for answer in answers)

    def _downloads(self, address: str, threads: ThreadPoolExecutor, folder: Path) -> list[Future[int]]:
        """Fetch files as they appear, until the job has ended and a page is empty."""
        started: list[Future[int]] = []
        after = ""
        while True:
            begun = time.perf_counter()
            job = self.session.get(address, params={"startAfter": after}).json()
            for file in job["files"]:
                started.append(threads.submit(self._download, file["url"], folder / file["file"]))
                after = file["file"]
            if job["jobState"] == "completed" and not job["files"]:
                return started
            time.sleep(max(0.0, _BETWEEN_LOOKS - (time.perf_counter() - begun)))

    def _download(self, url: str, target: Path) -> int:
        lines = 0
        with self.session.get(url, stream=True) as answer, target.open("wb") as file:
            for chunk in answer.iter_content(1 << 18):
                file.write(chunk)
                lines += chunk.count(b"\n")
        return lines


def main() -> None:
    """Run once and print what it cost, as JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--url", required=True)
    parser.add_argument("--work", choices=("import", "export"), required=True)
    parser.add_argument("--fields", default="", help="the fields that users are exported with")
    parser.add_argument("--lines", type=Path, help="the file of users to send")
    parser.add_argument("--list", default="Audience")
    options = parser.parse_args()
    clock, began = Stopwatch(), time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        floor = Floor(options.url, clock)
        if options.work == "import":
            counters = {"rows_read": floor.fetch_users(options.fields, Path(folder))}
        else:
            counters = {"profiles_written": floor.send_users(options.lines, options.list)}
    seconds = round(time.perf_counter() - began, 3)
    print(json.dumps({"seconds": seconds, "peak_mb": peak_megabytes(), "phases": clock.phases, "goals": [counters]}))


if __name__ == "__main__":
    main()
