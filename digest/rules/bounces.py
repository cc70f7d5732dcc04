"""Judges refusals and bounces: whom a server's words blame, and for how long.

SMTP answers and delivery reports are judged alike, by one table: codes (RFC 3463) and words name a
fault, and the fault says whom to blame. The table lists what is meant: only what stands there as
the address's fault ends a reader's mail at once.
"""

from __future__ import annotations

import re
from datetime import timedelta
from enum import StrEnum

SOFT_DAYS = 3
"""Bounces for a time end in a suppression when they come on this many different days (UTC) …"""
SOFT_SPAN = timedelta(days=30)
"""… within this time."""
SURGE_SPAN = timedelta(hours=1)
SURGE_SHARE = 0.05
"""When more than this share of readers bounces within SURGE_SPAN, the cause is not a reader …"""
SURGE_READERS = 5
"""… but fewer readers than these are no surge, however few there are in all."""

_STATUS = re.compile(r"(?<![\d.])([245])\.(\d{1,3})\.(\d{1,3})(?!\d|\.\d)")
_LATER = re.compile(r"(?:^|;)\s*4\d\d[ -]")
"""An answer for a time (RFC 5321 section 4.2.1), as it stands in a report too."""


class Fault(StrEnum):
    """The cause of a refusal, the mildest for the reader first: where several are named, the first
    of them counts. UNKNOWN: none is named.
    """

    SENDER = "sender"
    QUOTA = "quota"
    POLICY = "policy"
    MESSAGE = "message"
    MAILBOX = "mailbox"
    ROUTE = "route"
    UNKNOWN = "unknown"
    ADDRESS = "address"


_ORDER = tuple(Fault)


class Blame(StrEnum):
    """The one whom a bounce blames. HARD: the address, for good. SOFT: for a time. POLICY: the mail
    or its sender.
    """

    HARD = "hard"
    SOFT = "soft"
    POLICY = "policy"


_BLAMED = {
    Fault.ADDRESS: Blame.HARD,
    Fault.MAILBOX: Blame.SOFT,
    Fault.ROUTE: Blame.SOFT,
    Fault.UNKNOWN: Blame.SOFT,
}
"""The blame for a refusal, by its fault; the others blame the mail or its sender."""

_CODES = {
    "1": Fault.MAILBOX,
    "1.1": Fault.ADDRESS,  # no such mailbox
    "1.2": Fault.ADDRESS,  # no such system
    "1.3": Fault.ADDRESS,  # no valid address
    "1.6": Fault.ADDRESS,  # moved
    "1.7": Fault.SENDER,
    "1.8": Fault.SENDER,
    "1.10": Fault.ADDRESS,  # the domain takes no mail (RFC 7505); not found (Exchange)
    "2": Fault.MAILBOX,
    # With another message, or on another day, the address may well work.
    "2.3": Fault.MESSAGE,
    "3": Fault.ROUTE,
    "3.4": Fault.MESSAGE,
    "4": Fault.ROUTE,
    # The sender has sent what the server takes in a day: congestion in RFC 3463, and Gmail's quota.
    "4.5": Fault.QUOTA,
    "5": Fault.ROUTE,
    "6": Fault.MESSAGE,
    # The policy may be about the message or about the sender's standing: never about the reader.
    "7": Fault.POLICY,
    "7.60": Fault.SENDER,  # the login may not send as this sender (Exchange)
}
"""Faults by the subject of a permanent code, and by subject and detail where that says more."""

_WHO = (
    r"(?:users?|user\ ?id|mail\ ?box|recipients?|account|addressee|address|person|alias|customer"
    r"|local\ part)"
)
_KIND = (
    r"(?:(?:virtual|local|remote|valid|active|known|e-?mail|mail|recipient|user|final|delivery)\ )"
)
_UNKNOWN_MAILBOX = re.compile(
    rf"""
    \b(?:no\ such|unknown|invalid|non-?existent|not\ (?:an?|our|in\ our))
        \ {_KIND}{{0,2}}{_WHO}\b(?!\ error)
    | \b{_WHO}\b(?:(?!\b(?:domain|host|server|sender)\b)[^.;:!?]){{0,60}}?\b(?:unknown
        | not\ (?:be\ )?(?:found|known|exists?|recogni[sz]ed|listed)
        | couldn.?t\ be\ found | (?:doesn.?t|don.?t)\ exist
        | no\ longer\ (?:exists|valid|available|active|in\ use|accepts))\b
    | \bno\ {_KIND}?{_WHO}\ (?:here\ )?(?:by|with|of|for|found)\b | \bno\ one\ at\ this\ address\b
    | \buser\ (?:doesn.?t|does\ not)\ have\ an?\ .{{0,40}}\baccount\b
    | \b(?:utilisateur|destinataire)\ inconnu
    | \b(?:usuario|destinatario|utente)\ (?:desconocid|sconosciut)
    | \b(?:benutzer|empfänger|postfach|adressat)\b[^.;:]{{0,40}}\b(?:unbekannt|existiert\ nicht)
    | (?:用户|用戶|收件人|邮箱|信箱|帐号|账号|帳號)\s?(?:不存在|未找到)
    """,
    re.VERBOSE,
)
"""What servers say of a mailbox that does not exist."""
_AFTER_MESSAGE = re.compile(r"\bin reply to (?:end of )?data\b")
"""A refusal that came after the message: the address had been taken, so words alone do not say that
it does not exist; some filters answer so."""
_WITH_WORDS = (
    ("1.2", re.compile(r"\btry again\b"), Fault.ROUTE),
    ("2.1", re.compile(r"\b(?:disabled|deactivated|discontinued)\b"), Fault.ADDRESS),
    ("4.1", re.compile(r"recipient address rejected: access denied"), Fault.ADDRESS),  # Exchange
)
"""Codes that mean something else where these words go with them."""

_WORDS = (
    (
        Fault.SENDER,
        re.compile(
            r"""\b(?:bad|invalid|outbound|unknown|spam)\ sender\b | \bin\ reply\ to\ mail\ from\b
            | \bsenders?\b[^.;]{0,40}\b(?:reject|den[iy]|refus|verif|block|fail|invalid|not|unknown)
            | \bspf\b | \bdkim\b | \bdmarc\b | \bsend\ as\b | \bsendas
            | \bblock(?:ed)?\ (?:using|list) | \bblacklist | \bdnsbl\b | \brbl\b
            | \breputation\b | \breverse\ dns\b | \bptr\b | \breturn.path\b
            | \bclient\ host\b | \bhelo\b | \bvalid\ from\b
            | \bip(?:\ address)?\b[^.;]{0,40}\b(?:block|bann|listed|reject|refus)
            | \byour\ (?:ip|domain|host|server|network|client|(?:e-?mail\ )?address)\b
            """,
            re.VERBOSE,
        ),
    ),
    (
        Fault.QUOTA,
        re.compile(
            r"""\b(?:frequency|rate|sending|daily|hourly)\b[^.;]{0,30}\b(?:limit|quota|exceed)
            | \btoo\ many\ (?:messages|mails|e-?mails|connections|sessions|recipients)\b
            | \bnumber\ of\ messages\b
            """,
            re.VERBOSE,
        ),
    ),
    (
        Fault.POLICY,
        re.compile(
            r"""spam | \bvirus | \bmalware | \bphish | \bpolic(?:y|ies)\b | \bunsolicited
            | \brecipient\ preferences\b
            | \bcontent\ (?:was\ |is\ |has\ been\ )?(?:denied|rejected|refused|blocked)
            | \brelay(?:ing)?\b[^.;:]{0,20}\b(?:denied|prohibited|refused|not)\b
            | \bunable\ to\ relay\b | \bauthenticat | \bnot\ authori[sz]ed\b | \bprohibit
            """,
            re.VERBOSE,
        ),
    ),
    (
        Fault.MESSAGE,
        re.compile(r"\bmessage\b[^.;:]{0,20}\b(?:too (?:large|big)|size|length)\b"),
    ),
    (
        Fault.MAILBOX,
        re.compile(
            r"""\bquota\b | \b(?:mail\ ?box|folder|disk|storage)\b[^.;:]{0,30}\b(?:full|exceed)
            | \bfull\ mail\ ?box\b | \bexceed[^.;:]{0,30}\b(?:storage|space)
            | \benough\ (?:\w+\ )?space | \btemporar | \btry\ (?:again\ )?later\b | \bgr[ae]y-?list
            """,
            re.VERBOSE,
        ),
    ),
    (Fault.ADDRESS, _UNKNOWN_MAILBOX),
)
"""Faults by a server's words, with or without a code."""


def status_of(text: str) -> str:
    """The first enhanced status code in a server's words, such as 5.1.1 (RFC 3463), or nothing."""
    found = _STATUS.search(text)
    return found[0] if found else ""


def fault_of(words: str, status: str = "") -> Fault:
    """The cause that a server's answer names, or a report with its `status` and the server's words.

    Where status, code and words disagree the mildest counts.
    """
    plain = _plain(words)
    codes = {status, *(found[0] for found in _STATUS.finditer(words))}
    named = {_by_code(code, plain) for code in codes}
    said = {fault for fault, pattern in _WORDS if pattern.search(plain)}
    named |= said - {Fault.ADDRESS} if _AFTER_MESSAGE.search(plain) else said
    if _LATER.search(words):
        named.add(Fault.ROUTE)
    return min(named - {Fault.UNKNOWN}, key=_ORDER.index, default=Fault.UNKNOWN)


def mildness(fault: Fault) -> int:
    """The place of a fault among all, the mildest first."""
    return _ORDER.index(fault)


def blame_of(fault: Fault) -> Blame:
    """The one whom a refusal blames, by its fault."""
    return _BLAMED.get(fault, Blame.POLICY)


def bare_words(words: str, address: str = "") -> str:
    """What a server said of a reader, without the addresses, names, ids and numbers that differ
    from one message to the next.
    """
    text = re.sub(r"\S+://\S+|\S*\d\S*|[\w-]+(?:\.[\w-]+)+", " ", _plain(words))
    own = set(re.findall(r"[^\W\d_]+", address.partition("@")[0].casefold()))
    return " ".join(word for word in re.findall(r"[^\W\d_]+", text) if word not in own)


def is_surge(bounced: int, readers: int) -> bool:
    """Whether too many of all readers bounced at once for a reader to be the cause."""
    return bounced >= SURGE_READERS and bounced > SURGE_SHARE * readers


def _by_code(code: str, plain: str) -> Fault:
    """The fault that a code names, in the light of the words that go with it."""
    severity, _, subject = code.partition(".")
    area = subject.partition(".")[0]
    # 5.0.0 leaves open what is meant (RFC 3463 section 3): the words say more.
    if not code or subject == "0.0":
        return Fault.UNKNOWN
    known = _CODES.get(subject, _CODES.get(area, Fault.UNKNOWN))
    if severity != "5":
        return known if known is Fault.QUOTA else Fault.ROUTE
    return next(
        (fault for at, said, fault in _WITH_WORDS if at == subject and said.search(plain)), known
    )


def _plain(words: str) -> str:
    """A server's words in small letters, without addresses, and without codes on each line."""
    text = re.sub(r"[^\s<>()\[\]:;,\"']*@[^\s<>()\[\]:;,\"']*", " ", words.casefold())
    text = re.sub(r"\b[245]\d\d(?:[ -]#?[245]\.\d+\.\d+)?(?=[\s-])-?", " ", text)
    return " ".join(re.sub(r"[<>()\[\]\"'`]+", " ", text).split())
