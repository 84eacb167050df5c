"""Workbooks, sheet by sheet, each row as a line of comma-separated values."""

import csv
from io import BytesIO, StringIO
from typing import Any
from zipfile import BadZipFile

from openpyxl import load_workbook
from openpyxl.utils.exceptions import InvalidFileException

from memory.parsing.base import Unreadable, joined
from memory.parsing.packages import check_package


def read(data: bytes) -> str:
    """Return the values of all cells, of formulas the last computed ones. Raises Unreadable."""
    check_package(data)
    try:
        book = load_workbook(BytesIO(data), read_only=True, data_only=True, keep_links=False)
        return joined([_sheet(sheet) for sheet in book.worksheets])
    except (InvalidFileException, BadZipFile, KeyError, ValueError, SyntaxError) as error:
        raise Unreadable(f"It is not a workbook that can be read: {error}") from None


def _sheet(sheet: Any) -> str:
    out = StringIO()
    lines = csv.writer(out, lineterminator="\n")
    for row in sheet.iter_rows(values_only=True):
        cells = ["" if value is None else str(value) for value in row]
        if any(cells):
            lines.writerow(cells)
    return f"[Sheet {sheet.title}]\n{out.getvalue()}" if out.getvalue() else ""
