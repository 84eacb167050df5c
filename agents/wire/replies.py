"""Answers whose bodies are encoded already: no second validation on the hot path."""

import json
from typing import Any

from django.http import HttpResponse


def reply(body: Any) -> HttpResponse:
    """Return a JSON answer."""
    text = json.dumps(body, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    data = text.encode("utf-8", "replace")
    return HttpResponse(data, content_type="application/json")
