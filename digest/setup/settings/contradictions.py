"""What settings ask of one another."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from digest.errors import ConfigError
from digest.setup.settings.table import IN_PLACE

if TYPE_CHECKING:
    from digest.setup.settings import Settings


def contradictions(
    settings: Settings, mistakes: Mapping[str, ConfigError]
) -> Iterator[tuple[str, ConfigError]]:
    """What is missing because of another setting, by variable."""
    services = {"feeds": settings.arxiv_feeds, "oai": settings.arxiv_oai}
    address = f"DIGEST_ARXIV_{settings.source.upper()}"
    cases = (
        (
            settings.subscribers_yaml and not settings.secret,
            "DIGEST_SECRET",
            "DIGEST_SUBSCRIBERS_YAML is set, and DIGEST_SECRET is not: "
            "readers' names are made with it",
            "set it to a long random text, and never change it ('openssl rand -hex 32' makes one)",
        ),
        (
            # An address that cannot be read is a mistake already.
            not services.get(settings.source, "there") and address not in mistakes,
            "DIGEST_SOURCE",
            f"DIGEST_SOURCE is {settings.source}, and there is no address to ask",
            f"set {address}",
        ),
        (
            settings.mails_for_real and not settings.sender,
            "DIGEST_FROM",
            "DIGEST_FROM is not set, and mail needs a sender",
            "set it, such as DIGEST_FROM='Daily Papers <papers@example.org>'",
        ),
    )
    further = (*_for_sign_ups(settings, mistakes), *_for_summaries(settings))
    for applies, name, message, remedy in (*cases, *further):
        if applies:
            yield name, ConfigError(message, remedy=remedy)


def _for_sign_ups(
    settings: Settings, mistakes: Mapping[str, ConfigError]
) -> tuple[tuple[object, str, str, str], ...]:
    """What strangers who sign up need; as `contradictions` has it."""
    return (
        (
            settings.signup and not settings.base_url and "DIGEST_BASE_URL" not in mistakes,
            "DIGEST_SIGNUP",
            "DIGEST_SIGNUP is open, and DIGEST_BASE_URL is not set: no link could confirm an"
            " address",
            "set DIGEST_BASE_URL, or DIGEST_SIGNUP=closed",
        ),
        (
            settings.signup and settings.subscribers_yaml,
            "DIGEST_SIGNUP",
            f"DIGEST_SIGNUP is open, and with {IN_PLACE} the database keeps no addresses",
            "keep the readers in a file (DIGEST_SUBSCRIBERS), or set DIGEST_SIGNUP=closed",
        ),
    )


def _for_summaries(settings: Settings) -> tuple[tuple[object, str, str, str], ...]:
    """What a model is asked with; as `contradictions` has it."""
    place = urlsplit(settings.llm_url)
    is_here = place.hostname in ("localhost", "127.0.0.1", "::1")
    return (
        (
            settings.llm_url and not settings.llm_model,
            "DIGEST_LLM_MODEL",
            "DIGEST_LLM_URL is set, and DIGEST_LLM_MODEL is not: an endpoint may have many models",
            "set it to the name of one, such as DIGEST_LLM_MODEL=qwen3:8b",
        ),
        (
            settings.llm_key and place.scheme == "http" and not is_here,
            "DIGEST_LLM_URL",
            "DIGEST_LLM_URL begins with http://, and DIGEST_LLM_KEY would cross the network in"
            " clear text",
            "use https://, or leave the key out",
        ),
    )
