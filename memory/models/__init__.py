"""The models of memory."""

from memory.models.archive import Archive, Passage, PassageTag, Retrieval
from memory.models.block import Block, BlockVersion
from memory.models.search import SearchEntry

__all__ = [
    "Archive",
    "Block",
    "BlockVersion",
    "Passage",
    "PassageTag",
    "Retrieval",
    "SearchEntry",
]
