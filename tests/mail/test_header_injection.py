"""Whatever stands in names, titles, keywords and addresses: a message stays one message, its
headers stay ours.

Whole messages, composed and rendered as a run does it, are read again by the email package.
"""

from __future__ import annotations

import email
import email.policy
import re
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from digest.mail.body import freeze
from digest.mail.message import Sender, assemble, is_mailbox
from digest.mail.reader_tokens import Purpose, Signer
from digest.model import Item, Keyword, Kind, Outgoing, Rule, Subscriber
from digest.rendering.render import Renderer
from digest.rules.alarm import Notice
from digest.rules.compose import Extras, compose
from digest.run.alert import _message
from tests.world.samples import NOW, paper

RENDERER = Renderer()
SIGNER = Signer("a secret of some length", "a-database")
SENDER = Sender(
    "Daily Papers <papers@example.org>",
    "Help <help@example.org>",
    signer=SIGNER,
    bounce="bounces@example.org",
    base_url="https://digest.example.org",
)
BREAKS = [
    "\r\n",
    "\n",
    "\r",
    "\0",
    "\x85",
    "\x9b",
    "\u2028",
    "\u2029",
    "\r\n\r\n",
    "\r\n ",
    "\x0b",
    "\x1b[2J",
    "\ud800",
]
HEADERS = [
    "Bcc: eve@example.org",
    "To: eve@example.org",
    "Content-Type: text/x-evil",
    "List-Unsubscribe: <x:>",
    "--=_x",
]
hostile = st.builds(
    lambda parts: "".join(parts),
    st.lists(
        st.sampled_from(
            [*BREAKS, *HEADERS, "Ada", "é中😀", "<", ">", ",", '"', "\\", "=?utf-8?q?x?=", " "]
        ),
        max_size=9,
    ),
)
EXPECTED = """From Reply-To To Subject Date Message-ID List-Unsubscribe List-Unsubscribe-Post
    List-Id List-Post
    Auto-Submitted Precedence MIME-Version Content-Type""".split()


def whole_message(
    name: str, title: str, keyword: str, address: str, author: str = ""
) -> tuple[bytes, EmailMessage, str]:
    """A message with these in it, as bytes and as it is read; and its envelope's recipient."""
    asked = Keyword(keyword, "all:x", Rule.QUERY)
    reader = Subscriber(email=address, keywords=(asked,), name=name)
    item = Item(
        paper(1, title=title, authors=(author or title, "Ada"), comment=title), Kind.NEW, (keyword,)
    )
    digest = compose(
        [item], reader, now=NOW, extras=Extras(next_at=NOW + timedelta(days=1), contact=name)
    )
    rendered = RENDERER.render(digest, "0123456789abcdef")
    outgoing = Outgoing(
        7, 1, address, name, "<1@example.org>", NOW, rendered.subject, freeze(rendered), reader=42
    )
    message = assemble(outgoing, SENDER)
    parsed = email.message_from_bytes(message.data, policy=email.policy.default)
    assert isinstance(parsed, EmailMessage)
    return message.data, parsed, message.recipient


def names(data: bytes) -> list[str]:
    lines = data.partition(b"\r\n\r\n")[0].split(b"\r\n")
    return [line.partition(b":")[0].decode() for line in lines if not line.startswith(b" ")]


@settings(max_examples=60, suppress_health_check=[HealthCheck.too_slow])
@given(name=hostile, title=hostile, keyword=hostile, local=hostile)
def test_nothing_that_people_write_makes_a_header_a_part_or_a_recipient(
    name: str, title: str, keyword: str, local: str
) -> None:
    data, parsed, recipient = whole_message(name, title, keyword, f"{local}@example.org")
    assert names(data) == EXPECTED
    head = data.partition(b"\r\n\r\n")[0].decode()
    assert not re.search("[\x00-\x09\x0b\x0c\x0e-\x1f\x7f-\x9f\u2028\u2029]", head)
    assert data.count(b"\r\n") == data.count(b"\n") == data.count(b"\r")
    assert b"\0" not in data
    assert [part.get_content_type() for part in parsed.walk()] == [
        "multipart/alternative",
        "text/plain",
        "text/html",
    ]
    assert parsed["From"] == "Daily Papers <papers@example.org>"
    assert not re.search(r"[\r\n\0]", recipient)
    token = SIGNER.token(Purpose.LEAVE, 42)
    assert parsed["List-Unsubscribe"] == (
        f"<https://digest.example.org/u/{token}>, "
        f"<mailto:help@example.org?subject=unsubscribe%20{token}>"
    )
    for part in parsed.iter_parts():
        assert isinstance(part, EmailMessage)
        text = part.get_content()
        assert not re.search("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u2028\u2029]", text)


@pytest.mark.parametrize("bad", BREAKS)
def test_an_address_with_a_break_in_it_is_refused_before_the_server_hears_it(bad: str) -> None:
    _, parsed, recipient = whole_message(
        "Ada", "Title", "Keyword", f"ada{bad}RCPT TO:<eve@example.org>"
    )
    assert not is_mailbox(f"ada@example.org{bad}eve@example.org")
    assert "\r" not in recipient
    assert "\n" not in recipient
    assert len(parsed["To"].addresses) <= 1


@pytest.mark.parametrize("bad", BREAKS)
def test_what_an_error_says_makes_no_header_in_the_operators_mail(bad: str) -> None:
    from pathlib import Path

    from digest.run.alert import Alarm

    alarm = Alarm(None, None, SENDER, "Ops <ops@example.org>", Path("/srv"))  # type: ignore[arg-type]
    message = _message(
        alarm,
        Notice(f"trouble: x{bad}Bcc: eve@example.org", (f"y{bad}z",)),
        datetime(2026, 11, 23, tzinfo=UTC),
    )
    assert names(message.data)[:3] == ["From", "To", "Subject"]
    assert "Bcc" not in names(message.data)
    parsed = email.message_from_bytes(message.data, policy=email.policy.default)
    assert parsed["To"] == "ops@example.org"
    assert message.data.count(b"\n") == message.data.count(b"\r\n")
