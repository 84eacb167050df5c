"""Encryption of keys and passwords at rest (Fernet: AES-128-CBC with HMAC-SHA256)."""

import base64
import hashlib
from functools import cache

from cryptography.fernet import Fernet, InvalidToken
from django.conf import settings

from letta_site.core.errors import AppError


@cache
def _fernet(key: str) -> Fernet:
    return Fernet(base64.urlsafe_b64encode(hashlib.sha256(key.encode()).digest()))


def seal(plain: str) -> str:
    """Return `plain` encrypted under this server's key, as text."""
    return _fernet(settings.ENCRYPTION_KEY).encrypt(plain.encode()).decode()


def unseal(sealed: str) -> str:
    """Return the plaintext. Raises AppError when the server's key is not the one that sealed it."""
    if not sealed:
        return ""
    try:
        return _fernet(settings.ENCRYPTION_KEY).decrypt(sealed.encode()).decode()
    except InvalidToken:
        raise AppError(
            "A stored secret cannot be read with this server's key.",
            todo="Restore LETTA_ENCRYPTION_KEY or secret.key in LETTA_DIR, or set it anew.",
        ) from None
