from __future__ import annotations

import email
import email.policy
import html
import re
import time
from dataclasses import replace
from datetime import UTC, datetime
from email.header import decode_header, make_header
from email.message import EmailMessage

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from digest.mail.body import freeze
from digest.mail.message import Message, Sender, assemble, header_text, message_id, words
from digest.mail.reader_tokens import Purpose, Signer
from digest.model import Outgoing, Rendered
from digest.setup.settings.read import LONGEST_BOUNCE

MARK = "7f3a9c"
SENDER = Sender("Daily Papers <papers@example.org>", "Help <help@example.org>")
DATE = datetime(2026, 11, 23, 7, 30, tzinfo=UTC)
HOSTILE = '\r\n\0\x0b\x0c\x1c\x1e\x7f\x85\x9b\u2028\u2029\ud800 \t:<>@,;"\\()=?_'
hostile_text = st.text(
    st.one_of(st.sampled_from(HOSTILE), st.characters(), st.sampled_from("abcäßλ中😀")),
    max_size=120,
)
injection = st.builds(
    lambda start, end, header: f"{start}{end}{header}: eve@example.org",
    hostile_text,
    st.sampled_from(["\r\n", "\n", "\r", "\u2028", "\x85", "\r\n\r\n", "\0", "\r\n "]),
    st.sampled_from(["Bcc", "To", "Subject", "List-Unsubscribe"]),
)
any_text = hostile_text | injection


def rendered(text: str = "Hello.\n", page: str = "<p>Hello.</p>\n") -> Rendered:
    return Rendered("3 new papers", f"{text}{MARK}\nBye.\n", f"{page}{MARK}\n</html>\n", MARK)


FROZEN = freeze(rendered())


def outgoing(
    address: str = "ada@example.org",
    name: str = "Ada",
    subject: str = "3 new papers",
    pieces: tuple[bytes, ...] = FROZEN,
) -> Outgoing:
    return Outgoing(1, 1, address, name, "<abc123@example.org>", DATE, subject, pieces)


def parse(message: Message) -> EmailMessage:
    parsed = email.message_from_bytes(message.data, policy=email.policy.default)
    assert isinstance(parsed, EmailMessage)
    return parsed


def parts(message: Message) -> tuple[str, str]:
    text, page = parse(message).iter_parts()
    assert isinstance(text, EmailMessage)
    assert isinstance(page, EmailMessage)
    return text.get_content().replace("\r\n", "\n"), page.get_content().replace("\r\n", "\n")


def header_lines(message: Message) -> list[bytes]:
    return message.data.partition(b"\r\n\r\n")[0].split(b"\r\n")


def header_names(message: Message) -> list[str]:
    lines = header_lines(message)
    return [line.partition(b":")[0].decode() for line in lines if not line.startswith(b" ")]


EXPECTED_NAMES = """From Reply-To To Subject Date Message-ID List-Unsubscribe List-Id List-Post
    Auto-Submitted Precedence MIME-Version Content-Type""".split()


def test_text_alone_is_no_multipart() -> None:
    pieces = freeze(Rendered(subject="", text=f"Größe\n{MARK}\nend\n", html="", mark=MARK))
    assert len(pieces) == 2

    message = parse(assemble(outgoing(pieces=pieces), SENDER))
    assert message.get_content_type() == "text/plain"
    assert (
        message.get_content().replace("\r\n", "\n")
        == "Größe\nThis mail went to ada@example.org.\nend\n"
    )
    assert message["MIME-Version"] == "1.0"


def test_a_message_has_every_header_once_and_text_before_html() -> None:
    message = assemble(outgoing(), SENDER)
    parsed = parse(message)
    assert header_names(message) == EXPECTED_NAMES
    assert parsed["From"] == "Daily Papers <papers@example.org>"
    assert parsed["To"] == "Ada <ada@example.org>"
    assert parsed["Reply-To"] == "Help <help@example.org>"
    assert parsed["Date"].datetime == DATE
    assert parsed["Message-ID"] == "<abc123@example.org>"
    assert parsed["List-Id"] == "New arXiv papers <digest.example.org>"
    assert parsed["List-Post"] == "NO"
    assert parsed["List-Unsubscribe"] == "<mailto:help@example.org?subject=unsubscribe>"
    assert parsed["Auto-Submitted"] == "auto-generated"
    assert parsed["Precedence"] == "bulk"
    assert "List-Unsubscribe-Post" not in parsed
    assert [part.get_content_type() for part in parsed.walk()] == [
        "multipart/alternative",
        "text/plain",
        "text/html",
    ]
    assert (message.sender, message.recipient) == ("papers@example.org", "ada@example.org")
    assert not message.smtputf8


def test_without_a_contact_there_is_no_reply_to_and_people_leave_by_the_sender() -> None:
    parsed = parse(assemble(outgoing(), Sender("papers@example.org")))
    assert "Reply-To" not in parsed
    assert parsed["From"] == "papers@example.org"
    assert parsed["List-Unsubscribe"].startswith("<mailto:papers@example.org?")


def test_the_readers_own_line_stands_where_the_mark_stood() -> None:
    text, page = parts(assemble(outgoing(), SENDER))
    assert text == "Hello.\nThis mail went to ada@example.org.\nBye.\n"
    assert page == "<p>Hello.</p>\nThis mail went to ada@example.org.\n</html>\n"


@given(local=st.text("abc=.&<>'\"é中+ ", min_size=1, max_size=90))
def test_the_readers_line_survives_any_address(local: str) -> None:
    text, page = parts(assemble(outgoing(address=f"{local}@example.org"), SENDER))
    line = f"This mail went to {header_text(f'{local}@example.org')}."
    assert text.split("\n")[1] == line
    assert page.split("\n")[1] == html.escape(line)


@settings(max_examples=50)
@given(text=hostile_text, page=hostile_text)
def test_a_frozen_body_keeps_its_text_in_short_lines(text: str, page: str) -> None:
    text, page = (re.sub("[\r\ud800-\udfff]", "", part) + "\n" for part in (text, page))
    pieces = freeze(rendered(text, page))
    flat = b"".join(pieces)
    assert all(len(line) <= 78 for line in flat.split(b"\r\n"))
    assert flat.count(b"\n") == flat.count(b"\r") == flat.count(b"\r\n")
    assert flat.isascii()
    read_text, read_page = parts(assemble(outgoing(pieces=pieces), SENDER))
    assert read_text.startswith(text)
    assert read_page.startswith(page)


def test_encoded_lines_have_76_characters_at_most() -> None:
    body = "λ" * 500 + "\n" + "x" * 5000 + "\n"
    flat = b"".join(freeze(rendered(body, body)))
    encoded = flat.partition(b"quoted-printable")[2].split(b"\r\n")
    assert max(len(line) for line in encoded) <= 76


@pytest.mark.parametrize(
    ("text", "page"),
    [
        ("no mark\n", f"{MARK}\n"),
        (f"{MARK}\n", "no mark\n"),
        (f"{MARK}\n{MARK}\n", f"{MARK}\n"),
        (f"a {MARK}\n", f"{MARK}\n"),
        (f"{MARK}\n", f"<p>{MARK}</p>\n"),
        (f"{MARK} \n", f"{MARK}\n"),
    ],
)
def test_a_mark_that_is_not_once_and_alone_is_refused(text: str, page: str) -> None:
    with pytest.raises(ValueError, match="mark"):
        freeze(Rendered("", text, page, MARK))


def test_a_mark_that_encoding_would_change_is_refused() -> None:
    with pytest.raises(ValueError, match="plain word"):
        freeze(Rendered("", "a=b\n", "a=b\n", "a=b"))


def test_a_mark_on_the_first_or_last_line_is_found() -> None:
    message = assemble(outgoing(pieces=freeze(Rendered("", MARK, f"{MARK}\n", MARK))), SENDER)
    text, page = parts(message)
    assert text.strip() == page.strip() == "This mail went to ada@example.org."


def test_freezing_is_deterministic() -> None:
    assert freeze(rendered()) == freeze(rendered())


@settings(max_examples=150)
@given(name=any_text, subject=any_text, address=any_text, at=st.sampled_from(["", "@example.org"]))
def test_nothing_in_a_name_subject_or_address_makes_a_header(
    name: str, subject: str, address: str, at: str
) -> None:
    message = assemble(outgoing(address=address + at, name=name, subject=subject), SENDER)
    assert header_names(message) == EXPECTED_NAMES
    head = message.data.partition(b"\r\n\r\n")[0].decode()
    assert not re.search("[\x00-\x09\x0b\x0c\x0e-\x1f\x7f-\x9f\u2028\u2029]", head)
    assert head.count("\n") == head.count("\r") == head.count("\r\n")
    assert message.data.count(b"\n") == message.data.count(b"\r\n") == message.data.count(b"\r")
    assert all(len(line) <= 998 for line in header_lines(message))
    assert not re.search(r"[\r\n\0]", message.recipient)
    parsed = parse(message)
    assert parsed["Subject"] == header_text(subject)
    assert len(list(parsed.iter_parts())) == 2
    assert parsed.get_all("From") == ["Daily Papers <papers@example.org>"]


@given(name=any_text)
def test_a_name_comes_back_as_it_was(name: str) -> None:
    message = assemble(outgoing(name=name), SENDER)
    [raw] = re.findall(rb"^To: (.*?)\r\n(?! )", message.data, re.MULTILINE | re.DOTALL)
    addresses = parse(message)["To"].addresses
    assert [address.addr_spec for address in addresses] == ["ada@example.org"]
    phrase = raw.decode().rpartition("<")[0].replace("\r\n", "").strip()
    if phrase.startswith('"'):
        assert re.sub(r"\\(.)", r"\1", phrase[1:-1]) == header_text(name)
    else:
        assert str(make_header(decode_header(phrase))) == header_text(name)
        assert "=?" not in str(addresses[0].display_name) or "=?" in name


@given(subject=any_text, name=any_text)
def test_header_lines_are_folded_to_78_where_they_can_be(subject: str, name: str) -> None:
    message = assemble(outgoing(subject=subject, name=name), SENDER)
    assert all(
        len(line) <= 78 or line.startswith(b"List-Unsubscribe") for line in header_lines(message)
    )


@pytest.mark.parametrize(
    "subject", ["Größe " * 60, "word " * 200, "x" * 3000, "=?utf-8?q?no?= such word", "", "λ"]
)
def test_long_and_foreign_subjects_come_back_as_they_were(subject: str) -> None:
    message = assemble(outgoing(subject=subject), SENDER)
    assert parse(message)["Subject"] == subject.strip()
    assert header_names(message) == EXPECTED_NAMES


SIGNER = Signer("a secret of some length", "a-database")
LEAVE, BOUNCE = SIGNER.token(Purpose.LEAVE, 42), SIGNER.token(Purpose.BOUNCE, 7)
FOR_ADA = replace(outgoing(), id=7, reader=42)


def test_a_reader_leaves_by_a_mail_that_proves_who_it_is_from() -> None:
    message = assemble(FOR_ADA, replace(SENDER, signer=SIGNER))
    parsed = parse(message)
    assert parsed["List-Unsubscribe"] == f"<mailto:help@example.org?subject=unsubscribe%20{LEAVE}>"
    assert "List-Unsubscribe-Post" not in parsed
    text, page = parts(message)
    assert text == "Hello.\nThis mail went to ada@example.org.\nBye.\n"
    assert f'<a href="mailto:help@example.org?subject=unsubscribe%20{LEAVE}"' in page
    assert message.sender == "papers@example.org"


def test_where_a_mailbox_is_read_requests_go_there() -> None:
    sender = replace(SENDER, signer=SIGNER, leave="bounces+x@example.org")
    assert parse(assemble(FOR_ADA, sender))["List-Unsubscribe"].startswith(
        "<mailto:bounces+x@example.org?"
    )


def test_with_a_web_side_one_click_is_enough() -> None:
    message = assemble(
        FOR_ADA, replace(SENDER, signer=SIGNER, base_url="https://digest.example.org")
    )
    url = f"https://digest.example.org/u/{LEAVE}"
    parsed = parse(message)
    assert (
        parsed["List-Unsubscribe"]
        == f"<{url}>, <mailto:help@example.org?subject=unsubscribe%20{LEAVE}>"
    )
    assert parsed["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    text, page = parts(message)
    assert f"\nTo leave at once: {url}\n" in text
    assert f'<a href="{url}"' in page
    assert len(url) <= 70


def test_a_mail_leads_to_its_digest_on_the_web_by_an_address_that_names_no_reader() -> None:
    sender = replace(SENDER, signer=SIGNER, base_url="https://digest.example.org")
    url = f"https://digest.example.org/d/{SIGNER.token(Purpose.VIEW, 5)}"
    for recipient in (FOR_ADA, replace(FOR_ADA, reader=8, address="lin@example.org")):
        text, page = parts(assemble(replace(recipient, content=5), sender))
        assert f"\nIn a browser: {url}\n" in text
        assert f'<a href="{url}" style="color:inherit">View in browser</a>' in page
        assert ".bib" not in text + page
        text, page = parts(assemble(replace(recipient, content=5, has_papers=True), sender))
        assert f"\nIn a browser: {url}\nBibTeX: {url}.bib\n" in text
        assert f'<a href="{url}.bib" style="color:inherit">BibTeX of these papers</a>' in page
        assert len(f"BibTeX: {url}.bib") <= 76
    text, page = parts(assemble(replace(FOR_ADA, content=5), replace(sender, base_url="")))
    assert "browser" not in text + page


def test_a_long_list_unsubscribe_is_neither_encoded_nor_folded() -> None:
    contact = "c" * 60 + "@" + "d" * 60 + ".example.org"
    base = "https://" + "e" * 60 + ".example.org/digest"
    message = assemble(FOR_ADA, Sender("papers@example.org", contact, signer=SIGNER, base_url=base))
    [line] = [line for line in header_lines(message) if line.startswith(b"List-Unsubscribe:")]
    assert line.decode() == (
        f"List-Unsubscribe: <{base}/u/{LEAVE}>, <mailto:{contact}?subject=unsubscribe%20{LEAVE}>"
    )


def test_each_delivery_has_a_bounce_address_of_its_own() -> None:
    sender = replace(SENDER, signer=SIGNER, bounce="bounces@example.org")
    message = assemble(FOR_ADA, sender)
    assert message.sender == f"bounces+{BOUNCE}@example.org"
    assert parse(message)["From"] == "Daily Papers <papers@example.org>"
    assert (
        assemble(replace(outgoing(), id=0), sender).sender == "bounces@example.org"
    )  # as of a test mail
    longest = replace(sender, bounce="b" * LONGEST_BOUNCE + "@example.org").envelope_sender(
        10**12 - 1
    )
    assert len(longest.rpartition("@")[0]) == 64


def test_an_address_beyond_ascii_needs_smtputf8_and_stays_readable() -> None:
    message = assemble(outgoing(address="адa@пример.рф"), SENDER)
    assert message.smtputf8
    assert message.recipient == "адa@xn--e1afmkfd.xn--p1ai"
    assert "To: Ada <адa@xn--e1afmkfd.xn--p1ai>\r\n".encode() in message.data
    assert parts(message)[0].split("\n")[1] == "This mail went to адa@пример.рф."


def test_a_domain_beyond_ascii_alone_needs_no_smtputf8() -> None:
    message = assemble(outgoing(address="ada@bücher.example"), SENDER)
    assert message.recipient == "ada@xn--bcher-kva.example"
    assert not message.smtputf8


@pytest.mark.parametrize(
    ("address", "mailbox"),
    [
        ('ada"b@example.org', '"ada\\"b"@example.org'),
        ('"ada b"@example.org', '"ada b"@example.org'),
        ("ada@example.org>, <eve@example.org", '"ada@example.org>, <eve"@example.org'),
        ("ada@[127.0.0.1]", "ada@[127.0.0.1]"),
        ("o'hara+x=y@example.org", "o'hara+x=y@example.org"),
    ],
)
def test_odd_local_parts_are_quoted_and_remain_one_address(address: str, mailbox: str) -> None:
    message = assemble(outgoing(address=address), SENDER)
    assert message.recipient == mailbox
    assert [found.addr_spec for found in parse(message)["To"].addresses] == [mailbox]


def test_a_sender_without_an_address_is_refused() -> None:
    with pytest.raises(ValueError, match="no address"):
        Sender("Daily Papers")


def test_a_sender_knows_its_domain_in_ascii() -> None:
    sender = Sender("Bücher <papers@bücher.example>")
    assert sender.domain == "xn--bcher-kva.example"
    assert parse(assemble(outgoing(), sender))["From"].addresses[0].display_name == "Bücher"
    assert message_id("abc", "bücher.example") == "<abc@xn--bcher-kva.example>"


def test_words_are_one_bounded_line() -> None:
    assert words("550 5.1.1 no\r\nsuch\x00user\x1b[31m") == "550 5.1.1 no such user [31m"
    assert len(words("x" * 10_000)) == 500


def test_assembling_does_not_encode_the_body_again() -> None:
    pieces = freeze(rendered("x" * 70 + "\n" * 2, "<p>λ</p>\n" * 5000))
    ready = [outgoing(address=f"ada{number}@example.org", pieces=pieces) for number in range(500)]
    start = time.process_time()
    for one in ready:
        assemble(one, SENDER)
    assert (time.process_time() - start) / len(ready) < 0.002
