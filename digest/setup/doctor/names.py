"""Checks of what the sender's domain publishes against forgery: SPF, DKIM and DMARC, as far as DNS
tells.
"""

from __future__ import annotations

import re
from collections.abc import Callable

import dns.exception
import dns.resolver

from digest.setup.doctor.check import Finding, UncheckedError, first, ok, warn

SECONDS = 4.0
"""For one question, all servers and repetitions included."""
_BULK = "receivers such as Gmail and Yahoo want it"
_POLICIES = {"none": "is only reported", "quarantine": "goes to spam", "reject": "is refused"}

Ask = Callable[[str], "list[str] | None"]
"""The TXT records of a name: None where the name does not exist, an empty list where it has
none."""


def make_resolver() -> dns.resolver.Resolver | None:
    """The system's resolver, asked by ourselves; None where the system names none."""
    try:
        return dns.resolver.Resolver()
    except dns.exception.DNSException:
        return None


def asking(resolver: dns.resolver.Resolver | None, seconds: float = SECONDS) -> Ask:
    """Ask this resolver for TXT records. What it returns raises UncheckedError where no
    answer comes.
    """

    def ask(name: str) -> list[str] | None:
        if resolver is None:
            raise UncheckedError("this machine names no DNS server")
        try:
            # With the dot at its end the name is not tried below this machine's own domains.
            answer = resolver.resolve(f"{name}.", "TXT", lifetime=seconds, raise_on_no_answer=False)
        except dns.resolver.NXDOMAIN:
            return None
        except (dns.exception.DNSException, OSError) as error:
            raise UncheckedError(
                "no DNS server answered"
                if isinstance(error, dns.exception.Timeout)
                else "the DNS server had no usable answer"
            ) from error
        if answer.rrset is None:
            return []
        # One record may come in several strings, which belong together without blanks (RFC 7208
        # section 3.3).
        return [b"".join(record.strings).decode("utf-8", "replace") for record in answer.rrset]

    return ask


def check_spf(domain: str, ask: Ask) -> Finding:
    """Whether the domain says which servers send for it (RFC 7208); whether ours is one, only
    receivers see.
    """
    records = _records(domain, ask)
    if records is None:
        return warn(
            f"the domain {domain} of DIGEST_FROM does not exist", "use an address that takes mail"
        )
    found = [text for text in records if re.match(r"v=spf1( |$)", text, re.IGNORECASE)]
    record = "".join(found[:1])
    return first(
        (
            not found,
            warn(f"{domain} does not say which servers send for it", f"add an SPF record: {_BULK}"),
        ),
        (
            len(found) > 1,
            warn(
                f"{domain} has {len(found)} SPF records, which counts as none",
                "join them into one",
            ),
        ),
        (
            re.search(r"(?:^| )\+?all\b", record, re.IGNORECASE),
            warn(
                f"{domain} lets every server send for it (+all)",
                "end the record with ~all or -all",
            ),
        ),
        (True, ok(f"{domain} names its servers: {_short(record)}")),
    )


def check_dkim(domain: str, ask: Ask) -> Finding:
    """Whether the domain has any signing key.

    Keys stand below `_domainkey.DOMAIN` under a name that only a signed mail tells (RFC 6376
    section 3.6.2.1); but where that name itself does not exist, nothing stands below it (RFC 8020).
    The key of a domain above counts, too, for DMARC (RFC 7489 section 3.1.1).
    """
    _must_exist(domain, ask)
    if any(ask(f"_domainkey.{place}") is not None for place in _with_parents(domain)):
        return ok(
            f"{domain} has keys; "
            "a received mail's Authentication-Results tells whether it was signed"
        )
    return warn(
        f"{domain} seems to have no key, so that no mail from it is signed",
        f"switch on DKIM where mail leaves, and publish its key: {_BULK}",
    )


def check_dmarc(domain: str, ask: Ask) -> Finding:
    """What the domain wants done with mail that neither SPF nor DKIM vouches for.

    Asked of the domain, then of each domain above it that is not a top-level one.
    """
    _must_exist(domain, ask)
    for place in _with_parents(domain):
        found = [t for t in ask(f"_dmarc.{place}") or [] if re.match(r"v=DMARC1\s*(;|$)", t)]
        if len(found) > 1:
            return warn(
                f"{place} has {len(found)} DMARC records, which counts as none", "leave one"
            )
        if found:
            return _policy(place, found[0])
    return warn(
        f"{domain} has no DMARC record",
        f"add one at _dmarc.{domain}, such as v=DMARC1; p=none: {_BULK}",
    )


def _must_exist(domain: str, ask: Ask) -> None:
    """Raise UncheckedError for a domain that does not exist, which SPF's check tells."""
    if _records(domain, ask) is None:
        raise UncheckedError(f"the domain {domain} does not exist")


def _records(domain: str, ask: Ask) -> list[str] | None:
    """The domain's own TXT records. Raises UncheckedError also where a server denies the whole
    top-level domain: one behind a firewall, that knows its own names alone, says so of every
    domain.
    """
    records = ask(domain)
    if records is None and ask(domain.rpartition(".")[2]) is None:
        raise UncheckedError("the DNS server here knows no public names")
    return records


def _with_parents(domain: str) -> list[str]:
    """The domain, and each above it that is not a top-level one."""
    labels = domain.split(".")
    return [".".join(labels[above:]) for above in range(len(labels) - 1)]


def _policy(place: str, record: str) -> Finding:
    written = re.search(r";\s*p\s*=\s*(\w+)", record, re.IGNORECASE)
    policy = written[1].lower() if written else ""
    if policy not in _POLICIES:
        return warn(
            f"{place}'s record names no policy: {_short(record)}",
            "write p=none, quarantine or reject",
        )
    return ok(f"{place}: mail that nothing vouches for {_POLICIES[policy]} (p={policy})")


def _short(text: str) -> str:
    # Anybody can write a record, and control characters would speak to the terminal.
    line = "".join(char if char.isprintable() else "?" for char in text)
    return line if len(line) <= 80 else f"{line[:79]}…"
