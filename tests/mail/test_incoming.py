"""What a message in the inbox is taken for."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from digest.mail.incoming import read_incoming
from digest.mail.received import MessageKind
from tests.world.letters import (
    away,
    complaint,
    crlf,
    exchange_bounce,
    letter,
    postfix_bounce,
    qmail_bounce,
)

ID = "<0123456789abcdef@example.org>"
TO = "bounces+7-abcdefghij234567abcd@example.org"
TOKEN = "42-abcdefghij234567abcd"


def test_a_bounce_as_postfix_writes_it() -> None:
    found = read_incoming(postfix_bounce(TO, message_id=ID))
    assert found.kind is MessageKind.BOUNCE
    assert found.status == "5.1.1"
    assert found.said == "550 5.1.1 <ada@example.org>: Recipient address rejected: User unknown"
    assert found.recipients == {"ada@example.org"}
    assert found.message_ids == (ID,)
    assert TO in found.evidence


def test_a_bounce_with_a_generic_status_takes_the_servers_own() -> None:
    found = read_incoming(exchange_bounce(TO, message_id=ID))
    assert (found.kind, found.status, found.message_ids) == (MessageKind.BOUNCE, "5.1.10", (ID,))


def test_a_bounce_in_prose_is_one_without_status() -> None:
    found = read_incoming(qmail_bounce(TO))
    assert (found.kind, found.status, found.recipients) == (
        MessageKind.BOUNCE,
        "",
        {"ada@example.org"},
    )


def test_an_original_recipient_in_xtext_is_read() -> None:
    found = read_incoming(
        postfix_bounce(TO, "box@gmail.example", original="ada+2Barxiv@example.org")
    )
    assert {"box@gmail.example", "ada+arxiv@example.org"} <= found.recipients


@pytest.mark.parametrize("action", ["delayed", "delivered", "relayed", "expanded"])
def test_a_delay_or_a_success_is_no_bounce(action: str) -> None:
    assert (
        read_incoming(postfix_bounce(TO, action=action, status="4.4.1")).kind is MessageKind.DELAY
    )


def test_a_complaint_and_its_contrary() -> None:
    found = read_incoming(
        complaint(ID, leave=f"<mailto:papers@example.org?subject=unsubscribe%20{TOKEN}>")
    )
    assert (found.kind, found.message_ids) == (MessageKind.COMPLAINT, (ID,))
    assert f" {TOKEN}" in found.evidence  # %2042 is no number
    assert "abuse" in found.said
    assert read_incoming(complaint(ID, kind="not-spam")).kind is MessageKind.OTHER


@pytest.mark.parametrize(
    "raw",
    [
        letter(f"unsubscribe {TOKEN}"),
        letter(f"UNSUBSCRIBE {TOKEN.upper()}"),
        letter(f"Unsubscribe {TOKEN}", Auto_Submitted="auto-generated"),
        letter(f"unsubscribe {TOKEN}", Auto_Submitted="auto-replied", X_Apple_Unsubscribe="true"),
        letter(f"[EXT] unsubscribe {TOKEN}", Auto_Submitted="auto-replied"),
        letter(f"unsubscribe%20{TOKEN}", Precedence="auto_reply"),
        letter(f"Fwd: unsubscribe {TOKEN}"),
        letter("Re: 3 new papers", "Unsubscribe\n\n> Abstract: we unsubscribe.", In_Reply_To=ID),
        letter("AW: 3 new papers: Vacation", "Abmelden", In_Reply_To=ID),
        letter("回复：3 new papers", "退订", In_Reply_To=ID),
        crlf(f"""
            Subject: Re: 3 new papers
            In-Reply-To: {ID}
            Content-Type: text/html; charset=iso-8859-1
            Content-Transfer-Encoding: quoted-printable

            <div>Merci de me d=E9sabonner</div><blockquote>3 new papers</blockquote>
            """),
        letter("Re: 3 new papers", "\nplease unsubscribe me.\n-- \nAda", References=f"<a@b> {ID}"),
        letter("unsubscribe", "", In_Reply_To=ID),
    ],
)
def test_requests_to_leave(raw: bytes) -> None:
    found = read_incoming(raw)
    assert found.kind is MessageKind.LEAVE
    assert TOKEN in found.evidence.lower() or ID in found.message_ids


@pytest.mark.parametrize(
    "raw",
    [
        letter("Re: 3 new papers", "How can I unsubscribe from one keyword only?", In_Reply_To=ID),
        letter("How do I unsubscribe?", "I want fewer mails.", In_Reply_To=ID),
        letter("Re: 3 new papers", "> unsubscribe\nno!", In_Reply_To=ID),
        letter("Hello", "unsubscribed people are people too"),
        letter("Re: 3 new papers", "please do not unsubscribe me", In_Reply_To=ID),
        b"",
        b"\xff\xfe\x00 no mail at all",
    ],
)
def test_what_is_left_for_a_person(raw: bytes) -> None:
    assert read_incoming(raw).kind is MessageKind.OTHER


@pytest.mark.parametrize(
    "raw",
    [
        away(ID),
        away(ID, to=TO),
        letter("Abwesenheitsnotiz: 3 new papers", "unsubscribe", In_Reply_To=ID),
        letter("Out of Office", "user unknown", In_Reply_To=ID),
        letter("Re: 3 new papers", "unsubscribe", In_Reply_To=ID, Precedence="auto_reply"),
        letter("Re: 3 new papers", "unsubscribe", In_Reply_To=ID, X_Autoreply="yes"),
        letter("Re: automatic reply: 3 new papers", "stop", In_Reply_To=ID),
        letter(f"Automatic reply: unsubscribe {TOKEN}", In_Reply_To=ID),
        letter(f"Re: unsubscribe {TOKEN}", In_Reply_To=ID, Auto_Submitted="auto-replied"),
        letter(f"Réponse automatique : unsubscribe {TOKEN}", In_Reply_To=ID),
    ],
)
def test_automatic_replies_are_neither_bounces_nor_requests(raw: bytes) -> None:
    found = read_incoming(raw)
    assert found.kind is MessageKind.REPLY
    assert ID in found.message_ids


def test_a_header_that_cannot_be_decoded_stops_nothing() -> None:
    raw = crlf("""
        From: =?no-such-charset?q?Ada?= <ada@example.org>
        Subject: =?utf-8?b?broken
        Content-Type: text/plain; charset=no-such-charset

        unsubscribe
        """)
    assert read_incoming(raw).kind in (MessageKind.LEAVE, MessageKind.OTHER)


@settings(max_examples=60)
@given(data=st.data(), cut=st.integers(0, 1500), junk=st.binary(max_size=60))
def test_damaged_mail_is_read_without_an_error(data: st.DataObject, cut: int, junk: bytes) -> None:
    whole = data.draw(
        st.sampled_from([postfix_bounce(TO), complaint(ID), qmail_bounce(TO), away(ID)])
    )
    assert isinstance(
        read_incoming(whole[:cut] + junk + whole[cut + len(junk) :]).kind, MessageKind
    )
