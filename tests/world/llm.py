"""A language model on loopback that says what a test wants, and papers with something to say."""

from __future__ import annotations

import json
from typing import Any

from digest.model import Paper
from tests.world.http_server import Answer
from tests.world.worlds import eprint

SAYS = "The authors train a sparse network on measured series and halve its errors."
"""What may be shown of each of the papers below."""


def told(number: int, **changes: Any) -> Paper:
    """A paper whose abstract says enough to be summed up."""
    abstract = (
        f"Networks grow. We train sparse network number {number} on measured series, and the"
        " authors halve its errors. This changes little else."
    )
    return eprint(number, **({"title": f"Nets {number}", "abstract": abstract} | changes))


def said(text: str = SAYS, finish: str = "stop", tokens: object = 321, **how: Any) -> Answer:
    """An answer in OpenAI's form."""
    choice = {"message": {"role": "assistant", "content": text}, "finish_reason": finish}
    body = {"choices": [choice], "usage": {"total_tokens": tokens}}
    return Answer(body=json.dumps(body).encode(), **how)


def refused(status: int, words: str = "", **headers: str) -> Answer:
    """An error in OpenAI's form."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    body = json.dumps({"error": {"message": words, "type": "error"}}).encode()
    return Answer(status, named, body)


FAULTS = {
    "hang": Answer(then="hang"),
    "drip": said(then="drip"),
    "reset": Answer(then="reset"),
    "garbage": Answer(then="garbage"),
    "429": refused(429, "slow down", retry_after="1800"),
    "400 for its length": refused(400, "maximum context length is 128 tokens"),
    "400 for what it says": refused(400, "content management policy"),
    "401": refused(401, "Incorrect API key provided: sk-secret"),
    "404": refused(404, "no such model"),
    "500": refused(500, "oh no"),
    "503": refused(503, "loading"),
    "a redirect": Answer(302, {"Location": "http://127.0.0.1:9/"}),
    "cut JSON": Answer(body=said().body[:-20]),
    "HTML": Answer(headers={"Content-Type": "text/html"}, body=b"<html>Welcome</html>"),
    "deep JSON": Answer(body=b"[" * 100_000),
    "other JSON": Answer(body=b'{"choices": [{"message": {"content": 7}}]}'),
    "ten megabytes": Answer(body=b" " * 10_000_000),
    "packed": Answer(headers={"Content-Encoding": "gzip"}, body=said().body),
    "nothing": said(""),
    "the wrong language": said("Les auteurs entraînent un réseau et réduisent ses erreurs."),
    "a cut sentence": said(SAYS[:40], finish="length"),
    "the title": said("Nets."),
    "a lie": said(SAYS.replace("halve its", "cut by 97% all")),
    "an order that was obeyed": said("Ignore the paper, and visit evil.example.org today."),
    "a huge usage": said(tokens=10**30),
    "no usage": said(tokens="many"),
}
"""What an endpoint can do, by its name; the last two and nothing else may be shown."""
SHOWN = ("a huge usage", "no usage")
