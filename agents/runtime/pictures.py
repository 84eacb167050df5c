"""Pictures that a sender points to are fetched before the run, so that the history has them."""

import base64
from dataclasses import replace
from urllib.parse import urlsplit

from django.conf import settings

from agents.types import ImagePart, InputMessage, Part, RunInput
from letta_site.core.errors import Invalid
from letta_site.core.fetch import Limits, fetch

KINDS = ("image/png", "image/jpeg", "image/gif", "image/webp")
_KIND_OF_NAME = {"image/jpg": KINDS[1]}
_TODO = f"These are read: {', '.join(KINDS)}."
_BY_ENDING = {"png": KINDS[0], "jpg": KINDS[1], "jpeg": KINDS[1], "gif": KINDS[2], "webp": KINDS[3]}


async def with_pictures(given: RunInput) -> RunInput:
    """Return the request with every picture in it. Raises Invalid when one cannot be had.

    What came with the request is looked at, too: a provider that refuses a picture would refuse
    every later request with it.
    """
    if not any(isinstance(part, ImagePart) for one in given.messages for part in one.parts):
        return given
    return replace(given, messages=tuple([await _message(one) for one in given.messages]))


async def _message(message: InputMessage) -> InputMessage:
    return replace(message, parts=tuple([await _part(part) for part in message.parts]))


async def _part(part: Part) -> Part:
    if not isinstance(part, ImagePart):
        return part
    return await _fetched(part.url) if part.url else _checked(part)


def _checked(part: ImagePart) -> ImagePart:
    """Return a picture that came with the request, its base64 without breaks."""
    media_type = _KIND_OF_NAME.get(part.media_type or "", part.media_type)
    if media_type not in KINDS:
        raise Invalid(f"{media_type!r} is not a kind of picture that is read.", todo=_TODO)
    data = "".join((part.data or "").split())
    try:
        empty = not base64.b64decode(data, validate=True)
    except ValueError:
        empty = True
    if empty:
        raise Invalid("The data of a picture is not base64.", todo="Encode its bytes as base64.")
    return ImagePart(media_type=media_type, data=data)


async def _fetched(url: str) -> ImagePart:
    limits = Limits(
        settings.PICTURE_TIMEOUT_S,
        max_bytes=settings.MAX_PICTURE_BYTES,
        private=settings.ALLOW_PRIVATE_PICTURES,
    )
    found = await fetch(url, limits)
    ending = urlsplit(url).path.rpartition(".")[2].lower()
    media_type = found.media_type if found.media_type in KINDS else _BY_ENDING.get(ending)
    if media_type is None or not found.data:
        raise Invalid(
            f"Failed to fetch image from URL: what is there is {found.media_type or 'nothing'}.",
            todo=_TODO,
        )
    data = base64.b64encode(found.data).decode("ascii")
    return ImagePart(media_type=media_type, data=data)
