"""Uploading files in tests, and making real ones of every format."""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import Sequence
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from docx import Document
from openpyxl import Workbook
from pptx import Presentation

from memory.runtime import ingest


@pytest.fixture(autouse=True)
def files_dir(settings: Any, tmp_path: Path) -> Path:
    """A folder of this test alone for the bytes of files; in force where it is imported."""
    settings.FILES_DIR = tmp_path / "files"
    settings.FILES_DIR.mkdir()
    folder: Path = settings.FILES_DIR
    return folder


@pytest.fixture
def folder(api: Any) -> Any:
    """The folder `docs`, as the API shows it."""
    body = {"name": "docs", "description": "My notes", "instructions": "Cite it."}
    made = api.send("POST", "/v1/folders/", body)
    assert made.status_code == 200, made.content
    return made.json()


def originals_on_disk(files_dir: Path) -> list[str]:
    return sorted(path.name for path in files_dir.iterdir())


def upload(api: Any, folder_id: str, name: str, data: bytes | str, /, **query: str) -> Any:
    """Upload a file and return the response; nothing is read yet."""
    body = data.encode() if isinstance(data, str) else data
    words = "&".join(f"{key}={value}" for key, value in query.items())
    kind = "application/octet-stream"
    file = SimpleUploadedFile("placeholder", body, content_type=kind)
    file._name = name  # the setter would cut what a client may send
    return api.post(f"/v1/folders/{folder_id}/upload?{words}", {"file": file})


def read_all() -> int:
    """Do what the readers of a running server do, until nothing is left."""
    return asyncio.run(asyncio.wait_for(ingest.drain(), 120))


def add(api: Any, folder_id: str, name: str, data: bytes | str, /, **query: str) -> Any:
    """Upload a file, have it read, and return it as the API shows it, with its content."""
    answer = upload(api, folder_id, name, data, **query)
    assert answer.status_code == 200, answer.content
    read_all()
    path = f"/v1/folders/{folder_id}/files/{answer.json()['id']}"
    return api.get(path, {"include_content": "true"}).json()


def docx(*paragraphs: str, heading: str = "", rows: Sequence[Sequence[str]] = ()) -> bytes:
    document = Document()
    if heading:
        document.add_heading(heading, 2)
    for text in paragraphs:
        document.add_paragraph(text)
    if rows:
        table = document.add_table(len(rows), len(rows[0]))
        for y, row in enumerate(rows):
            for x, text in enumerate(row):
                table.cell(y, x).text = text
    return saved(document)


def pptx(title: str, body: str, notes: str) -> bytes:
    deck = Presentation()
    slide = deck.slides.add_slide(deck.slide_layouts[1])
    slide.shapes.title.text = title
    slide.placeholders[1].text = body
    slide.notes_slide.notes_text_frame.text = notes
    return saved(deck)


def xlsx(*rows: Sequence[Any]) -> bytes:
    book = Workbook()
    for row in rows:
        book.active.append(list(row))
    return saved(book)


def saved(document: Any) -> bytes:
    out = BytesIO()
    document.save(out)
    return out.getvalue()


def pdf(*pages: str) -> bytes:
    """A PDF with a line of text a page, written by hand: no library is needed to write one."""
    return pdf_of(*(f"BT /F1 12 Tf 72 720 Td ({page}) Tj ET".encode() for page in pages))


def pdf_of(*contents: bytes) -> bytes:
    """A PDF whose pages have these content streams."""
    kids = " ".join(f"{n * 2 + 4} 0 R" for n in range(len(contents)))
    objects = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        f"<< /Type /Pages /Kids [{kids}] /Count {len(contents)} >>".encode(),
        b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
    ]
    for n, content in enumerate(contents):
        packed = zlib.compress(content, 9)
        page = f"/Resources << /Font << /F1 3 0 R >> >> /Contents {n * 2 + 5} 0 R"
        objects.append(f"<< /Type /Page /Parent 2 0 R {page} >>".encode())
        head = f"<< /Length {len(packed)} /Filter /FlateDecode >>\nstream\n".encode()
        objects.append(head + packed + b"\nendstream")
    return _assembled(objects)


def _assembled(objects: list[bytes]) -> bytes:
    out, places = bytearray(b"%PDF-1.4\n"), []
    for n, one in enumerate(objects, 1):
        places.append(len(out))
        out += f"{n} 0 obj\n".encode() + one + b"\nendobj\n"
    start = len(out)
    rows = "".join(f"{place:010} 00000 n \n" for place in places)
    out += f"xref\n0 {len(objects) + 1}\n0000000000 65535 f \n{rows}".encode()
    out += f"trailer << /Size {len(objects) + 1} /Root 1 0 R >>\nstartxref\n{start}\n%%EOF".encode()
    return bytes(out)
