"""An OpenAI-compatible provider on a loopback port, scripted by the test and strict about history.

In a test: `fake_openai.push("Hello", Reply(calls=(Call("web_search", {"query": "x"}),)))`, or
`fake_openai.answer_with(lambda request: Reply(...))`.
By hand: `python -m tests.fakes.openai_server --port 9000`.
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import json
import math
import re
import struct
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from tests.fakes.openai_history import Refused, check_chat_request
from tests.fakes.openai_replies import (
    Call,
    Failure,
    Json,
    Raw,
    Reply,
    Usage,
    chunks_of,
    completion_json,
    counted_usage,
    error_body,
)

CHAT_MODELS = ("gpt-4o-mini", "gpt-4o", "gpt-4.1", "gpt-4.1-mini", "gpt-5-mini", "o4-mini")
EMBEDDING_SIZES = {
    "text-embedding-3-small": 1536,
    "text-embedding-3-large": 3072,
    "text-embedding-ada-002": 1536,
}
# What the real provider takes at once, and of one text; a word counts as a token here.
MAX_EMBEDDING_INPUTS = 2048
MAX_EMBEDDING_WORDS = 8192
DEFAULT_TEXT = "All good here. How can I help?"

Answer = Reply | Failure | Raw
Responder = Callable[[Json], Answer]
# What becomes of a request to embed: an answer instead, or a change of the answer; None: nothing.
Fault = Failure | Raw | Callable[[Json], Json] | None


@dataclass(frozen=True)
class Recorded:
    """One request as it came in; header names in lower case."""

    path: str
    headers: dict[str, str]
    body: Json
    raw: bytes = b""


class FakeOpenAI:
    """The provider's state: what it will answer and what it was asked. Safe between threads."""

    def __init__(self, port: int = 0) -> None:
        self.requests: list[Recorded] = []
        self.usages: list[Usage] = []
        self.api_key: str | None = None  # set it, and any other key is refused with 401
        self.broken_streams = 0  # streams whose reader went away
        self._queue: deque[Answer] = deque()
        self._responder: Responder = default_reply
        self._faults: deque[Fault] = deque()
        self._fault_of: Callable[[Json], Fault] = no_fault
        self._lock = threading.Lock()
        self._http = _Server(("127.0.0.1", port), _Handler)
        self._http.fake = self
        self._thread = threading.Thread(target=self._serve, name="fake-openai", daemon=True)

    @property
    def base_url(self) -> str:
        return f"http://127.0.0.1:{self._http.server_port}/v1"

    @property
    def chats(self) -> list[Json]:
        """Bodies of the chat requests, oldest first."""
        return [r.body for r in self.requests if r.path == "/v1/chat/completions"]

    @property
    def embeds(self) -> list[Json]:
        """Bodies of the requests to embed, oldest first."""
        return [r.body for r in self.requests if r.path == "/v1/embeddings"]

    def break_embeddings(self, *faults: Fault) -> None:
        """Order faults, one for each coming request to embed."""
        with self._lock:
            self._faults.extend(faults)

    def embed_with(self, fault_of: Callable[[Json], Fault]) -> None:
        """What becomes of requests to embed while no faults are ordered."""
        self._fault_of = fault_of

    def next_fault(self, request: Json) -> Fault:
        with self._lock:
            if self._faults:
                return self._faults.popleft()
        return self._fault_of(request)

    def push(self, *answers: Answer | str) -> None:
        """Queue answers, one for each coming chat request; a string is a plain text."""
        with self._lock:
            self._queue.extend(Reply(a) if isinstance(a, str) else a for a in answers)

    def answer_with(self, responder: Responder) -> None:
        """What to answer while the queue is empty."""
        self._responder = responder

    def reset(self) -> None:
        """Forget script and recordings, between tests that share one server."""
        with self._lock:
            self._queue.clear()
            self._faults.clear()
            self._fault_of = no_fault
            self.requests.clear()
            self.usages.clear()
            self._responder, self.api_key, self.broken_streams = default_reply, None, 0

    def next_answer(self, request: Json) -> Answer:
        with self._lock:
            if self._queue:
                return self._queue.popleft()
        return self._responder(request)

    def start(self) -> FakeOpenAI:
        self._thread.start()
        return self

    def stop(self) -> None:
        self._http.shutdown()
        self._http.server_close()

    def _serve(self) -> None:
        self._http.serve_forever(poll_interval=0.05)

    def __enter__(self) -> FakeOpenAI:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()


def no_fault(_request: Json) -> Fault:
    """All is well."""
    return None


def default_reply(request: Json) -> Reply:
    """A short text; where the request demands a tool call, the call that says the same."""
    choice = request.get("tool_choice")
    if choice is None or choice in ("auto", "none"):
        return Reply(DEFAULT_TEXT)
    functions = {tool["function"]["name"]: tool["function"] for tool in request["tools"]}
    wanted = choice["function"]["name"] if isinstance(choice, dict) else "send_message"
    function = functions.get(wanted) or next(iter(functions.values()))
    return Reply(calls=(Call(function["name"], plausible_arguments(function)),))


def plausible_arguments(function: Json) -> Json:
    schema = function.get("parameters", {})
    samples = {"string": DEFAULT_TEXT, "integer": 1, "number": 1.0, "boolean": False}
    kinds = {name: spec.get("type") for name, spec in schema.get("properties", {}).items()}
    return {name: samples.get(kinds.get(name), []) for name in schema.get("required", [])}


def embed_text(text: str, size: int) -> list[float]:
    """The same text gives the same vector, and texts that share words point the same way."""
    vector = [0.0] * size
    for word in re.findall(r"\w+", text.lower()) or [text]:
        digest = hashlib.sha256(word.encode()).digest()
        for offset in range(0, 16, 4):
            number = int.from_bytes(digest[offset : offset + 4], "big")
            vector[number % size] += 1.0 if number & 0x10000 else -1.0
    length = math.sqrt(sum(x * x for x in vector)) or 1.0
    return [x / length for x in vector]


def embeddings_json(body: Json) -> Json:
    model = body.get("model", "")
    texts = [body["input"]] if isinstance(body.get("input"), str) else body.get("input") or []
    if not texts or not all(isinstance(text, str) and text for text in texts):
        raise Refused("'$.input' is invalid: a non-empty string or list is expected.", "input")
    too_many = len(texts) > MAX_EMBEDDING_INPUTS
    if too_many or any(len(text.split()) > MAX_EMBEDDING_WORDS for text in texts):
        raise Refused(f"This model's maximum context length is {MAX_EMBEDDING_WORDS} tokens.")
    size = body.get("dimensions") or EMBEDDING_SIZES[model]
    as_base64 = body.get("encoding_format") == "base64"
    data = []
    for index, text in enumerate(texts):
        vector: Any = embed_text(text, size)
        if as_base64:
            vector = base64.b64encode(struct.pack(f"<{size}f", *vector)).decode()
        data.append({"object": "embedding", "index": index, "embedding": vector})
    tokens = sum(len(text.split()) for text in texts)
    usage = {"prompt_tokens": tokens, "total_tokens": tokens}
    return {"object": "list", "data": data, "model": model, "usage": usage}


def models_json() -> Json:
    names = [*CHAT_MODELS, *EMBEDDING_SIZES]
    rows = [
        {"id": n, "object": "model", "created": 1721172741, "owned_by": "system"} for n in names
    ]
    return {"object": "list", "data": rows}


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128
    fake: FakeOpenAI

    def handle_error(self, *_: object) -> None:
        """A reader that went away is a normal event here, not a trace on the terminal."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def setup(self) -> None:
        super().setup()
        self.connection.setsockopt(6, 1, 1)  # TCP_NODELAY: every chunk leaves at once

    def log_message(self, *_: object) -> None:
        """Quiet: the requests are recorded instead."""

    def do_GET(self) -> None:
        self._answer({}, {"/v1/models": lambda _: self._send(200, models_json())})

    def do_POST(self) -> None:
        raw = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        routes = {"/v1/chat/completions": self._chat, "/v1/embeddings": self._embed}
        self._answer(json.loads(raw or b"{}"), routes, raw)

    def _answer(
        self, body: Json, routes: dict[str, Callable[[Json], None]], raw: bytes = b""
    ) -> None:
        path = self.path.split("?")[0].rstrip("/")
        headers = {name.lower(): value for name, value in self.headers.items()}
        self.server.fake.requests.append(Recorded(path, headers, body, raw))
        route = routes.get(path)
        if route is None:
            self._fail(Failure(404, error_body(f"Invalid URL ({self.command} {self.path})")))
        elif not self._authorised(headers.get("authorization", "")):
            self._fail(Failure(401, error_body("Incorrect API key.", code="invalid_api_key")))
        else:
            self._route(route, body)

    def _route(self, route: Callable[[Json], None], body: Json) -> None:
        try:
            route(body)
        except Refused as refused:
            self._fail(refused.failure)

    def _authorised(self, header: str) -> bool:
        expected = self.server.fake.api_key
        return header.startswith("Bearer ") if expected is None else header == f"Bearer {expected}"

    def _model_exists(self, model: str, known: Any) -> bool:
        if model in known:
            return True
        message = f"The model `{model}` does not exist or you do not have access to it."
        self._fail(Failure(404, error_body(message, code="model_not_found")))
        return False

    def _embed(self, body: Json) -> None:
        if not self._model_exists(body.get("model", ""), EMBEDDING_SIZES):
            return
        fault = self.server.fake.next_fault(body)
        if isinstance(fault, Failure):
            self._fail(fault)
        elif isinstance(fault, Raw):
            self._send_raw(fault)
        else:
            answer = embeddings_json(body)
            self._send(200, fault(answer) if fault else answer)

    def _chat(self, body: Json) -> None:
        if not self._model_exists(body.get("model", ""), CHAT_MODELS):
            return
        check_chat_request(body)
        answer = self.server.fake.next_answer(body)
        if isinstance(answer, Failure):
            self._fail(answer)
            return
        if isinstance(answer, Raw):
            self._send_raw(answer)
            return
        usage = counted_usage(body, answer)
        self.server.fake.usages.append(usage)
        if answer.wait_for is not None:
            answer.wait_for.wait(timeout=60)
        if body.get("stream"):
            self._stream(body, answer, usage)
        elif answer.cut_after is not None:
            self._hang_up()
        else:
            time.sleep(answer.delay_s)
            self._send(200, answer.edited(completion_json(body["model"], answer, usage)))

    def _stream(self, body: Json, reply: Reply, usage: Usage) -> None:
        with_usage = bool((body.get("stream_options") or {}).get("include_usage"))
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream; charset=utf-8")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        try:
            chunks = chunks_of(body["model"], reply, usage, with_usage=with_usage)
            for number, chunk in enumerate(chunks):
                if reply.cut_after is not None and number >= reply.cut_after:
                    self._hang_up()
                    return
                time.sleep(reply.delay_s)
                self._frame(json.dumps(reply.edited(chunk)))
            self._frame("[DONE]")
            self.wfile.write(b"0\r\n\r\n")
        except (BrokenPipeError, ConnectionResetError):
            self.server.fake.broken_streams += 1
            self.close_connection = True

    def _frame(self, data: str) -> None:
        frame = f"data: {data}\n\n".encode()
        self.wfile.write(b"%x\r\n%s\r\n" % (len(frame), frame))
        self.wfile.flush()

    def _send_raw(self, raw: Raw) -> None:
        time.sleep(raw.hold_s)
        if raw.body or not raw.hang_up:
            self.send_response(200)
            self.send_header("Content-Type", raw.content_type)
            # One byte more than there is, if the connection is to break before the end.
            self.send_header("Content-Length", str(len(raw.body) + raw.hang_up))
            self.end_headers()
            self.wfile.write(raw.body)
        if raw.hang_up:
            self._hang_up()

    def _hang_up(self) -> None:
        self.close_connection = True
        self.connection.shutdown(2)

    def _fail(self, failure: Failure) -> None:
        self._send(failure.status, failure.body, failure.headers)

    def _send(
        self, status: int, body: Json | str, headers: tuple[tuple[str, str], ...] = ()
    ) -> None:
        data = (body if isinstance(body, str) else json.dumps(body)).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        for name, value in headers:
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(data)


def main() -> None:
    parser = argparse.ArgumentParser(description="Serve the fake provider until interrupted.")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--text", default=DEFAULT_TEXT, help="what every reply says")
    parser.add_argument("--delay", type=float, default=0.0, help="seconds before each chunk")
    options = parser.parse_args()
    fake = FakeOpenAI(options.port)
    fake.answer_with(lambda request: scripted_by_hand(request, options.text, options.delay))
    with fake:
        print(f"OPENAI_BASE_URL={fake.base_url} OPENAI_API_KEY=any", flush=True)
        threading.Event().wait()


def scripted_by_hand(request: Json, text: str, delay_s: float) -> Reply:
    reply = default_reply(request)
    return Reply(text=text if reply.text else "", calls=reply.calls, delay_s=delay_s)


if __name__ == "__main__":
    main()
