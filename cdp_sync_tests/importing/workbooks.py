"""Writes Excel workbooks, and says what an import reads of a cell: a second implementation, cell by cell."""

import io
from collections.abc import Sequence
from datetime import date, datetime, time
from typing import Any

import xlsxwriter
import xlwt

ERROR = object()
"""A cell whose formula ends in an error."""

Sheet = Sequence[Sequence[Any]]


def xlsx(rows: Sheet, *, date_1904: bool = False, others: Sequence[str] = ("Other",), top: int = 0) -> bytes:
    """Return a workbook whose first sheet has these rows from row `top` on; further sheets hold something else."""
    target = io.BytesIO()
    book = xlsxwriter.Workbook(target, {"date_1904": date_1904})
    sheet = book.add_worksheet("People")
    day, moment = (book.add_format({"num_format": text}) for text in ("dd.mm.yyyy", "dd.mm.yyyy hh:mm:ss"))
    for number, row in enumerate(rows, top):
        for place, cell in enumerate(row):
            if cell is ERROR:
                sheet.write_formula(number, place, "=1/0", None, "#DIV/0!")
            elif isinstance(cell, date):
                sheet.write_datetime(number, place, cell, moment if isinstance(cell, datetime) else day)
            elif isinstance(cell, str):
                sheet.write_string(number, place, cell)
            else:
                sheet.write(number, place, cell)
    for name in others:
        book.add_worksheet(name).write(0, 0, "not this one")
    book.close()
    return target.getvalue()


def xls(rows: Sheet, *, date_1904: bool = False) -> bytes:
    """Return an old workbook with these rows."""
    book = xlwt.Workbook()
    book.dates_1904 = date_1904
    sheet = book.add_sheet("People")
    day, moment = (xlwt.easyxf(num_format_str=text) for text in ("dd.mm.yyyy", "dd.mm.yyyy hh:mm:ss"))
    for number, row in enumerate(rows):
        for place, cell in enumerate(row):
            if cell is ERROR:
                sheet.row(number).set_cell_error(place, "#DIV/0!")
            elif isinstance(cell, datetime):
                sheet.write(number, place, cell, moment)
            elif isinstance(cell, date):
                sheet.write(number, place, cell, day)
            elif cell not in (None, ""):
                sheet.write(number, place, cell)
    book.add_sheet("Other").write(0, 0, "not this one")
    target = io.BytesIO()
    book.save(target)
    return target.getvalue()


def text_of(cell: Any) -> str | None:
    """Return a cell as an import reads it."""
    if cell is ERROR or cell is None or cell == "":
        return None
    if isinstance(cell, bool):
        return "true" if cell else "false"
    if isinstance(cell, datetime) and cell == datetime.combine(cell, time()):
        return str(cell.date())  # in a workbook, midnight and the day are the same cell
    if isinstance(cell, float):
        return str(int(cell)) if cell.is_integer() else f"{cell:.15g}"
    return str(cell)
