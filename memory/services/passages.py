"""Passages of archival memory; each is findable as soon as it is stored."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from django.db.models import QuerySet

from letta_site.core.aio import write
from letta_site.core.clock import now
from letta_site.core.errors import Invalid, NotFound
from letta_site.core.paging import page
from letta_site.core.types import Actor, Origin, PageQuery
from memory.models import Archive, Passage, PassageTag
from memory.services.archives import get_archive
from memory.services.candidates import tag_groups
from memory.services.search import Entry, drop, index
from memory.services.storable import storable, storable_json

NOWHERE = Origin()
OLDEST_FIRST = PageQuery(order="asc")
MAX_TEXT_BYTES = 4 * 8192  # Letta's limit of 8,192 tokens, at four bytes a token
MAX_TAG_CHARS = 200
MAX_TAGS = 100


@dataclass(frozen=True, slots=True)
class PassageDraft:
    """A passage to be stored. `created_at` None means now."""

    text: str
    tags: Sequence[str] = ()
    metadata: dict[str, Any] = field(default_factory=dict)
    created_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class PassageFilter:
    """Which passages a list shows; all conditions hold. `text` is contained, in any case."""

    text: str | None = None
    tags: Sequence[str] = ()
    tag_match_mode: Literal["any", "all"] = "any"
    start: datetime | None = None
    end: datetime | None = None


EVERY = PassageFilter()


def insert_passages(
    actor: Actor, *, archive_id: str, rows: Sequence[PassageDraft], origin: Origin = NOWHERE
) -> list[Passage]:
    """Store passages in an archive and make them findable. Raises Invalid, NotFound."""
    with write():
        archive = get_archive(actor, archive_id)
        passages = [_passage(actor, archive, draft, origin) for draft in rows]
        Passage.objects.bulk_create(passages)
        _store_tags(passages)
        index(map(_entry, passages))
    return passages


def get_passage(actor: Actor, passage_id: str, *, archive_id: str | None = None) -> Passage:
    """Return a passage, of this archive if one is named. Raises NotFound."""
    rows = _rows(actor).filter(pk=passage_id)
    if archive_id is not None:
        rows = rows.filter(archive_id=archive_id)
    row: Passage | None = rows.first()
    if row is None:
        raise NotFound(f"Passage with id {passage_id} not found in database.")
    return row


def list_passages(
    actor: Actor,
    *,
    archive_ids: Iterable[str],
    query: PageQuery = OLDEST_FIRST,
    wanted: PassageFilter = EVERY,
) -> list[Passage]:
    """Return a page of the passages of some archives that meet `wanted`."""
    scope = list(archive_ids)
    rows = _rows(actor).filter(archive_id__in=scope)
    if wanted.text:
        rows = rows.filter(text__icontains=storable(wanted.text))
    if wanted.start:
        rows = rows.filter(created_at__gte=wanted.start)
    if wanted.end:
        rows = rows.filter(created_at__lte=wanted.end)
    for tags in tag_groups(wanted.tags, wanted.tag_match_mode):
        tagged = PassageTag.objects.filter(archive_id__in=scope, tag__in=tags)
        rows = rows.filter(pk__in=tagged.values("passage_id"))
    return page(rows, query)


def update_passage(
    actor: Actor,
    passage_id: str,
    *,
    text: str | None = None,
    tags: Sequence[str] | None = None,
    metadata: dict[str, Any] | None = None,
) -> Passage:
    """Change a passage; None leaves a field as it is. Raises Invalid, NotFound."""
    with write():
        row = get_passage(actor, passage_id)
        if text is not None:
            row.text = checked_text(text)
        if tags is not None:
            row.tags = _checked_tags(tags)
            PassageTag.objects.filter(passage=row).delete()
            _store_tags([row])
        if metadata is not None:
            row.metadata = storable_json(metadata)
        row.touch(actor, "text", "tags", "metadata")
        index([_entry(row)])
    return row


def delete_passage(actor: Actor, passage_id: str) -> None:
    """Delete a passage. Raises NotFound."""
    with write():
        row = get_passage(actor, passage_id)
        drop([row.pk])
        row.delete()


def _rows(actor: Actor) -> "QuerySet[Passage]":
    """Return passages with their archive, which says what embeds them."""
    rows: QuerySet[Passage] = Passage.objects.of(actor).select_related("archive")
    return rows


def passages_by_id(actor: Actor, passage_ids: Iterable[str]) -> dict[str, Passage]:
    """Return those of the passages that there are, by their ids."""
    return _rows(actor).in_bulk(list(passage_ids))


def _passage(actor: Actor, archive: Archive, draft: PassageDraft, origin: Origin) -> Passage:
    moment = now()
    return Passage(
        org_id=actor.org_id,
        archive=archive,
        text=checked_text(draft.text),
        tags=_checked_tags(draft.tags),
        metadata=storable_json(draft.metadata),
        agent_id=origin.agent_id,
        run_id=origin.run_id,
        step_id=origin.step_id,
        tool_call_id=origin.tool_call_id,
        created_at=draft.created_at or moment,
        updated_at=moment,
        created_by_id=actor.id,
        last_updated_by_id=actor.id,
    )


def checked_text(text: str) -> str:
    """Return a text as it is stored. Raises Invalid when it is longer than a passage may be."""
    text = storable(text)
    size = len(text.encode())
    if size > MAX_TEXT_BYTES:
        raise Invalid(
            f"The text of a passage has {size} bytes; it may have {MAX_TEXT_BYTES}.",
            todo="Split it into several passages.",
        )
    return text


def _checked_tags(tags: Sequence[str]) -> list[str]:
    cleaned = list(dict.fromkeys(storable(tag).strip() for tag in tags if tag.strip()))
    if len(cleaned) > MAX_TAGS or any(len(tag) > MAX_TAG_CHARS for tag in cleaned):
        raise Invalid(
            f"A passage may have {MAX_TAGS} tags of at most {MAX_TAG_CHARS} characters each."
        )
    return cleaned


def _store_tags(passages: Iterable[Passage]) -> None:
    rows = [
        PassageTag(passage=row, archive_id=row.archive_id, tag=tag)
        for row in passages
        for tag in row.tags
    ]
    if rows:
        PassageTag.objects.bulk_create(rows)


def _entry(row: Passage) -> Entry:
    return Entry(
        org_id=row.org_id,
        kind="passage",
        ref_id=row.pk,
        scope_id=row.archive_id,
        text=row.text,
        created_at=row.created_at,
    )
