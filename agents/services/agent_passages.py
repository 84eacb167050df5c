"""Archival memory of an agent: passages of the archives that it searches."""

from dataclasses import replace

from agents.services.agent_blocks import check_agent
from agents.services.archives import archive_ids_of, own_archive
from letta_site.core.aio import write
from letta_site.core.errors import Invalid, NotFound
from letta_site.core.paging import MAX_LIMIT
from letta_site.core.types import Actor, Origin, PageQuery
from memory.models import Archive, Passage
from memory.services import passages
from memory.services.candidates import SearchQuery
from memory.services.duplicates import Likeness, find_likeness
from memory.services.passages import PassageDraft, PassageFilter
from memory.services.search import Hit, search


def add_passage(
    actor: Actor, agent_id: str, draft: PassageDraft
) -> list[tuple[Passage, Likeness | None]]:
    """Store a passage in the archive that the agent writes to, and tell what it resembles.

    Raises Invalid, NotFound.
    """
    likenesses = find_likeness(actor.org_id, archive_ids_of(agent_id), [draft.text])
    origin = Origin(agent_id=agent_id)
    with write():
        archive = own_archive(actor, agent_id)
        rows = passages.insert_passages(actor, archive_id=archive.id, rows=[draft], origin=origin)
    return list(zip(rows, likenesses, strict=True))


def list_agent_passages(
    actor: Actor, agent_id: str, *, query: PageQuery, wanted: PassageFilter
) -> list[Passage]:
    """Return a page of the agent's passages that meet `wanted`. Raises NotFound."""
    check_agent(actor, agent_id)
    archives = archive_ids_of(agent_id)
    return passages.list_passages(actor, archive_ids=archives, query=query, wanted=wanted)


def get_agent_passage(actor: Actor, agent_id: str, passage_id: str) -> Passage:
    """Return a passage of one of the agent's archives. Raises NotFound."""
    check_agent(actor, agent_id)
    row = passages.get_passage(actor, passage_id)
    if row.archive_id not in archive_ids_of(agent_id):
        raise NotFound(f"Passage with id {passage_id} not found in database.")
    return row


def plan_passage_search(actor: Actor, agent_id: str, wanted: SearchQuery) -> SearchQuery:
    """Return a search in the agent's archives; in none when the query is blank.

    Raises Invalid, NotFound.
    """
    check_agent(actor, agent_id)
    if not 1 <= wanted.limit <= MAX_LIMIT:
        raise Invalid(f"top_k is {wanted.limit}; it must be from 1 to {MAX_LIMIT}.")
    blank = not wanted.query.strip()
    return replace(wanted, scope_ids=() if blank else archive_ids_of(agent_id))


def scopes_of_search(
    actor: Actor, *, agent_id: str | None, archive_id: str | None
) -> tuple[str, ...] | None:
    """Return the archives to search, None for all. Raises NotFound for what is not theirs."""
    if agent_id is not None:
        check_agent(actor, agent_id)
    if archive_id is not None and not Archive.objects.of(actor).filter(pk=archive_id).exists():
        raise NotFound(f"Archive with id '{archive_id}' not found")
    named = None if archive_id is None else (archive_id,)
    if agent_id is None:
        return named
    searched = archive_ids_of(agent_id)
    return searched if named is None else tuple(one for one in searched if one in named)


def find_passages(actor: Actor, query: SearchQuery) -> list[tuple[Passage, Hit]]:
    """Return the passages that match best with why, best first; the newest for a blank query."""
    hits = search(query)
    rows = passages.passages_by_id(actor, [hit.ref_id for hit in hits])
    return [(rows[hit.ref_id], hit) for hit in hits if hit.ref_id in rows]
