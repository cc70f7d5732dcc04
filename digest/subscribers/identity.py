"""Who a subscriber of the file is: by an address, or, where the digests go to a URL, by a name."""

from __future__ import annotations

from collections.abc import Container, Mapping, Sequence
from typing import Any

from digest.errors import UsageError
from digest.model import Channel
from digest.subscribers.addresses import NAMED, address_by_name, channel_of, repository_of
from digest.subscribers.document import YamlNode
from digest.subscribers.read_fields import read_field
from digest.subscribers.values import Report, WrongValueError


def refuse_several(fields: Mapping[str, YamlNode], addresses: Sequence[str]) -> None:
    """Raise WrongValueError where a subscriber's digests would go to more than one place."""
    if len(addresses) > 1:
        raise WrongValueError(
            f"a subscriber has {' or '.join(addresses)}: write two subscribers",
            node=fields[addresses[1]],
        )


def read_identity(
    report: Report, kind: str, own: Mapping[str, YamlNode], values: Mapping[str, Any]
) -> dict[str, Any]:
    """The fields of a subscriber that follow from the `kind` of its address; `values` are all its
    others. Raises WrongValueError.
    """
    told = read_field(report, kind, own[kind])
    if kind not in NAMED:
        if "secret" in own:
            raise WrongValueError("a secret is a webhook's alone", node=own["secret"])
        return {"email": told, "secret": ""}
    name, secret = values.get("name", ""), values.get("secret", "")
    if not name:
        raise WrongValueError(
            f"{kind}: needs a name: beside it, by which this reader is known", node=own[kind]
        )
    if kind == Channel.WEBHOOK and not secret:
        raise WrongValueError(
            "webhook: needs a secret: beside it, with which messages are signed", node=own[kind]
        )
    if kind != Channel.WEBHOOK and "secret" in own:
        raise WrongValueError("a secret is a webhook's alone", node=own["secret"])
    email = address_by_name(kind, name)
    return {"email": email, "target": told, "secret": secret if kind == Channel.WEBHOOK else ""}


def clashing(email: str) -> list[str]:
    """The casefolded addresses of which a file holds one at most, if this is one of them: a name is
    one reader's, whatever the URL.
    """
    kind, _, name = email.partition(":")
    if kind not in NAMED:
        return [email.casefold()]
    return [address_by_name(each, name).casefold() for each in NAMED]


def kind_of(address: str) -> str:
    """The field of an entry that says where its digests go."""
    channel = channel_of(address)
    return "email" if channel is Channel.MAIL else channel.value


def identity_field(address: str) -> tuple[str, str]:
    """The field of an entry that says who its reader is, and the value that means this address."""
    channel = channel_of(address)
    if channel is Channel.GITHUB:
        return "github", repository_of(address)
    return ("name", address.partition(":")[2]) if channel in NAMED else ("email", address)


def refuse_renaming(address: str, fields: Container[str]) -> None:
    """Raise UsageError where another name would be given to a reader who is known by it."""
    if channel_of(address) in NAMED and "name" in fields:
        raise UsageError(
            f"{address} is known by its name",
            remedy="'digest subscribers move OLD NEW' gives another",
        )
