"""Columns that say which segments a profile is in."""

from collections.abc import Collection

from cdp_sync.exporting.run import ExportRun
from cdp_sync.exporting.select import Inputs
from cdp_sync.model import ExportColumn
from cdp_sync.segments.membership import is_in_segment
from cdp_sync.warehouse import quote_literal


def segments_of(
    run: ExportRun, columns: Collection[str], number: int, declared: ExportColumn, *, titles: bool = False
) -> tuple[Inputs, str]:
    """Return what a column of segments reads, and the expression for the list of those that a profile is in."""
    segments = run.profiles.segments
    names = [each.name for each in segments] if declared.segments == "all" else declared.segments or ()
    labels = [run.profiles.segment(name).label if titles else name for name in names]
    inputs = {
        f"s{number}_{place}": is_in_segment(run.profiles, name, run.now, columns) for place, name in enumerate(names)
    }
    each = (f"case when {inside} then {quote_literal(label)} end" for inside, label in zip(inputs, labels, strict=True))
    return inputs, f"list_filter([{', '.join(each)}], lambda x: x is not null)"


def first_segment_of(
    run: ExportRun, columns: Collection[str], number: int, declared: ExportColumn
) -> tuple[Inputs, str]:
    """Return what a column of texts by segment reads, and the expression for the text of the first segment."""
    texts = declared.first_segment or {}
    inputs = {
        f"s{number}_{place}": is_in_segment(run.profiles, name, run.now, columns) for place, name in enumerate(texts)
    }
    whens = (f"when {inside} then {quote_literal(text)}" for inside, text in zip(inputs, texts.values(), strict=True))
    otherwise = "null::varchar" if declared.otherwise is None else quote_literal(declared.otherwise)
    return inputs, f"case {' '.join(whens)} else {otherwise} end"
