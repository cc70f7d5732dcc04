"""Assembling of messages: headers, and a body (see `body`), for one reader each."""

from __future__ import annotations

import html
import re
import textwrap
from dataclasses import dataclass
from email.header import Header
from email.utils import format_datetime, parseaddr
from email.utils import quote as escaped
from functools import cached_property, lru_cache
from urllib.parse import quote

from digest.mail.body import QUOTED_PRINTABLE_LINE, Lines, filled, has_paper_lines
from digest.mail.liking import Offer, by_links, by_mail
from digest.mail.reader_tokens import NOBODYS, Purpose, Signer
from digest.model import Outcome, Outgoing, Receipt

LINE = 78
"""Characters to which a line is folded where it can be (RFC 5322 section 2.1.1)."""

LONGEST_WORD = 60
"""Characters of a word, or a whole name, up to which a header line holds it as it is."""

# U+2028 and U+2029 end a line for some programs; lone surrogates cannot be encoded.
_UNFIT = re.compile("[\x00-\x20\x7f-\x9f\u2028\u2029\ud800-\udfff]+")
_ATEXT = r"(?:[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]|[^\x00-\x9f])"
_ATOMS = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(?: [A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*")
_LOCAL_PART = re.compile(rf"{_ATEXT}+(?:\.{_ATEXT}+)*" + r'|"(?:[^"\\]|\\.)*"')
_UNFIT_FOR_DOMAIN = re.compile(r"[ !-,/;-@\\^`{-~]+")


def header_text(text: str) -> str:
    """Put a single space for every run of blanks, controls, line ends (U+2028 too) and lone
    surrogates.

    What it returns can stand in a header, and can be encoded.
    """
    return _UNFIT.sub(" ", text).strip()


def words(text: str, limit: int = 500) -> str:
    """Bring what a server or a program said into one line of at most `limit` characters."""
    line = header_text(text)
    return line if len(line) <= limit else line[: limit - 1] + "…"


def is_mailbox(text: str) -> bool:
    """Whether mail can be addressed to what stands here: a local part and a domain (RFC 5321
    section 4.1.2).

    Programs and libraries that are given anything else may repair it into somebody else's address.
    """
    local, _, domain = text.rpartition("@")
    return bool(_LOCAL_PART.fullmatch(local) and domain and not _UNFIT_FOR_DOMAIN.search(domain))


def message_id(unique: str, domain: str) -> str:
    """Format a Message-ID from its left part, which only the caller can make unique (RFC 5322
    section 3.6.4).
    """
    return f"<{unique}@{_domain(domain)}>"


NO_ADDRESS = Receipt(Outcome.FAILED, "this is no address that mail can go to", bounce=True)
"""The receipt where no mailbox is named (`is_mailbox`)."""


@dataclass(frozen=True, slots=True)
class Message:
    """A message ready to leave: its envelope (`sender`, one `recipient`) and its bytes, with CRLF
    line ends.

    `smtputf8`: an address has a local part beyond ASCII, so only servers with SMTPUTF8 can take it
    (RFC 6531).
    """

    sender: str
    recipient: str
    message_id: str
    data: bytes
    smtputf8: bool = False


class EndedError(Exception):
    """An attempt to hand over a message is over with a receipt; `lost`: the connection had gone."""

    def __init__(self, receipt: Receipt, *, lost: bool = False) -> None:
        super().__init__(receipt.reply)
        self.receipt = receipt
        self.lost = lost


@dataclass(frozen=True)
class Sender:
    """In whose name digests leave: `Daily Papers <papers@example.org>`, and where people write who
    want to leave.

    `signer` makes the tokens by which a reader can leave and a bounce proves itself; without it
    there are none. `bounce` is the bounce address, where each delivery gets one of its own (VERP);
    `leave` is where requests to leave are mailed, if not to the contact; `base_url` is the address
    of the web side, without a slash at its end. Raises ValueError where `from_address` holds no
    address.
    """

    from_address: str
    contact: str = ""
    signer: Signer | None = None
    bounce: str = ""
    leave: str = ""
    base_url: str = ""

    def __post_init__(self) -> None:
        if "@" not in self.address:
            raise ValueError(f"{self.from_address!r} is no address that mail could come from")

    @cached_property
    def address(self) -> str:
        """The bare address, fit for the envelope."""
        return address_in(self.from_address)

    @property
    def domain(self) -> str:
        """The domain of the address, in ASCII."""
        return self.address.rpartition("@")[2]

    @cached_property
    def reply_address(self) -> str:
        """The bare address to which people write: the contact's, else the sender's own."""
        return address_in(self.contact) if self.contact else self.address

    def envelope_sender(self, delivery: int) -> str:
        """Where bounces of this delivery go: the sender's address, or one of the delivery's own
        (VERP).
        """
        if not self.bounce:
            return self.address
        local, _, domain = address_in(self.bounce).rpartition("@")
        if self.signer is None or not delivery:
            return f"{local}@{domain}"
        return f"{local}+{self.signer.token(Purpose.BOUNCE, delivery)}@{domain}"

    def choices(self, reader: int, links: int) -> str:
        """Where one reader changes what comes; "" without a web side. `links` says which of the
        reader's links count.
        """
        if self.signer is None or not reader or not self.base_url:
            return ""
        token = self.signer.own(Purpose.CHOICES, reader, links)
        return f"{self.base_url}/p/{token}"

    @property
    def request_address(self) -> str:
        """The bare address to which readers mail what they want of the program."""
        return address_in(self.leave) if self.leave else self.reply_address

    def offer(self, delivery: int, links: int = 0) -> Offer:
        """What is put into one delivery's mail for papers that its reader may like, who made older
        `links` worthless so often; of delivery 0, which is only shown, nothing comes.
        """
        token = NOBODYS
        if self.signer is not None and delivery:
            token = self.signer.own(Purpose.LIKE, delivery, links)
        if self.base_url:
            return by_links(f"{self.base_url}/u/{token}")
        to = self.request_address
        return by_mail(to, quote(to, safe="@+"), token)

    def way_out(self, reader: int) -> WayOut:
        """The ways by which one reader can leave; reader 0 is nobody, who cannot."""
        if self.signer is not None and not reader:
            return WayOut()
        to = quote(self.request_address, safe="@+")
        if self.signer is None:
            return WayOut(f"mailto:{to}?subject=unsubscribe")
        token = self.signer.token(Purpose.LEAVE, reader)
        return WayOut(
            f"mailto:{to}?subject=unsubscribe%20{token}",
            f"{self.base_url}/u/{token}" if self.base_url else "",
        )

    def view(self, content: int) -> str:
        """Where a digest is read on the web: an address that nobody can guess, and that names no
        reader; "" where there is none.
        """
        if self.signer is None or not self.base_url or not content:
            return ""
        return f"{self.base_url}/d/{self.signer.token(Purpose.VIEW, content)}"

    @cached_property
    def first_headers(self) -> str:
        """The headers about the sender that are the same in every message."""
        lines = _address_header("From", _parse(self.from_address)[0], self.address)
        if self.contact:
            lines += _address_header("Reply-To", _parse(self.contact)[0], self.reply_address)
        return lines

    @cached_property
    def last_headers(self) -> str:
        """The headers about the list that are the same in every message (RFC 2919, 2369, 3834)."""
        return (
            f"List-Id: New arXiv papers <digest.{self.domain}>\r\n"
            "List-Post: NO\r\n"
            "Auto-Submitted: auto-generated\r\n"
            "Precedence: bulk\r\n"  # for programs from before RFC 3834, which answer no bulk
        )


@dataclass(frozen=True, slots=True)
class WayOut:
    """The addresses by which one reader leaves: by a mail, and on the web where there is a web
    side; none for who has left.
    """

    mailto: str = ""
    url: str = ""

    @property
    def headers(self) -> str:
        """RFC 2369 and 8058, each on one line: encoded or folded, the big mail services ignore
        them.
        """
        if not self.mailto:
            return ""
        if not self.url:
            return f"List-Unsubscribe: <{self.mailto}>\r\n"
        one_click = "List-Unsubscribe-Post: List-Unsubscribe=One-Click\r\n"
        return f"List-Unsubscribe: <{self.url}>, <{self.mailto}>\r\n{one_click}"


def assemble(outgoing: Outgoing, sender: Sender) -> Message:
    """Make one reader's message of a frozen body: the headers, and the reader's own line at each
    cut.

    Whatever stands in a name, a subject or an address, each header stays a single one: what does
    not belong there becomes a space. An address that no mail can go to is left for the server to
    refuse.
    """
    address = header_text(outgoing.address)
    recipient = bare_address(address)
    way_out = sender.way_out(outgoing.reader)
    headers = (
        sender.first_headers
        + _address_header("To", outgoing.name, recipient)
        + _text_header("Subject", outgoing.subject)
        + f"Date: {format_datetime(outgoing.date)}\r\n"
        + f"Message-ID: {header_text(outgoing.message_id)}\r\n"
        + way_out.headers
        + sender.last_headers
    )
    line = f"This mail went to {address}."
    page_line = html.escape(line)
    if outgoing.reader and sender.signer is not None:
        choices = sender.choices(outgoing.reader, outgoing.links)
        if choices:
            line = f"{_told(outgoing, choices)}{line}\nChange what comes: {choices}"
            page_line = (
                f"{_told_in_page(outgoing, choices)}{page_line}"
                f' <a href="{html.escape(choices)}" style="color:inherit">Change what comes</a>'
            )
        link = html.escape(way_out.url or way_out.mailto)
        page_line += f' <a href="{link}" style="color:inherit">Unsubscribe</a>'
        line += f"\nTo leave at once: {way_out.url}" if way_out.url else ""
    on_the_web = _on_the_web(sender.view(outgoing.content), has_papers=outgoing.has_papers)
    line, page_line = line + on_the_web.text, page_line + on_the_web.html
    offer = sender.offer(outgoing.id if outgoing.reader else 0, outgoing.links)
    if has_paper_lines(outgoing.pieces):
        line, page_line = line + offer.own.text, page_line + offer.own.html
    return Message(
        sender=sender.envelope_sender(outgoing.id),
        recipient=recipient,
        message_id=header_text(outgoing.message_id),
        data=headers.encode() + filled(outgoing.pieces, Lines(line, page_line), offer.papers),
        smtputf8=not headers.isascii(),
    )


def _on_the_web(view: str, *, has_papers: bool) -> Lines:
    """Where the digest is read in a browser, and where its papers are taken along."""
    if not view:
        return Lines("", "")
    page = f' <a href="{html.escape(view)}" style="color:inherit">View in browser</a>'
    if not has_papers:
        return Lines(f"\nIn a browser: {view}", page)
    bibtex = f' <a href="{html.escape(view)}.bib" style="color:inherit">BibTeX of these papers</a>'
    return Lines(f"\nIn a browser: {view}\nBibTeX: {view}.bib", page + bibtex)


def _told(outgoing: Outgoing, choices: str) -> str:
    """What a reader changed, and where each change is undone, in the text part."""
    told = "".join(
        f"You changed what comes: {words(each.words)}\n"
        f"If that was not you, undo it:\n{choices}/{each.number}\n"
        for each in outgoing.told
    )
    return f"{told}\n" if told else ""


def _told_in_page(outgoing: Outgoing, choices: str) -> str:
    return "".join(
        f"You changed what comes: {html.escape(words(each.words))}"
        f' <a href="{html.escape(choices)}/{each.number}" style="color:inherit">Undo</a><br>'
        for each in outgoing.told
    )


@lru_cache(maxsize=256)
def _text_header(name: str, text: str) -> str:
    """An unstructured header, folded; cached since many readers share a subject."""
    text = header_text(text)
    if _is_plain(text) and all(len(word) <= LONGEST_WORD for word in text.split()):
        lines = textwrap.wrap(
            f"{name}: {text}",
            LINE,
            subsequent_indent=" ",
            break_long_words=False,
            break_on_hyphens=False,
        )
        return "\r\n".join(lines) + "\r\n"
    return f"{name}: {_encoded_words(text, name)}\r\n"


def _address_header(name: str, display_name: str, mailbox: str) -> str:
    """A header with exactly one address."""
    phrase = _phrase(header_text(display_name), name)
    if not phrase:
        return f"{name}: {mailbox}\r\n"
    line = f"{name}: {phrase}"
    room = LINE - len(line.rpartition("\r\n")[2]) - len(" <>")
    break_or_blank = " " if len(mailbox) <= room else "\r\n "
    return f"{line}{break_or_blank}<{mailbox}>\r\n"


def _phrase(name: str, header: str) -> str:
    """A display name as RFC 5322 section 3.2.5 wants it: atoms, a quoted string, or encoded
    words.
    """
    if not _is_plain(name) or len(name) > LONGEST_WORD:
        return _encoded_words(name, header)
    if not name or _ATOMS.fullmatch(name):
        return name
    return f'"{escaped(name)}"'


def _is_plain(text: str) -> bool:
    """Whether a header can hold the text as it is: what looks like an encoded word would be
    decoded.
    """
    return text.isascii() and "=?" not in text


def _encoded_words(text: str, header: str) -> str:
    # The header's name shortens the first line.
    return Header(text, "utf-8", maxlinelen=QUOTED_PRINTABLE_LINE, header_name=header).encode(
        linesep="\r\n"
    )


def _parse(written: str) -> tuple[str, str]:
    """Split `Name <address>` into name and address, either of which may be empty."""
    return parseaddr(header_text(written))


def address_in(written: str) -> str:
    """The bare address in what may have a name before it: `Ada <ada@example.org>`."""
    return bare_address(_parse(written)[1])


def bare_address(address: str) -> str:
    """An address as headers and envelopes write it: local part quoted where needed, domain in
    ASCII.
    """
    local, at, domain = header_text(address).rpartition("@")
    if not at:
        local, domain = domain, ""
    if not _LOCAL_PART.fullmatch(local):
        local = f'"{escaped(local)}"'
    return f"{local}@{_domain(domain)}" if at else local


def _domain(domain: str) -> str:
    """A domain in ASCII (RFC 5891); one that cannot exist loses what would end the address
    early.
    """
    domain = _UNFIT_FOR_DOMAIN.sub(" ", header_text(domain)).strip()
    if domain.isascii():
        return domain
    import idna

    try:
        return idna.encode(domain, uts46=True).decode("ascii")
    except idna.IDNAError:
        return domain
