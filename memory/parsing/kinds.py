"""Which files are read, by their names: how, and how their text is cut."""

import mimetypes
from dataclasses import dataclass
from pathlib import PurePosixPath

from memory.logic.chunking import Kind


@dataclass(frozen=True, slots=True)
class FileKind:
    """A kind of file. `reader` is the module of this room that reads it."""

    reader: str
    cutting: Kind
    media_type: str


_OFFICE = "application/vnd.openxmlformats-officedocument"
_PLAIN = FileKind("plain", "plain", "text/plain")

_DOCUMENTS = {
    ".pdf": FileKind("pdf", "plain", "application/pdf"),
    ".docx": FileKind("docx", "markdown", f"{_OFFICE}.wordprocessingml.document"),
    ".pptx": FileKind("pptx", "markdown", f"{_OFFICE}.presentationml.presentation"),
    ".xlsx": FileKind("xlsx", "plain", f"{_OFFICE}.spreadsheetml.sheet"),
    ".html": FileKind("html", "markdown", "text/html"),
    ".htm": FileKind("html", "markdown", "text/html"),
    ".json": FileKind("json", "code", "application/json"),
    ".md": FileKind("plain", "markdown", "text/markdown"),
    ".markdown": FileKind("plain", "markdown", "text/markdown"),
    ".mdx": FileKind("plain", "markdown", "text/markdown"),
}
_TEXTS = """
    .txt .text .log .csv .tsv .rst .adoc .org .tex .bib .srt .vtt .jsonl .ndjson .diff .patch .eml
""".split()
_CODES = """
    .py .pyi .ipynb .js .mjs .cjs .jsx .ts .mts .tsx .vue .svelte .java .kt .kts .scala .groovy .c
    .h .cc .cpp .cxx .hpp .hh .cs .fs .vb .go .rs .rb .php .swift .m .mm .dart .lua .pl .pm .r .jl
    .ex .exs .erl .hrl .hs .ml .mli .clj .cljs .lisp .el .nim .zig .v .sol .sql .graphql .proto
    .thrift .sh .bash .zsh .fish .ps1 .bat .cmd .yaml .yml .toml .ini .cfg .conf .properties .env
    .xml .xsd .xsl .svg .css .scss .sass .less .gradle .cmake .mk .tf .hcl .nix .dockerfile .asm .s
""".split()
_NAMED = ("makefile", "dockerfile", "license", "readme", "changelog", "authors", "jenkinsfile")


def kind_of(name: str, media_type: str) -> FileKind | None:
    """Return how a file is read, by its name, else by the type that came with it; None: it is not.

    The type is what a client says, and no more than a hint.
    """
    suffix = PurePosixPath(name.lower()).suffix
    if suffix in _DOCUMENTS:
        return _DOCUMENTS[suffix]
    if suffix in _CODES:
        return FileKind("plain", "code", _guessed(name))
    if suffix in _TEXTS or name.lower() in _NAMED:
        return FileKind("plain", "plain", _guessed(name))
    told = media_type.partition(";")[0].strip().lower()
    if suffix == "" and told.startswith("text/"):
        return next((one for one in _DOCUMENTS.values() if one.media_type == told), _PLAIN)
    return None


def _guessed(name: str) -> str:
    found = mimetypes.guess_type(name)[0] or ""
    return found if found.startswith("text/") else "text/plain"


def kinds_in_words() -> str:
    """Return the suffixes that are read, for a message."""
    return ", ".join([*_DOCUMENTS, *_TEXTS]) + ", and source code"
