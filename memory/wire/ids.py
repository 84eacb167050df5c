"""Ids in paths: checked before anything is looked up."""

from typing import Annotated

from pydantic import AfterValidator

from letta_site.core.ids import check_id


def _block(value: str) -> str:
    return check_id(value, "block")


def _passage(value: str) -> str:
    return check_id(value, "passage")


def _archive(value: str) -> str:
    return check_id(value, "archive")


def _folder(value: str) -> str:
    return check_id(value, "source")


def _file(value: str) -> str:
    return check_id(value, "file")


BlockId = Annotated[str, AfterValidator(_block)]
PassageId = Annotated[str, AfterValidator(_passage)]
ArchiveId = Annotated[str, AfterValidator(_archive)]
FolderId = Annotated[str, AfterValidator(_folder)]
FileId = Annotated[str, AfterValidator(_file)]
