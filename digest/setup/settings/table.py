"""All settings by name: the variable, what stands where nothing is said, and what each is for."""

from __future__ import annotations

from dataclasses import dataclass

ARXIV_API = "https://export.arxiv.org/api/query"
ARXIV_FEEDS = "https://rss.arxiv.org/atom"
ARXIV_OAI = "https://oaipmh.arxiv.org/oai"
GITHUB_API = "https://api.github.com"


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting: its variable, what stands where nothing is said, and what it is for."""

    variable: str
    default: str
    help: str
    secret: bool = False

    @property
    def flag(self) -> str:
        """The flag of the same name; a secret has none, since process lists show flags to
        everybody.
        """
        return "--" + self.variable.removeprefix("DIGEST_").lower().replace("_", "-")


SETTINGS = (
    Setting("DIGEST_HOME", "", "The folder to which all other paths are relative"),
    Setting("DIGEST_DB", "digest.db", "The database"),
    Setting("DIGEST_SUBSCRIBERS", "subscribers.yaml", "The subscribers file"),
    Setting(
        "DIGEST_SUBSCRIBERS_YAML",
        "",
        "The subscribers file's text itself, where strangers may see files",
        secret=True,
    ),
    Setting(
        "DIGEST_SECRET",
        "",
        "What tokens and readers' names are made with, not the database's own",
        secret=True,
    ),
    Setting(
        "DIGEST_MAIL",
        "maildir:mail",
        "Where mail goes: maildir:PATH, sendmail:, smtp://USER@HOST:587 or smtps://USER@HOST:465",
    ),
    Setting("DIGEST_MAIL_PASSWORD", "", "The password of the SMTP login", secret=True),
    Setting("DIGEST_MAIL_PASSWORD_FILE", "", "A file that holds the password of the SMTP login"),
    Setting(
        "DIGEST_MAIL_TOKEN_COMMAND",
        "",
        "A command that prints an access token for the SMTP login (XOAUTH2)",
    ),
    Setting("DIGEST_MAIL_CA", "", "A file with the certificate of a private authority, for SMTP"),
    Setting("DIGEST_MAIL_RATE", "", "How much mail may leave at most, such as '20/min, 450/day'"),
    Setting("DIGEST_FROM", "", "The sender, such as 'Daily Papers <papers@example.org>'"),
    Setting("DIGEST_CONTACT", "", "The address to which people write, and that arXiv sees"),
    Setting("DIGEST_SOURCE", "auto", "What is asked first for new papers: auto, api, feeds or oai"),
    Setting("DIGEST_ARXIV_API", ARXIV_API, "The address of arXiv's query interface"),
    Setting(
        "DIGEST_ARXIV_FEEDS", ARXIV_FEEDS, "The address of arXiv's announcement feeds, or none"
    ),
    Setting("DIGEST_ARXIV_OAI", ARXIV_OAI, "The address of arXiv's OAI-PMH service, or none"),
    Setting("DIGEST_ARXIV_DELAY", "3", "Seconds between two requests to arXiv"),
    Setting(
        "DIGEST_ON_UNKNOWN",
        "retry",
        "What follows when a mail may have been delivered: retry or hold",
    ),
    Setting(
        "DIGEST_INBOX",
        "",
        "The mailbox to which bounces and requests to leave come: imaps://USER@HOST/FOLDER",
    ),
    Setting("DIGEST_INBOX_PASSWORD", "", "The password of that mailbox", secret=True),
    Setting("DIGEST_INBOX_PASSWORD_FILE", "", "A file that holds the password of that mailbox"),
    Setting(
        "DIGEST_BOUNCE",
        "",
        "The bounce address; each delivery gets one of its own, bounces+…@example.org",
    ),
    Setting(
        "DIGEST_OPERATOR", "", "Who hears by mail of trouble, once, and when all is well again"
    ),
    Setting(
        "DIGEST_HEARTBEAT_URL", "", "An address that is called after each good cycle", secret=True
    ),
    Setting(
        "DIGEST_BASE_URL",
        "",
        "Where 'digest serve' is reached from outside: https://digest.example.org",
    ),
    Setting("DIGEST_GITHUB_TOKEN", "", "The token with which issues are posted", secret=True),
    Setting("DIGEST_GITHUB_API", GITHUB_API, "The address of GitHub's REST interface"),
    Setting("DIGEST_TEMPLATES", "", "A folder whose templates come before the built-in ones"),
)
