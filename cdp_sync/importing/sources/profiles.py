"""Fetches the profiles of a platform: what arrives is staged, and what it lacks of them is looked up."""

from collections.abc import Callable, Iterator
from pathlib import Path

from cdp_sync.importing.run import GoalRun
from cdp_sync.importing.sources.enrich import enrich_rows, lacking_fields
from cdp_sync.importing.sources.port import Progress, Source
from cdp_sync.importing.staging.parsing import stage_files
from cdp_sync.importing.upserting.rivals import refuse_rivals
from cdp_sync.model import FetchedFile, FileReport
from cdp_sync.model.counting import counted


def fetch_profiles(
    run: GoalRun, source: Source, progress: Progress, *, tell: Callable[[str], None] = lambda _: None
) -> str:
    """Stage what the source has, and look up the fields that it lacks; return what was looked up, for the log.

    `progress` is called while a part arrives, `tell` with what is done when that takes long.

    Raises:
        GoalFailed: Another goal has imported the same with the same links and sums.
    """
    fetched: list[FetchedFile] = []

    def arriving(folder: Path) -> Iterator[FetchedFile | FileReport]:
        for arrival in source.arrivals(folder, progress):
            if isinstance(arrival, FetchedFile):
                fetched.append(arrival)
            yield arrival

    refuse_rivals(run, [(path, None, None) for path in source.paths])
    staged = {report.path for report in stage_files(run, arriving(run.folder)) if report.state == "staged"}
    files = [each for each in fetched if each.remote.path in staged]
    lacking = lacking_fields(run.goal, source.enricher, files) if source.enricher else ()
    if not (source.enricher and lacking):
        return ""
    named = " and ".join(lacking)
    tell(f"asking for {named}")
    return f"Asked for {named}: {counted(enrich_rows(run, source.enricher, files, lacking), 'user')}."
