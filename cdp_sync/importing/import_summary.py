"""What a strict import did, line by line, for the people whose file it was. It names no person and shows no value."""

from collections.abc import Iterable, Iterator, Mapping

from cdp_sync.model import Counters, FileReport, FileState, ImportReport
from cdp_sync.model.counting import counted


def summary_lines(report: ImportReport, faults: Mapping[str, tuple[str, int]]) -> tuple[str, ...]:
    """Return the lines of a report, given where the faults file of each file is and how many rows it has.

    A run that found no file has none.
    """
    lines = [line for file in report.files for line in _about_file(file, faults.get(file.path))]
    if lines and report.reasons:
        lines.append("Refused, by reason:")
        lines += [f"- {reason}: {times:,}" for reason, times in report.reasons]
    return tuple(lines)


def late_lines(run_id: str, files: Iterable[FileReport], faults: Mapping[str, tuple[str, int]]) -> tuple[str, ...]:
    """Return the lines about the files of a run that was killed before it reported them; faults as of `summary_lines`.

    The quarantine has the reasons.
    """
    about = (line for file in files for line in _about_file(file, faults.get(file.path)))
    return (f"Imported before, by the run {run_id[:8]}, whose process was killed before it reported:", *about)


def _about_file(file: FileReport, faults: tuple[str, int] | None) -> Iterator[str]:
    if file.state == FileState.FAILED:
        yield f"{file.name}: failed. {file.message}"
    if not file.landed:
        return
    yield f"{file.name}: {_numbers(file.counters)}"
    yield from file.warnings
    if faults:
        where, rows = faults
        yield f"{counted(rows, 'refused row')} to correct: {where}"


def _numbers(counters: Counters) -> str:
    refused = (
        counters.rows_rejected + counters.rows_without_identifier + counters.rows_unmatched
        + counters.rows_without_consent
    )  # fmt: skip
    figures = {
        "read": counters.rows_read,
        "new": counters.profiles_created,
        "changed": counters.profiles_updated,
        "unchanged": counters.profiles_unchanged + counters.rows_unchanged,
        "duplicates": counters.rows_filtered,
        "refused": refused,
        "values refused": counters.values_invalid,
    }
    return ", ".join(f"{name} {number:,}" for name, number in figures.items()) + "."
