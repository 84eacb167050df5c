"""Which model embeds what an agent says and keeps: memory is told, for it knows no agents."""

from django.db.models import Exists, OuterRef

from agents.models import Agent
from letta_site.core.aio import write
from letta_site.core.types import Actor
from memory.models import Archive, EmbeddingScope
from memory.services.archives import set_archive_embedding
from memory.services.embedding_scopes import set_embedding


def follow_embedding(actor: Actor, agent: Agent) -> None:
    """Embed the agent's messages, and the archives that it owns, by the model it names now."""
    set_embedding(actor, [agent.id], agent.embedding)
    owned = Archive.objects.of(actor).filter(
        agent_links__agent_id=agent.id, agent_links__is_owner=True
    )
    for archive in owned:
        set_archive_embedding(actor, archive, agent.embedding)


def adopt_scopes() -> None:
    """Tell memory of agents and archives that named a model before memory kept account of it."""
    known = Exists(EmbeddingScope.objects.filter(pk=OuterRef("pk")))
    with write():
        for kind in (Agent, Archive):
            rows = kind.objects.exclude(embedding=None).exclude(embedding="").filter(~known)
            for row in rows:
                set_embedding(Actor(row.org_id, "boot", "system"), [row.pk], row.embedding)
