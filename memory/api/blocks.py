"""Blocks: /v1/blocks. What names an agent is in `agents.api.memory_links`."""

from typing import Any

from django.http import HttpRequest
from ninja import Query, Router

from letta_site.core.paging import Page
from memory.services import block_versions, blocks
from memory.wire.blocks import BlockUpdate, CreateBlock, encode_block
from memory.wire.ids import BlockId
from memory.wire.queries import BlockConditions, BlockSearch
from memory.wire.versions import RestoreVersion, VersionPage, encode_diff, encode_version

router = Router(tags=["blocks"])


@router.get("/")
def list_blocks(
    request: HttpRequest, conditions: Query[BlockSearch], page: Query[Page]
) -> list[dict[str, Any]]:
    rows = blocks.list_blocks(
        request.auth, query=page.query(limit=50, order="asc"), **conditions.filters()
    )
    return [encode_block(row) for row in rows]


@router.post("/")
def create_block(request: HttpRequest, given: CreateBlock) -> dict[str, Any]:
    return encode_block(blocks.create_block(request.auth, **given.fields()))


@router.get("/count")
def count_blocks(request: HttpRequest, conditions: Query[BlockConditions]) -> int:
    return blocks.count_blocks(request.auth, **conditions.filters())


@router.get("/{block_id}")
def get_block(request: HttpRequest, block_id: BlockId) -> dict[str, Any]:
    return encode_block(blocks.get_block(request.auth, block_id))


@router.patch("/{block_id}")
def update_block(request: HttpRequest, block_id: BlockId, given: BlockUpdate) -> dict[str, Any]:
    row = blocks.update_block(
        request.auth,
        block_id,
        changes=given.fields(),
        expected_version=given.expected_version,
    )
    return encode_block(row)


@router.delete("/{block_id}")
def delete_block(request: HttpRequest, block_id: BlockId) -> None:
    blocks.delete_block(request.auth, block_id)


@router.get("/{block_id}/versions")
def list_block_versions(
    request: HttpRequest, block_id: BlockId, page: Query[VersionPage]
) -> list[dict[str, Any]]:
    """List the states of a block, each with who made it; `before` and `after` are numbers."""
    rows = block_versions.list_versions(request.auth, block_id, **page.arguments())
    return [encode_version(row) for row in rows]


@router.get("/{block_id}/versions/diff")
def diff_block_versions(
    request: HttpRequest, block_id: BlockId, old: int | None = None, new: int | None = None
) -> dict[str, Any]:
    """Tell what changed from version `old` to version `new`; by default, what came last."""
    return encode_diff(block_versions.diff_versions(request.auth, block_id, old_n=old, new_n=new))


@router.get("/{block_id}/versions/{n}")
def get_block_version(request: HttpRequest, block_id: BlockId, n: int) -> dict[str, Any]:
    """Return one state of a block."""
    return encode_version(block_versions.get_version(request.auth, block_id, n))


@router.post("/{block_id}/versions/{n}/restore")
def restore_block_version(
    request: HttpRequest, block_id: BlockId, n: int, given: RestoreVersion | None = None
) -> dict[str, Any]:
    """Make a block what it was; the result is a new version, and nothing is lost."""
    expected = given.expected_version if given else None
    row = block_versions.restore_version(request.auth, block_id, n, expected_version=expected)
    return encode_block(row)
