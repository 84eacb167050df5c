"""Blocks: /v1/blocks. What names an agent is in `agents.api.memory_links`."""

from typing import Any

from django.http import HttpRequest
from ninja import Query, Router

from letta_site.core.paging import Page
from memory.services import blocks
from memory.wire.blocks import BlockUpdate, CreateBlock, encode_block
from memory.wire.ids import BlockId
from memory.wire.queries import BlockConditions, BlockSearch

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
