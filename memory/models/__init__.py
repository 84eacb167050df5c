"""The models of memory."""

from memory.models.archive import Archive, Passage, PassageTag, Retrieval
from memory.models.block import Block, BlockVersion
from memory.models.folder import File, FileChunk, FileText, Folder
from memory.models.search import SearchEntry
from memory.models.vector import EmbeddingScope, Vector

__all__ = [
    "Archive",
    "Block",
    "BlockVersion",
    "EmbeddingScope",
    "File",
    "FileChunk",
    "FileText",
    "Folder",
    "Passage",
    "PassageTag",
    "Retrieval",
    "SearchEntry",
    "Vector",
]
