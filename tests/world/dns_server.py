"""A DNS server on the loopback interface that knows the TXT records it is given, in a thread of its
own."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import dns.flags
import dns.message
import dns.rcode
import dns.resolver
import dns.rrset


@contextmanager
def dns_server(
    records: Mapping[str, list[str]], *, silent: bool = False
) -> Iterator[dns.resolver.Resolver]:
    """Serve until the block ends; what it yields asks this server alone.

    A name that is not there but has names below it exists without records (RFC 8020).
    """
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as listener:
        listener.bind(("127.0.0.1", 0))
        listener.settimeout(0.02)
        ended = threading.Event()

        def serve() -> None:
            while not ended.is_set():
                try:
                    data, asker = listener.recvfrom(4096)
                except TimeoutError:
                    continue
                if not silent:
                    listener.sendto(_answer(dns.message.from_wire(data), records), asker)

        thread = threading.Thread(target=serve, name="dns")
        thread.start()
        resolver = dns.resolver.Resolver(configure=False)
        resolver.nameservers, resolver.port = ["127.0.0.1"], listener.getsockname()[1]
        try:
            yield resolver
        finally:
            ended.set()
            thread.join()


def _answer(question: dns.message.Message, records: Mapping[str, list[str]]) -> bytes:
    answer = dns.message.make_response(question)
    answer.flags |= dns.flags.RA
    name = question.question[0].name
    text = name.to_text(omit_final_dot=True).lower()
    if text in records:
        if records[text]:
            strings = [
                " ".join(f'"{piece}"' for piece in record.split("|")) for record in records[text]
            ]
            answer.answer.append(dns.rrset.from_text(name, 60, "IN", "TXT", *strings))
    elif not any(known.endswith(f".{text}") for known in records):
        answer.set_rcode(dns.rcode.NXDOMAIN)
    return answer.to_wire()
