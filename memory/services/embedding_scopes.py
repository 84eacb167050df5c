"""Which model embeds the texts of a scope, how far that is, and what went wrong."""

from collections.abc import Collection, Iterable, Sequence
from datetime import timedelta

from django.db.models import Count

from letta_site.core.aio import write
from letta_site.core.clock import now
from letta_site.core.errors import NotFound
from letta_site.core.paging import page
from letta_site.core.types import Actor, PageQuery
from memory.embeddings.catalog import remember_dim
from memory.models import EmbeddingScope
from memory.services.vectors import Counts, count_texts, drop_vectors
from memory.services.wakeups import wake

# After a failure the next try comes after 5 s, then after twice as long each time, at most 10 min.
FIRST_WAIT_S = 5.0
LONGEST_WAIT_S = 600.0
MAX_ERROR_CHARS = 1000
MAX_REFUSALS = 50


def set_embedding(actor: Actor, scope_ids: Iterable[str], model: str | None) -> None:
    """Say which model embeds the texts of scopes; None: none does. Does nothing if it does so.

    Texts are embedded later, by `memory.runtime.embedder`; until then queries are compared with
    what the model before made of them. Call it in the transaction that makes the change.
    """
    wanted = list(scope_ids)
    with write():
        known = EmbeddingScope.objects.in_bulk(wanted)
        if model is None:
            _stop([one for one in known.values() if one.model is not None])
            return
        changed = [one for one in wanted if one not in known or known[one].model != model]
        for scope_id in changed:
            _begin(actor, scope_id, model, known.get(scope_id))
        wake(changed)


def _stop(scopes: Sequence[EmbeddingScope]) -> None:
    for scope in scopes:
        drop_vectors(scope.scope_id)
    EmbeddingScope.objects.filter(pk__in=[one.pk for one in scopes]).delete()


def _begin(actor: Actor, scope_id: str, model: str, before: EmbeddingScope | None) -> None:
    searched = before.searched_model if before is not None else None
    EmbeddingScope.objects.update_or_create(
        scope_id=scope_id,
        defaults={
            "org_id": actor.org_id,
            "model": model,
            "searched_model": searched or model,
            "dim": None,
            "state": EmbeddingScope.WAITING,
            "total": 0,
            "done": 0,
            "failures": 0,
            "error": "",
            "retry_at": None,
            "updated_at": now(),
        },
    )


def list_scopes(
    actor: Actor, *, query: PageQuery, state: str | None = None
) -> list[EmbeddingScope]:
    """Return a page of the scopes that have an embedding model."""
    rows = EmbeddingScope.objects.filter(org_id=actor.org_id)
    return page(rows.filter(state=state) if state else rows, query)


def get_scope(actor: Actor, scope_id: str) -> EmbeddingScope:
    """Return how far the embedding of a scope is. Raises NotFound when nothing embeds it."""
    row = EmbeddingScope.objects.filter(org_id=actor.org_id, pk=scope_id).first()
    if row is None:
        raise NotFound(f"Nothing embeds the texts of {scope_id}.")
    return row


def list_refusals(scope: EmbeddingScope) -> list[dict[str, str]]:
    """Return the latest texts of a scope that its model does not take, and why."""
    rows = scope.vectors_refused().order_by("-pk").values_list("entry__ref_id", "refusal")
    return [{"id": ref_id, "why": why} for ref_id, why in rows[:MAX_REFUSALS]]


def retry(actor: Actor, scope_id: str) -> EmbeddingScope:
    """Try again now, also the texts that the model refused. Raises NotFound."""
    with write():
        row = get_scope(actor, scope_id)
        row.vectors_refused().delete()
        row.retry_at, row.state, row.updated_at = None, EmbeddingScope.WAITING, now()
        row.save(update_fields=["retry_at", "state", "updated_at"])
        wake([scope_id])
    return row


def searched_models(org_id: str, scope_ids: Sequence[str] | None) -> list[str]:
    """Return the models whose vectors answer queries in these scopes, that of most scopes first.

    Scopes None: in all there are.
    """
    rows = EmbeddingScope.objects.filter(org_id=org_id).exclude(searched_model=None)
    if scope_ids is not None:
        rows = rows.filter(scope_id__in=list(scope_ids))
    counted = rows.values("searched_model").annotate(scopes=Count("pk"))
    return [str(one["searched_model"]) for one in counted.order_by("-scopes", "searched_model")]


def list_embedded(scope_ids: Collection[str] | None = None) -> list[EmbeddingScope]:
    """Return the scopes that a model embeds, these or all, the longest untouched first."""
    rows = EmbeddingScope.objects.exclude(model=None)
    if scope_ids is not None:
        rows = rows.filter(pk__in=list(scope_ids))
    return list(rows.order_by("updated_at"))


def wait_left_s(scope: EmbeddingScope) -> float:
    """Return how long a scope is to be left alone, in seconds; 0: not at all."""
    return max((scope.retry_at - now()).total_seconds(), 0.0) if scope.retry_at else 0.0


def note_progress(scope_id: str, model: str) -> bool:
    """Write down how far a scope is; return whether it is through. Then its model takes over."""
    counts = count_texts(scope_id, model)  # before the lock: it takes 0.1 s for 100,000 texts
    with write():
        row = _locked(scope_id, model)
        if row is None:
            return True
        _set_counts(row, counts)
        row.state = EmbeddingScope.WORKING if counts.missing else EmbeddingScope.DONE
        _forgive(row)
        if not counts.missing:
            row.searched_model = model
        row.save()
    if not counts.missing:
        drop_vectors(scope_id, but=[model])
    return not counts.missing


def note_added(scope_id: str, model: str, count: int) -> bool:
    """Write down that so many new texts of a scope were embedded; return whether that was all."""
    with write():
        row = _locked(scope_id, model)
        if row is None:
            return True
        row.total, row.done = row.total + count, row.done + count
        _forgive(row)
        row.save()
    return row.state == EmbeddingScope.DONE


def note_failure(scope_id: str, model: str, what: str, *, wait_s: float = 0.0) -> float:
    """Write down why a scope could not be embedded; return in how many seconds to try again."""
    counts = count_texts(scope_id, model)
    with write():
        row = _locked(scope_id, model)
        if row is None:
            return 0.0
        _set_counts(row, counts)
        row.failures += 1
        grown: float = FIRST_WAIT_S * 2 ** min(row.failures - 1, 10)
        pause_s = max(min(grown, LONGEST_WAIT_S), wait_s)
        row.retry_at = now() + timedelta(seconds=pause_s)
        row.state, row.error = EmbeddingScope.FAILED, what[:MAX_ERROR_CHARS]
        row.updated_at = now()
        row.save()
    return pause_s


def _locked(scope_id: str, model: str) -> EmbeddingScope | None:
    """Return the row of a scope, locked, unless it has gone or wants another model by now."""
    rows = EmbeddingScope.objects.select_for_update().filter(pk=scope_id, model=model)
    return rows.first()


def _set_counts(row: EmbeddingScope, counts: Counts) -> None:
    row.total, row.skipped = counts.total, counts.refused
    row.done = counts.total - counts.missing - counts.refused


def _forgive(row: EmbeddingScope) -> None:
    row.failures, row.error, row.retry_at, row.updated_at = 0, "", None, now()
    if row.dim and row.model:
        remember_dim(row.org_id, row.model, row.dim)


def load_dims() -> None:
    """Recall the dimensions that models were seen to have."""
    rows = EmbeddingScope.objects.exclude(dim=None).exclude(model=None)
    for org_id, model, dim in rows.values_list("org_id", "model", "dim"):
        remember_dim(org_id, str(model), dim or 0)
