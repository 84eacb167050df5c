"""Real files of every format, good and bad: what is read of them, and what stops them."""

from __future__ import annotations

import asyncio
import io
import json
import struct
import zipfile
import zlib
from pathlib import Path
from typing import Any

import pytest
from pypdf import PdfReader, PdfWriter

from memory.parsing.base import Unreadable
from memory.parsing.kinds import kind_of
from memory.parsing.process import read_file
from memory.parsing.reading import Parsed
from tests.app.uploading import docx, pdf, pdf_of, pptx, xlsx

MB = 1024 * 1024


@pytest.fixture
def read(tmp_path: Path) -> Any:
    def read(name: str, data: bytes | str) -> Parsed:
        path = tmp_path / "file"
        path.write_bytes(data.encode() if isinstance(data, str) else data)
        kind = kind_of(name, "application/octet-stream")
        assert kind is not None
        return asyncio.run(read_file(path, kind))

    return read


def test_word(read: Any) -> None:
    data = docx("Ärger & Söhne", heading="The plan", rows=[["a", "b"], ["1|2", "3"]])
    text = read("x.docx", data).text
    assert text == "## The plan\n\nÄrger & Söhne\n\n| a | b |\n| --- | --- |\n| 1\\|2 | 3 |"


def test_powerpoint(read: Any) -> None:
    text = read("x.pptx", pptx("Results", "Up by a third", "Smile")).text
    assert text == "# Slide 1: Results\n\nUp by a third\n\nNotes: Smile"


def test_excel(read: Any) -> None:
    text = read("x.xlsx", xlsx(["name", "n"], ["a,b", 1], [], [None, 2.5])).text
    assert text == '[Sheet Sheet]\nname,n\n"a,b",1\n,2.5'


def test_pdf(read: Any) -> None:
    text = read("x.pdf", pdf("Page one", "Page two")).text
    assert text == "[Page 1]\nPage one\n\n[Page 2]\nPage two"


def test_letters_that_a_pdf_joins_are_letters_again(read: Any) -> None:
    joined = pdf("eld").replace(
        b"/BaseFont /Helvetica",
        b"/BaseFont /Helvetica /Encoding << /Type /Encoding /Differences [101 /fi] >>",
    )
    assert "fild" in read("x.pdf", joined).text


def test_html(read: Any) -> None:
    page = (
        "<html><head><title>T</title><style>p{}</style></head><body><script>alert(1)</script>"
        "<h2>Head</h2><p>Some <b>bold</b> <a href='http://x.y'>link</a></p><ul><li>a<li>b</ul>"
        "<img src=x alt=pic></body></html>"
    )
    text = read("x.html", page).text
    assert text == "# T\n\n## Head\n\nSome **bold** [link](http://x.y)\n\n* a\n* b"


def test_json_is_laid_out(read: Any) -> None:
    assert read("x.json", '{"a":[1,"ü"]}').text == '{\n  "a": [\n    1,\n    "ü"\n  ]\n}'
    assert read("x.json", '{"a":').text == '{"a":'
    assert read("x.json", "[" * 100_000).text == "[" * 100_000


@pytest.mark.parametrize(
    ("name", "data", "text"),
    [
        ("x.txt", b"one\r\ntwo\rthree", "one\ntwo\nthree"),
        ("x.txt", "\ufeffnaïve".encode(), "naïve"),
        ("x.txt", "naïve".encode("utf-16"), "naïve"),
        ("x.txt", "naïve".encode("latin-1"), "naïve"),
        ("x.csv", b"a,b\n1,2\n", "a,b\n1,2\n"),
        ("x.py", b"def f():\n\treturn 1\n", "def f():\n\treturn 1\n"),
        ("Makefile", b"all:\n", "all:\n"),
        ("x.md", b"", ""),
    ],
)
def test_texts(read: Any, name: str, data: bytes, text: str) -> None:
    assert read(name, data).text == text


def test_a_large_text_is_read_in_the_parsers_process(read: Any) -> None:
    line = "naïve words\n"
    parsed = read("x.txt", line * 50_000)
    assert parsed.text == line * 50_000
    assert len(parsed.chunks) > 200 and parsed.chunks[-1].line > 49_000


def refused(read: Any, name: str, data: bytes | str) -> str:
    with pytest.raises(Unreadable) as caught:
        read(name, data)
    return str(caught.value)


@pytest.mark.parametrize("name", ["x.docx", "x.pptx", "x.xlsx", "x.pdf"])
@pytest.mark.parametrize("data", [b"", b"not at all", b"PK\x03\x04" + b"\x00" * 100, b"%PDF-1.4\n"])
def test_a_damaged_file_is_refused_with_a_sentence(read: Any, name: str, data: bytes) -> None:
    assert len(refused(read, name, data)) > 20


def test_binary_data_under_the_name_of_a_text_is_refused(read: Any) -> None:
    assert "binary" in refused(read, "x.txt", b"\x7fELF\x00\x01\x02")


def test_a_pdf_without_words_says_what_to_do(read: Any) -> None:
    assert "text recognition" in refused(read, "x.pdf", pdf_of(b"0 0 100 100 re f"))


def test_a_pdf_with_a_password_says_so(read: Any) -> None:
    writer, out = PdfWriter(PdfReader(io.BytesIO(pdf("Secret")))), io.BytesIO()
    writer.encrypt("key", algorithm="RC4-128")
    writer.write(out)
    assert "password" in refused(read, "x.pdf", out.getvalue())


# --- what is made to do harm -----------------------------------------------------------------


def repacked(data: bytes, changes: dict[str, bytes]) -> bytes:
    """An office file with parts replaced or added."""
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as old, zipfile.ZipFile(out, "w", 8) as new:
        for name in {*old.namelist(), *changes}:
            new.writestr(name, changes[name] if name in changes else old.read(name))
    return out.getvalue()


def test_a_zip_bomb_is_refused(read: Any) -> None:
    bomb = repacked(docx("x"), {"word/document.xml": b"<a>" + b" " * (150 * MB)})
    assert len(bomb) < MB
    assert "zip bombs" in refused(read, "x.docx", bomb)


def test_a_zip_bomb_that_lies_about_its_size_is_refused(read: Any) -> None:
    bomb = bytearray(repacked(xlsx(["x"]), {"xl/worksheets/sheet1.xml": b"<a>" + b" " * (90 * MB)}))
    size = struct.pack("<I", 90 * MB + 3)
    while (at := bomb.find(size)) >= 0:
        bomb[at : at + 4] = struct.pack("<I", 1000)
    assert refused(read, "x.xlsx", bytes(bomb))


def test_a_package_of_very_many_parts_is_refused(read: Any) -> None:
    bomb = repacked(docx("x"), {f"word/{n}.xml": b"" for n in range(10_001)})
    assert "more than this server opens" in refused(read, "x.docx", bomb)


LAUGHS = (
    '<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "ha">'
    + "".join(
        f'<!ENTITY {b} "{f"&{a};" * 10}">' for a, b in zip("abcdefgh", "bcdefghi", strict=True)
    )
    + "]><x>&i;</x>"
)
OUTSIDE = '<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]><x>&a;</x>'


@pytest.mark.parametrize("xml", [LAUGHS, OUTSIDE])
@pytest.mark.parametrize(
    ("name", "data", "part"),
    [
        ("x.docx", docx("x"), "word/document.xml"),
        ("x.pptx", pptx("x", "y", "z"), "ppt/slides/slide1.xml"),
        ("x.xlsx", xlsx(["x"]), "xl/worksheets/sheet1.xml"),
    ],
    ids=["docx", "pptx", "xlsx"],
)
def test_xml_with_entities_is_refused(
    read: Any, name: str, data: bytes, part: str, xml: str
) -> None:
    for encoding in ("utf-8", "utf-16"):
        bomb = repacked(data, {part: xml.encode(encoding)})
        assert "document type" in refused(read, name, bomb)


def test_xml_as_a_text_is_only_text(read: Any) -> None:
    assert read("x.xml", LAUGHS).text == LAUGHS


def test_a_huge_picture_inside_is_never_unpacked(read: Any) -> None:
    head = struct.pack(">IIBBBBB", 50_000, 50_000, 8, 2, 0, 0, 0)
    crc = struct.pack(">I", zlib.crc32(b"IHDR" + head))
    picture = b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + b"IHDR" + head + crc
    data = repacked(docx("Words beside it"), {"word/media/image1.png": picture})
    assert read("x.docx", data).text == "Words beside it"


def test_a_symbolic_link_in_a_package_leads_nowhere(read: Any) -> None:
    link = zipfile.ZipInfo("word/media/link.xml")
    link.external_attr = 0o120777 << 16
    out = io.BytesIO(docx("Only this"))
    with zipfile.ZipFile(out, "a") as package:
        package.writestr(link, "/etc/passwd")
    assert read("x.docx", out.getvalue()).text == "Only this"


def test_a_pdf_bomb_is_contained(read: Any) -> None:
    bomb = pdf_of(b"BT /F1 12 Tf (" + b"A" * (200 * MB) + b") Tj ET")
    assert len(bomb) < MB
    assert refused(read, "x.pdf", bomb)


def test_a_pdf_whose_pages_contain_themselves_is_contained(read: Any) -> None:
    data = pdf("x").replace(b"/Kids [4 0 R]", b"/Kids [2 0 R]")
    assert refused(read, "x.pdf", data)


def test_a_file_that_takes_too_much_memory_is_stopped(read: Any, settings: Any) -> None:
    settings.PARSE_MEMORY_BYTES = 200 * MB
    data = "[" + "[]," * (4 * MB) + "[]]"
    assert "memory" in refused(read, "x.json", data)


def test_a_file_that_takes_too_long_is_stopped(read: Any, settings: Any) -> None:
    settings.PARSE_TIMEOUT_S = 1
    rows = "<tr>" + "<td>cell</td>" * 10 + "</tr>"
    data = f"<table>{rows * 60_000}</table>"
    told = refused(read, "x.html", data)
    assert "LETTA_PARSE_TIMEOUT_S" in told or "more time" in told


def test_pages_that_are_nested_by_the_thousand_are_read(read: Any) -> None:
    data = "<div>" * 5000 + "<p>deep</p>" + "</div>" * 5000
    assert "deep" in read("x.html", data).text


def test_the_parser_sees_nothing_of_the_servers_surroundings(
    read: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    seen: dict[str, Any] = {}
    real = asyncio.create_subprocess_exec

    async def spy(*args: Any, **fields: Any) -> Any:
        seen.update(fields)
        return await real(*args, **fields)

    monkeypatch.setattr(asyncio, "create_subprocess_exec", spy)
    monkeypatch.setenv("OPENAI_API_KEY", "sk-secret")
    assert read("x.json", json.dumps({"a": 1})).text
    assert seen["env"] == {}
