"""`manage.py doctor`: examine all agents, and put right what is wrong with them."""

import sys
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from agents.models import Agent
from agents.services.health import Trouble, check_database, find_trouble, repair
from letta_site.core.types import Actor


class Command(BaseCommand):
    """Exit code 0: all is well, or was put right; 1: there is trouble."""

    help = "Examine every agent; with --repair, put right what is wrong."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--repair", action="store_true", help="put right what is found")

    def handle(self, *_args: Any, repair: bool, **_options: Any) -> None:
        broken = check_database()
        if broken:
            self.stderr.write(self.style.ERROR(f"The database file is damaged: {broken}"))
        agents = list(Agent.objects.order_by("created_at").values_list("id", "org_id", "name"))
        found = [row for agent in agents for row in self._examine(*agent, mending=repair)]
        self.stdout.write(f"{len(agents)} agents examined, {len(found)} troubles found.")
        if found and not repair:
            self.stdout.write("Put them right with --repair.")
        if broken or (found and not repair):
            sys.exit(1)

    def _examine(self, agent_id: str, org_id: str, name: str, *, mending: bool) -> list[Trouble]:
        actor = Actor(org_id, "doctor", "system")
        found = (repair if mending else find_trouble)(actor, agent_id)
        for one in found:
            shown = f"Repaired: {one.remedy}" if mending else one.what
            self.stdout.write(f"{agent_id}  {name[:20]:20}  {one.kind:15}  {shown}")
        return found
