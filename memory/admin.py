"""The admin of memory. A block changed here is changed as everywhere else: with a version."""

from typing import Any

from django import forms
from django.contrib import admin
from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import QuerySet
from django.http import HttpRequest

from letta_site.core.admin import History, HistoryInline, LargeTable, ModelForm, actor_of
from letta_site.core.errors import AppError
from letta_site.core.types import Actor
from memory.embeddings import catalog
from memory.models import (
    Archive,
    Block,
    BlockVersion,
    EmbeddingScope,
    File,
    Folder,
    Passage,
    Retrieval,
)
from memory.services import archives, blocks, embedding_scopes, files, folders, passages

BLOCK_FIELDS = (
    "label",
    "description",
    "value",
    "limit",
    "read_only",
    "hidden",
    "tags",
    "metadata",
    "is_template",
    "template_name",
)
STATED_ONCE = ("id", "created_at", "updated_at", "created_by_id", "last_updated_by_id")


class _TriedForm(forms.ModelForm):
    """A form whose values are tried out on the service, so that a refusal shows beside them."""

    actor: Actor

    def clean(self) -> dict[str, Any]:
        given = super().clean() or {}
        if not self.errors:
            try:
                with transaction.atomic():
                    self.store(given)
                    transaction.set_rollback(True)
            except AppError as refusal:
                raise ValidationError(f"{refusal.what} {refusal.todo}") from None
        return given

    def store(self, given: dict[str, Any]) -> Any:
        """Store what was given, by way of the service."""
        raise NotImplementedError


class BlockForm(_TriedForm):
    """A block."""

    class Meta:
        model = Block
        fields = BLOCK_FIELDS

    def store(self, given: dict[str, Any]) -> Block:
        if self.instance._state.adding:
            return blocks.create_block(self.actor, **given)
        changed = {name: given[name] for name in self.changed_data if name in given}
        return blocks.update_block(self.actor, self.instance.pk, changes=changed)


class PassageForm(_TriedForm):
    """A passage."""

    class Meta:
        model = Passage
        fields = ("archive", "text", "tags", "metadata")

    def store(self, given: dict[str, Any]) -> Passage:
        if not self.instance._state.adding:
            changed = {name: given[name] for name in ("text", "tags", "metadata")}
            return passages.update_passage(self.actor, self.instance.pk, **changed)
        draft = passages.PassageDraft(given["text"], given["tags"] or (), given["metadata"] or {})
        stored = passages.insert_passages(self.actor, archive_id=given["archive"].pk, rows=[draft])
        return stored[0]


class FolderForm(_TriedForm):
    """A folder."""

    class Meta:
        model = Folder
        fields = ("name", "description", "instructions", "metadata")

    def store(self, given: dict[str, Any]) -> Folder:
        if self.instance._state.adding:
            return folders.create_folder(self.actor, **given)
        changed = {name: given[name] for name in self.changed_data if name in given}
        return folders.update_folder(self.actor, self.instance.pk, changes=changed)


class _ThroughService(LargeTable):
    """An admin that stores by way of a `_TriedForm`, as one organisation's person."""

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        return super().get_queryset(request).filter(org_id=actor_of(request).org_id)

    def get_form(
        self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any
    ) -> Any:
        form = super().get_form(request, obj, change, **kwargs)
        return type(form.__name__, (form,), {"actor": actor_of(request)})

    def save_model(self, _request: HttpRequest, obj: Any, form: Any, _change: bool) -> None:
        stored = form.store(form.cleaned_data)
        obj.pk, obj._state.adding = stored.pk, False
        obj.refresh_from_db()


class BlockVersionInline(HistoryInline):
    """The versions of a block."""

    model = BlockVersion
    fields = ("n", "value", "actor_kind", "actor_id", "tool_name", "created_at")
    readonly_fields = fields


@admin.register(Block)
class BlockAdmin(_ThroughService):
    """Core memory."""

    form = BlockForm
    list_display = ("label", "start", "limit", "version", "read_only", "is_template", "updated_at")
    list_filter = ("read_only", "is_template", "hidden")
    search_fields = ("id", "label", "description", "value")
    readonly_fields = (*STATED_ONCE, "version")
    inlines = (BlockVersionInline,)

    @admin.display(description="value")
    def start(self, row: Block) -> str:
        return row.value[:80]

    def delete_model(self, request: HttpRequest, obj: Block) -> None:
        blocks.delete_block(actor_of(request), obj.pk)


@admin.register(BlockVersion)
class BlockVersionAdmin(History):
    """Every version of every block, and who made it."""

    list_display = ("block", "n", "actor_kind", "actor_id", "tool_name", "created_at")
    list_filter = ("actor_kind", "tool_name")
    search_fields = ("=block__id", "=agent_id", "=run_id", "=step_id", "label", "value")


class ArchiveForm(ModelForm):
    """An archive; the model that embeds it must be one of this server."""

    def clean_embedding(self) -> str | None:
        handle = self.cleaned_data["embedding"] or None
        if handle:
            try:
                catalog.resolve(self.instance.org_id, handle)
            except AppError as refusal:
                raise ValidationError(f"{refusal.what} {refusal.todo}") from None
        return handle


@admin.register(Archive)
class ArchiveAdmin(LargeTable):
    """Stores of passages."""

    form = ArchiveForm
    list_display = ("name", "id", "description", "created_at")
    search_fields = ("name", "id")
    autocomplete_fields = ("org",)
    readonly_fields = STATED_ONCE

    def save_model(self, request: HttpRequest, obj: Archive, form: ModelForm, change: bool) -> None:
        super().save_model(request, obj, form, change)
        actor = Actor(obj.org_id, actor_of(request).id)
        embedding_scopes.set_embedding(actor, [obj.pk], obj.embedding)

    def delete_model(self, _request: HttpRequest, obj: Archive) -> None:
        archives.delete_archives(Actor(obj.org_id, "admin"), [obj.pk])

    def delete_queryset(self, _request: HttpRequest, queryset: QuerySet[Archive]) -> None:
        for archive in queryset:
            archives.delete_archives(Actor(archive.org_id, "admin"), [archive.pk])


@admin.register(Passage)
class PassageAdmin(_ThroughService):
    """Archival memory."""

    form = PassageForm
    list_display = ("start", "archive", "tags", "agent_id", "created_at")
    list_filter = ("created_at",)
    search_fields = ("=id", "text", "=agent_id", "=archive__id")
    autocomplete_fields = ("archive",)
    readonly_fields = (*STATED_ONCE, "agent_id", "run_id", "step_id", "tool_call_id")

    @admin.display(description="text")
    def start(self, row: Passage) -> str:
        return row.text[:100]

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        fields = super().get_readonly_fields(request, obj)
        return (*fields, "archive") if obj else fields

    def delete_model(self, request: HttpRequest, obj: Passage) -> None:
        passages.delete_passage(actor_of(request), obj.pk)

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[Passage]) -> None:
        for passage in queryset:
            passages.delete_passage(actor_of(request), passage.pk)


@admin.register(Retrieval)
class RetrievalAdmin(History):
    """What agents searched for, and what came back."""

    list_display = ("query", "kind", "mode", "agent_id", "step_id", "created_at")
    list_filter = ("kind", "mode")
    search_fields = ("query", "=agent_id", "=run_id", "=step_id")


@admin.register(EmbeddingScope)
class EmbeddingScopeAdmin(History):
    """Which model embeds what, how far that is, and what went wrong."""

    list_display = ("scope_id", "model", "state", "done", "total", "skipped", "retry_at", "error")
    list_filter = ("state", "model")
    search_fields = ("=scope_id", "model", "error")
    actions = ("try_again",)

    @admin.action(description="Try again now")
    def try_again(self, _request: HttpRequest, queryset: QuerySet[EmbeddingScope]) -> None:
        for scope in queryset:
            embedding_scopes.retry(Actor(scope.org_id, "admin"), scope.pk)


@admin.register(Folder)
class FolderAdmin(_ThroughService):
    """Sets of files."""

    form = FolderForm
    list_display = ("name", "id", "description", "created_at")
    search_fields = ("name", "id")
    readonly_fields = (*STATED_ONCE, "version")

    def delete_model(self, request: HttpRequest, obj: Folder) -> None:
        folders.delete_folder(actor_of(request), obj.pk)

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[Folder]) -> None:
        for folder in queryset:
            folders.delete_folder(actor_of(request), folder.pk)


@admin.register(File)
class FileAdmin(History):
    """Uploaded files and what became of them. They come in by the API, and may be deleted here."""

    list_display = ("name", "folder", "status", "size", "total_chunks", "error", "created_at")
    list_filter = ("status", "media_type")
    search_fields = ("=id", "name", "=folder__id", "folder__name", "sha256")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        return super().get_queryset(request).filter(org_id=actor_of(request).org_id)

    def has_delete_permission(self, _request: HttpRequest, _obj: Any = None) -> bool:
        return True

    def delete_model(self, request: HttpRequest, obj: File) -> None:
        files.delete_file(actor_of(request), obj.folder_id, obj.pk)

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[File]) -> None:
        for file in queryset:
            files.delete_file(actor_of(request), file.folder_id, file.pk)
