"""Blocks as clients send and see them."""

from typing import Any

from pydantic import BaseModel

from memory.models import Block
from memory.models.block import DEFAULT_LIMIT_CHARS

FIELDS = (
    "value",
    "limit",
    "project_id",
    "template_name",
    "is_template",
    "template_id",
    "base_template_id",
    "deployment_id",
    "entity_id",
    "preserve_on_migration",
    "label",
    "read_only",
    "description",
    "metadata",
    "hidden",
    "id",
    "created_by_id",
    "last_updated_by_id",
    "tags",
    "version",
)


def encode_block(row: Block) -> dict[str, Any]:
    """Return a block with the keys of both eras; `version` is ours, for `expected_version`."""
    return {name: getattr(row, name) for name in FIELDS} | {"name": row.template_name}


class _BlockFields(BaseModel):
    value: str | None = None
    limit: int | None = None
    project_id: str | None = None
    name: str | None = None
    template_name: str | None = None
    is_template: bool | None = None
    template_id: str | None = None
    base_template_id: str | None = None
    deployment_id: str | None = None
    entity_id: str | None = None
    preserve_on_migration: bool | None = None
    read_only: bool | None = None
    description: str | None = None
    metadata: dict[str, Any] | None = None
    hidden: bool | None = None
    tags: list[str] | None = None

    def fields(self) -> dict[str, Any]:
        """Return what was sent, under the stored names; null means: as it is."""
        given = self.model_dump(
            exclude_unset=True, exclude_none=True, exclude={"name", "expected_version"}
        )
        if self.name is not None:
            given.setdefault("template_name", self.name)
        return given


class CreateBlock(_BlockFields):
    """A block to be made."""

    label: str
    value: str = ""
    limit: int = DEFAULT_LIMIT_CHARS


class BlockUpdate(_BlockFields):
    """Changes of a block. With `expected_version`, only if nobody else changed it meanwhile."""

    label: str | None = None
    expected_version: int | None = None
