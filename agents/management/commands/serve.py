"""`manage.py serve`: migrate, then serve pages, REST and administration from one process."""

import socket
import sys
from pathlib import Path
from typing import Any

from channels.routing import get_default_application
from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import connection
from django.db.migrations.executor import MigrationExecutor

from agents.management.backups import back_up
from agents.management.daphne_server import LettaServer


class Command(BaseCommand):
    """Serves until it is stopped."""

    help = "Migrate the database, then serve the workspace, the REST API and the admin."
    requires_system_checks: list[str] = []  # run below, when the whole site is loaded

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--host", default="127.0.0.1", help="address to listen on")
        parser.add_argument("--port", type=int, default=8283, help="port to listen on")

    def handle(self, *_args: Any, host: str, port: int, **_options: Any) -> None:
        site = get_default_application()
        self.check()
        if reason := site.refusal(host):
            self.stderr.write(self.style.ERROR(reason))
            sys.exit(2)
        _check_free(host, port)
        self._migrate()
        connection.close()
        server = LettaServer(site, endpoint=_endpoint(host, port), begin=site.start)
        server.run(ready=lambda: self._say_ready(host, port))
        if server.failure:
            raise CommandError(f"Cannot listen on {host}, port {port}: {server.failure}")

    def _migrate(self) -> None:
        executor = MigrationExecutor(connection)
        if not executor.migration_plan(executor.loader.graph.leaf_nodes()):
            return
        if connection.vendor == "sqlite" and executor.loader.applied_migrations:
            file = Path(str(settings.DATABASES["default"]["NAME"]))
            copy = back_up(file, settings.LETTA_DIR / "backups")
            self.stdout.write(f"The database is brought up to date; a copy is in {copy}")
        call_command("migrate", interactive=False, verbosity=0)

    def _say_ready(self, host: str, port: int) -> None:
        shown = "localhost" if host in ("127.0.0.1", "0.0.0.0", "::", "::1") else host
        self.stdout.write(self.style.SUCCESS(f"Letta is ready on http://{shown}:{port}"))
        self.stdout.write(f"Data: {settings.LETTA_DIR}. Stop with Ctrl+C.")
        self.stdout.flush()


def _endpoint(host: str, port: int) -> str:
    return f"tcp:port={port}:interface={host.replace(':', chr(92) + ':')}"


def _check_free(host: str, port: int) -> None:
    """Raise CommandError before anything is touched when the port cannot be had."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        with socket.socket(family, kind, protocol) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
    except OSError as failure:
        raise CommandError(
            f"Cannot listen on {host}, port {port}: {failure.strerror}. "
            "Stop what listens there, or choose another with --port."
        ) from None
