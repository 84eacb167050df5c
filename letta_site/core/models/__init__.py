"""The models of the ground floor."""

from letta_site.core.models.provider import Provider
from letta_site.core.models.tenant import Organization, User

__all__ = ["Organization", "Provider", "User"]
