"""The admin of people and providers, and what the admins of all apps have in common."""

from typing import TYPE_CHECKING, Any

from django import forms
from django.contrib import admin
from django.contrib.auth.admin import UserAdmin
from django.http import HttpRequest

from letta_site.core.models import Organization, Provider, User
from letta_site.core.types import Actor

if TYPE_CHECKING:  # Django's classes take a type in their stubs only
    ModelAdmin = admin.ModelAdmin[Any]
    TabularInline = admin.TabularInline[Any, Any]
    ModelForm = forms.ModelForm[Any]
    Users = UserAdmin[User]
else:
    ModelAdmin, TabularInline = admin.ModelAdmin, admin.TabularInline
    ModelForm, Users = forms.ModelForm, UserAdmin


def actor_of(request: HttpRequest) -> Actor:
    """Return who works in the admin."""
    user = request.user
    if not isinstance(user, User):
        raise TypeError("the admin asks for a user first")
    return Actor(str(user.org_id), user.letta_id)


class LargeTable(ModelAdmin):
    """Rows by the page, without counting all of them."""

    show_full_result_count = False
    list_per_page = 50
    list_select_related = True
    ordering = ("-created_at", "-pk")

    def get_deleted_objects(self, objs: Any, _request: HttpRequest) -> Any:
        """Name the rows to be deleted, and not the thousands that hang on them.

        Those are history, which nobody may delete by itself, but which goes with its owner.
        """
        named = [str(one) for one in objs]
        return named, {str(self.opts.verbose_name_plural): len(named)}, set(), []


class History(LargeTable):
    """What happened: to be looked at, not to be changed."""

    def has_add_permission(self, _request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, _request: HttpRequest, _obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, _request: HttpRequest, _obj: Any = None) -> bool:
        return False


class HistoryInline(TabularInline):
    """What happened to the row shown above it; the newest `shown` entries."""

    extra = 0
    can_delete = False
    show_change_link = True

    def has_add_permission(self, _request: HttpRequest, _obj: Any = None) -> bool:
        return False

    def has_change_permission(self, _request: HttpRequest, _obj: Any = None) -> bool:
        return False


@admin.register(Organization)
class OrganizationAdmin(LargeTable):
    """Organisations; deleting one would delete all it owns, so that is not offered."""

    list_display = ("name", "id", "created_at")
    search_fields = ("name", "id")
    readonly_fields = ("id", "created_at")

    def has_delete_permission(self, _request: HttpRequest, _obj: Any = None) -> bool:
        return False


@admin.register(User)
class PersonAdmin(Users):
    """People who may sign in."""

    list_display = ("username", "email", "org", "letta_id", "is_staff", "is_active")
    list_filter = ("is_staff", "is_superuser", "is_active", "org")
    list_select_related = ("org",)
    search_fields = ("username", "email", "letta_id", "first_name", "last_name")
    readonly_fields = ("letta_id",)
    autocomplete_fields = ("org",)
    fieldsets = (*(UserAdmin.fieldsets or ()), ("Letta", {"fields": ("letta_id", "org")}))
    add_fieldsets = (*UserAdmin.add_fieldsets, ("Letta", {"fields": ("org",)}))


class ProviderForm(ModelForm):
    """A provider, whose key can be set but never read."""

    api_key = forms.CharField(
        required=False,
        strip=True,
        label="New API key",
        help_text="Stored encrypted and never shown. Left empty, the key stays as it is.",
        widget=forms.PasswordInput(attrs={"autocomplete": "off"}),
    )

    class Meta:
        model = Provider
        fields = ("org", "name", "provider_type", "base_url", "enabled")


@admin.register(Provider)
class ProviderAdmin(LargeTable):
    """Servers of models that were added at run time."""

    form = ProviderForm
    list_display = ("name", "provider_type", "base_url", "has_key", "enabled", "updated_at")
    list_filter = ("enabled", "provider_type")
    search_fields = ("name", "id", "base_url")
    autocomplete_fields = ("org",)
    readonly_fields = ("id", "has_key", "created_at", "updated_at")

    @admin.display(boolean=True, description="key set")
    def has_key(self, row: Provider) -> bool:
        return bool(row.sealed_key)

    def save_model(
        self, request: HttpRequest, obj: Provider, form: ModelForm, change: bool
    ) -> None:
        if key := form.cleaned_data.get("api_key"):
            obj.set_api_key(key)
        super().save_model(request, obj, form, change)
