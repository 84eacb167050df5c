"""`manage.py embedder`: see whether the local embedding model works."""

import time
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from letta_site.core.errors import Invalid
from memory.embeddings import local
from memory.embeddings.catalog import LOCAL


class Command(BaseCommand):
    """Fails with what to install when it does not."""

    help = "Try the local embedding model."
    requires_system_checks: list[str] = []

    def handle(self, *_args: Any, **_options: Any) -> None:
        try:
            [loaded] = local.embed(["A first text, which loads the model."])
        except Invalid as error:
            raise CommandError(f"{error.what} {error.todo}") from error
        started = time.monotonic()
        local.embed(["A text as short as most queries."])
        took_ms = (time.monotonic() - started) * 1000
        self.stdout.write(f"{LOCAL.handle} works: {len(loaded)} numbers, {took_ms:.0f} ms a query.")
