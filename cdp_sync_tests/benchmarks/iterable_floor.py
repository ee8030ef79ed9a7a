"""The floor of an exchange with Iterable: a bare requests script that moves the same bytes, and does nothing else.

It keeps to the documented limit of one look at an export a second, as the product does. `import` has all users
exported and brings the files here, eight side by side.

`python -m cdp_sync_tests.benchmarks.iterable_floor --url http://… --work import --fields email,city` prints the cost.
"""

import argparse
import json
import os
import tempfile
import time
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import requests

from cdp_sync_tests.benchmarks.floor import Stopwatch, peak_megabytes

_BETWEEN_LOOKS = 1.0
_THREADS = 8


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
    parser.add_argument("--work", choices=("import",), required=True)
    parser.add_argument("--fields", default="", help="the fields that users are exported with")
    options = parser.parse_args()
    clock, began = Stopwatch(), time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        counters = {"rows_read": Floor(options.url, clock).fetch_users(options.fields, Path(folder))}
    seconds = round(time.perf_counter() - began, 3)
    print(json.dumps({"seconds": seconds, "peak_mb": peak_megabytes(), "phases": clock.phases, "goals": [counters]}))


if __name__ == "__main__":
    main()
