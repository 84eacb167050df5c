"""How much of what is asked for a search finds, through the public API of a running server.

    .venv/bin/python -m tests.bench.retrieval --url http://localhost:8283 --locomo locomo10.json

LoCoMo (https://github.com/snap-research/locomo, CC BY-NC 4.0) and Letta's fact set are not part of
the project: name your copies by option, or by LOCOMO and FACTS in the environment. Each
conversation becomes an agent, its turns past messages; all facts go into the archive of one agent.
The agents are deleted afterwards.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import statistics
import sys
import time
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

Json = dict[str, Any]
Question = tuple[str, set[str]]
AT_ONCE = 500
DEPTHS = (1, 5, 10, 20)
EMBEDDED_WITHIN_S = 900


class Server:
    """A running server, spoken to over HTTP."""

    def __init__(self, url: str, token: str) -> None:
        self.url, self.token = url.rstrip("/"), token

    def ask(self, method: str, path: str, body: Json | None = None) -> Any:
        """Return the JSON answer; raises HTTPError."""
        data = None if body is None else json.dumps(body).encode()
        headers = {"Content-Type": "application/json", "Authorization": f"Bearer {self.token}"}
        request = urllib.request.Request(self.url + path, data, headers, method=method)
        with urllib.request.urlopen(request, timeout=120) as answer:
            return json.load(answer)

    @contextmanager
    def agent(self, name: str, embedding: str | None) -> Iterator[str]:
        """Make an agent for the time of the block."""
        wish = {"name": name, "model": "letta/demo"}
        if embedding:
            wish["embedding"] = embedding
        agent_id: str = self.ask("POST", "/v1/agents/", wish)["id"]
        try:
            yield agent_id
        finally:
            self.ask("DELETE", f"/v1/agents/{agent_id}")


class Table:
    """Recall at several depths, and how long an answer took."""

    def __init__(self) -> None:
        self.recalls: dict[int, list[float]] = {depth: [] for depth in DEPTHS}
        self.ranks: list[float] = []
        self.times_ms: list[float] = []

    def measure(self, questions: Iterable[Question], find: Callable[[str], list[str]]) -> None:
        """Ask each question and compare what is found with its evidence."""
        for question, evidence in questions:
            began = time.perf_counter()
            found = find(question)
            self.times_ms.append((time.perf_counter() - began) * 1000)
            for depth, recalls in self.recalls.items():
                recalls.append(len(evidence & set(found[:depth])) / len(evidence))
            hits = [at for at, one in enumerate(found, 1) if one in evidence]
            self.ranks.append(1 / hits[0] if hits else 0.0)

    def __str__(self) -> str:
        shares = "  ".join(
            f"R@{depth} {100 * statistics.mean(found):5.1f}"
            for depth, found in self.recalls.items()
        )
        middle = statistics.median(self.times_ms)
        return (
            f"{shares}  MRR {statistics.mean(self.ranks):.3f}  "
            f"{len(self.ranks)} questions, {middle:.1f} ms each over HTTP"
        )


def turns_of(conversation: Json) -> list[Json]:
    """Return the turns of a LoCoMo conversation as past messages, `id` being the data set's."""
    turns = []
    for n in range(1, 100):
        if f"session_{n}" not in conversation:
            continue
        when = conversation[f"session_{n}_date_time"]
        began = datetime.strptime(when, "%I:%M %p on %d %B, %Y").replace(tzinfo=UTC)
        for at, turn in enumerate(conversation[f"session_{n}"]):
            speaks_first = turn["speaker"] == conversation["speaker_a"]
            turns.append(
                {
                    "id": turn["dia_id"],
                    "role": "user" if speaks_first else "assistant",
                    "name": turn["speaker"],
                    "content": turn["text"],
                    "created_at": (began + timedelta(seconds=30 * at)).isoformat(),
                }
            )
    return [turn for turn in turns if turn["content"].strip()]


def questions_of(sample: Json, known: set[str]) -> list[Question]:
    """Return the questions whose evidence is among the turns."""
    pairs = [
        (one["question"], known & set(re.findall(r"D\d+:\d+", " ".join(one.get("evidence", ())))))
        for one in sample["qa"]
    ]
    return [pair for pair in pairs if pair[1]]


def measure_locomo(server: Server, path: Path, mode: str, embedding: str | None) -> Table:
    """Put each conversation into an agent and ask its questions."""
    table = Table()
    for n, sample in enumerate(json.loads(path.read_text())):
        with server.agent(f"locomo {n}", embedding) as agent_id:
            names = insert_turns(server, agent_id, turns_of(sample["conversation"]))
            wait_for_vectors(server, agent_id, embedding)

            def find(question: str, agent_id: str = agent_id, names: Json = names) -> list[str]:
                wish = {"query": question, "agent_id": agent_id, "limit": max(DEPTHS)}
                found = server.ask("POST", "/v1/messages/search", {**wish, "search_mode": mode})
                return [names[one["message_id"]] for one in found]

            table.measure(questions_of(sample, set(names.values())), find)
    return table


def insert_turns(server: Server, agent_id: str, turns: list[Json]) -> Json:
    """Store turns as past messages; return message id -> the data set's id."""
    names: Json = {}
    for start in range(0, len(turns), AT_ONCE):
        part = turns[start : start + AT_ONCE]
        rows = [{key: turn[key] for key in turn if key != "id"} for turn in part]
        path = f"/v1/agents/{agent_id}/messages/insert"
        stored = server.ask("POST", path, {"messages": rows})["message_ids"]
        names |= dict(zip(stored, (turn["id"] for turn in part), strict=True))
    return names


def wait_for_vectors(server: Server, scope_id: str, embedding: str | None) -> None:
    """Wait until the texts of an agent or archive have vectors, where a model embeds them."""
    until = time.monotonic() + EMBEDDED_WITHIN_S
    while embedding and time.monotonic() < until:
        scope = server.ask("GET", f"/v1/embeddings/scopes/{scope_id}")
        if scope["state"] == "done" and scope["total"]:
            return
        time.sleep(1)
    if embedding:
        raise TimeoutError(f"{scope_id} was not embedded within {EMBEDDED_WITHIN_S} s")


def measure_facts(server: Server, path: Path, embedding: str | None) -> Table:
    """Put all facts into one archive and ask for those that support each answer."""
    rows = [json.loads(line)["agent_args"]["extra"] | json.loads(line) for line in path.open()]
    table = Table()
    with server.agent("facts", embedding) as agent_id:
        ids: dict[str, str] = {}
        for text in dict.fromkeys(fact for row in rows for fact in row["facts"]):
            note = {"text": text}
            stored = server.ask("POST", f"/v1/agents/{agent_id}/archival-memory", note)
            ids[text] = stored[0]["id"]
        wait_for_vectors(server, stored[0]["archive_id"], embedding)

        def find(question: str) -> list[str]:
            asked = urllib.parse.urlencode({"query": question, "top_k": max(DEPTHS)})
            found = server.ask("GET", f"/v1/agents/{agent_id}/archival-memory/search?{asked}")
            return [one["id"] for one in found["results"]]

        table.measure(
            (
                (row["input"], {ids[row["facts"][at]] for at in row["supporting_fact_indices"]})
                for row in rows
            ),
            find,
        )
    return table


def data_file(name: str, given: str | None) -> Path | None:
    """Return the file, or say that it is not there."""
    path = Path(given) if given else None
    if path and path.is_file():
        return path
    print(f"{name}: not measured, {path or 'no file named'}; see --help")
    return None


def main() -> int:
    """Print a table; 1 if there was nothing to measure."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--url", default="http://localhost:8283")
    parser.add_argument("--token", default=os.environ.get("LETTA_SERVER_PASSWORD", ""))
    parser.add_argument("--locomo", default=os.environ.get("LOCOMO"))
    parser.add_argument(
        "--facts", default=os.environ.get("FACTS"), help="Letta's facts-update.jsonl"
    )
    parser.add_argument("--mode", default="hybrid", choices=("hybrid", "fts", "vector"))
    parser.add_argument("--embedding", help="handle of an embedding model; by words only without")
    given = parser.parse_args()
    server = Server(given.url, given.token)
    locomo, facts = data_file("LoCoMo", given.locomo), data_file("facts", given.facts)
    if locomo:
        print("LoCoMo ", measure_locomo(server, locomo, given.mode, given.embedding), flush=True)
    if facts:
        print("facts  ", measure_facts(server, facts, given.embedding), flush=True)
    return 0 if locomo or facts else 1


if __name__ == "__main__":
    sys.exit(main())
