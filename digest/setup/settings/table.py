"""All settings, a row each: its name, what stands where nothing is said, what it is for, and how it
is read.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from digest.setup.settings import read
from digest.setup.settings.read import Written

ARXIV_API = "https://export.arxiv.org/api/query"
ARXIV_FEEDS = "https://rss.arxiv.org/atom"
ARXIV_OAI = "https://oaipmh.arxiv.org/oai"
GITHUB_API = "https://api.github.com"
ZOTERO_API = "https://api.zotero.org"
IN_PLACE = "DIGEST_SUBSCRIBERS_YAML"
"""The setting that may stand in the place of the subscribers file."""
CREDENTIAL, INBOX_CREDENTIAL = "mail-password", "inbox-password"
ZOTERO_CREDENTIAL, LLM_CREDENTIAL = "zotero-key", "llm-key"
"""The names under which systemd hands over the passwords of SMTP and IMAP, and the keys for Zotero
and for a model (systemd.exec(5), LoadCredential)."""


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting. `field` is that of Settings in which its value stands, or "" where it only helps
    to find another's.

    A password may also stand in the file that `variable`_FILE names, or be handed over by systemd
    as `credential`.
    """

    variable: str
    field: str
    default: str
    help: str
    read: Callable[[Written], object] = read.text
    secret: bool = False
    credential: str = ""

    @property
    def flag(self) -> str:
        """The flag of the same name; a secret has none, since process lists show flags to
        everybody.
        """
        return "--" + self.variable.removeprefix("DIGEST_").lower().replace("_", "-")


SETTINGS = (
    Setting("DIGEST_HOME", "", "", "The folder to which all other paths are relative"),
    Setting("DIGEST_DB", "db", "digest.db", "The database", read.database),
    Setting(
        "DIGEST_SUBSCRIBERS", "subscribers", "subscribers.yaml", "The subscribers file", read.path
    ),
    # In a workflow the file's text comes from a secret, since its folder is the repository.
    Setting(
        IN_PLACE,
        "subscribers_yaml",
        "",
        "The subscribers file's text itself, where strangers may see files",
        secret=True,
    ),
    Setting(
        "DIGEST_SECRET",
        "secret",
        "",
        "What tokens and readers' names are made with, not the database's own",
        read.secret,
        secret=True,
    ),
    Setting(
        "DIGEST_MAIL",
        "mail",
        "maildir:mail",
        "Where mail goes: maildir:PATH, sendmail:, smtp://USER@HOST:587 or smtps://USER@HOST:465",
    ),
    Setting(
        "DIGEST_MAIL_PASSWORD",
        "mail_password",
        "",
        "The password of the SMTP login",
        secret=True,
        credential=CREDENTIAL,
    ),
    Setting(
        "DIGEST_MAIL_PASSWORD_FILE", "", "", "A file that holds the password of the SMTP login"
    ),
    Setting(
        "DIGEST_MAIL_TOKEN_COMMAND",
        "mail_token_command",
        "",
        "A command that prints an access token for the SMTP login (XOAUTH2)",
    ),
    Setting(
        "DIGEST_MAIL_CA",
        "mail_ca",
        "",
        "A file with the certificate of a private authority, for SMTP",
        read.path,
    ),
    Setting(
        "DIGEST_MAIL_RATE",
        "mail_rate",
        "",
        "How much mail may leave at most, such as '20/min, 450/day'",
        read.rate,
    ),
    Setting(
        "DIGEST_FROM",
        "sender",
        "",
        "The sender, such as 'Daily Papers <papers@example.org>'",
        read.address,
    ),
    Setting(
        "DIGEST_CONTACT",
        "contact",
        "",
        "The address to which people write, and that arXiv sees",
        read.address,
    ),
    Setting(
        "DIGEST_SOURCE",
        "source",
        "auto",
        "What is asked first for new papers: auto, api, feeds or oai",
        read.source,
    ),
    Setting(
        "DIGEST_ARXIV_API",
        "arxiv_api",
        ARXIV_API,
        "The address of arXiv's query interface",
        read.url,
    ),
    Setting(
        "DIGEST_ARXIV_FEEDS",
        "arxiv_feeds",
        ARXIV_FEEDS,
        "The address of arXiv's announcement feeds, or none",
        read.service,
    ),
    Setting(
        "DIGEST_ARXIV_OAI",
        "arxiv_oai",
        ARXIV_OAI,
        "The address of arXiv's OAI-PMH service, or none",
        read.service,
    ),
    Setting(
        "DIGEST_ARXIV_DELAY",
        "arxiv_delay",
        "3",
        "Seconds between two requests to arXiv",
        read.seconds,
    ),
    Setting(
        "DIGEST_ON_UNKNOWN",
        "hold_unknown",
        "retry",
        "What follows when a mail may have been delivered: retry or hold",
        read.hold,
    ),
    Setting(
        "DIGEST_INBOX",
        "inbox",
        "",
        "The mailbox to which bounces and requests to leave come: imaps://USER@HOST/FOLDER",
        read.mailbox,
    ),
    Setting(
        "DIGEST_INBOX_PASSWORD",
        "inbox_password",
        "",
        "The password of that mailbox",
        secret=True,
        credential=INBOX_CREDENTIAL,
    ),
    Setting("DIGEST_INBOX_PASSWORD_FILE", "", "", "A file that holds the password of that mailbox"),
    Setting(
        "DIGEST_BOUNCE",
        "bounce",
        "",
        "The bounce address; each delivery gets one of its own, bounces+…@example.org",
        read.bounce,
    ),
    Setting(
        "DIGEST_OPERATOR",
        "operator",
        "",
        "Who hears by mail of trouble, once, and when all is well again",
        read.address,
    ),
    # Whoever knows the address can report good cycles that never were.
    Setting(
        "DIGEST_HEARTBEAT_URL",
        "heartbeat_url",
        "",
        "An address that is called after each good cycle",
        read.secret_url,
        secret=True,
    ),
    Setting(
        "DIGEST_BASE_URL",
        "base_url",
        "",
        "Where 'digest serve' is reached from outside: https://digest.example.org",
        read.base_url,
    ),
    Setting(
        "DIGEST_PROXIES",
        "proxies",
        "",
        "The web servers in front of 'digest serve' that say for whom they ask: 127.0.0.1, ::1",
        read.networks,
    ),
    Setting(
        "DIGEST_METRICS",
        "metrics",
        "",
        "Where 'digest serve' shows figures and the details of health: 127.0.0.1:9464",
        read.listen,
    ),
    Setting(
        "DIGEST_SIGNUP",
        "signup",
        "closed",
        "Whether strangers may sign up on the web side: open or closed",
        read.signup,
    ),
    Setting(
        "DIGEST_GITHUB_TOKEN",
        "github_token",
        "",
        "The token with which issues are posted",
        secret=True,
    ),
    Setting(
        "DIGEST_GITHUB_API",
        "github_api",
        GITHUB_API,
        "The address of GitHub's REST interface",
        read.url,
    ),
    Setting("DIGEST_ISSUE_LABEL", "issue_label", "", "The label that each issue gets", read.label),
    Setting(
        "DIGEST_PAGE_URL",
        "page_url",
        "",
        "Where the page is read; each issue begins with a link to it",
        read.url,
    ),
    Setting(
        "DIGEST_WEBHOOK_TARGETS",
        "private_targets",
        "public",
        "Where webhooks may lead: to public addresses, or to any, this machine's network included",
        read.targets,
    ),
    Setting(
        "DIGEST_ZOTERO_KEY",
        "zotero_key",
        "",
        "The key with which readers' Zotero libraries are read",
        secret=True,
        credential=ZOTERO_CREDENTIAL,
    ),
    Setting("DIGEST_ZOTERO_KEY_FILE", "", "", "A file that holds that key"),
    Setting(
        "DIGEST_ZOTERO_API",
        "zotero_api",
        ZOTERO_API,
        "The address of Zotero's web API",
        read.url,
    ),
    Setting(
        "DIGEST_LLM_URL",
        "llm_url",
        "",
        "Where a language model is asked for summaries (OpenAI's chat form): https://HOST/v1",
        read.endpoint,
    ),
    Setting("DIGEST_LLM_MODEL", "llm_model", "", "The name of that model", read.model),
    Setting(
        "DIGEST_LLM_KEY",
        "llm_key",
        "",
        "The key with which it is asked",
        secret=True,
        credential=LLM_CREDENTIAL,
    ),
    Setting("DIGEST_LLM_KEY_FILE", "", "", "A file that holds that key"),
    Setting(
        "DIGEST_LLM_DAILY",
        "llm_daily",
        "1000 requests, 1000000 tokens",
        "How much it may be asked in a day",
        read.daily,
    ),
    Setting(
        "DIGEST_TEMPLATES",
        "templates",
        "",
        "A folder whose templates come before the built-in ones",
        read.folder,
    ),
)
