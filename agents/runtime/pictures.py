"""Pictures that a sender points to are fetched before the run, so that the history has them."""

import base64
from dataclasses import replace
from urllib.parse import urlsplit

from django.conf import settings

from agents.types import ImagePart, InputMessage, Part, RunInput
from letta_site.core.errors import Invalid
from letta_site.core.fetch import Limits, fetch

KINDS = ("image/png", "image/jpeg", "image/gif", "image/webp")
_BY_ENDING = {"png": KINDS[0], "jpg": KINDS[1], "jpeg": KINDS[1], "gif": KINDS[2], "webp": KINDS[3]}


async def with_pictures(given: RunInput) -> RunInput:
    """Return the request with every picture in it. Raises Invalid when one cannot be had."""
    if not any(_missing(part) for message in given.messages for part in message.parts):
        return given
    return replace(given, messages=tuple([await _message(one) for one in given.messages]))


def _missing(part: Part) -> bool:
    return isinstance(part, ImagePart) and bool(part.url)


async def _message(message: InputMessage) -> InputMessage:
    return replace(message, parts=tuple([await _part(part) for part in message.parts]))


async def _part(part: Part) -> Part:
    if not isinstance(part, ImagePart) or not part.url:
        return part
    limits = Limits(
        settings.PICTURE_TIMEOUT_S,
        max_bytes=settings.MAX_PICTURE_BYTES,
        private=settings.ALLOW_PRIVATE_PICTURES,
    )
    found = await fetch(part.url, limits)
    ending = urlsplit(part.url).path.rpartition(".")[2].lower()
    media_type = found.media_type if found.media_type in KINDS else _BY_ENDING.get(ending)
    if media_type is None or not found.data:
        raise Invalid(
            f"Failed to fetch image from URL: what is there is {found.media_type or 'nothing'}.",
            todo=f"These are read: {', '.join(KINDS)}.",
        )
    data = base64.b64encode(found.data).decode("ascii")
    return ImagePart(media_type=media_type, data=data)
