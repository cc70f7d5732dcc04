"""Readers who are known by a name: read, refused where something is missing, changed and moved by
commands, and no token of theirs in any word of a mistake."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from digest.errors import UsageError
from digest.model import Channel, Outgoing
from digest.setup.channels import targets_of
from digest.setup.settings import load_settings
from digest.subscribers.edit import (
    add_subscribers,
    move_subscriber,
    remove_subscribers,
    set_fields,
)
from digest.subscribers.follow import follow_text, problem_words
from digest.subscribers.load import load_roster
from digest.subscribers.problems import SubscribersFileError
from digest.subscribers.pseudonyms import Pseudonyms, mailboxes, reveal
from tests.subscribers.files import written

NOW = datetime(2026, 11, 24, tzinfo=UTC)
TOKEN = "T0KEN-of-the-lab"
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
FILE = f"""\
subscribers:
  - email: ada@example.org
    keywords: [MLLM]
  - webhook: https://hooks.example.org/{TOKEN}   # the lab's own program
    name: Lab chat
    secret: {SECRET}
    keywords: [MLLM, Reward Model]
    schedule: weekdays
"""


def test_a_webhook_is_a_subscriber_like_any_other(tmp_path: Path) -> None:
    _, lab = load_roster(written(tmp_path, FILE)).subscribers
    assert (lab.email, lab.channel) == ("webhook:Lab chat", Channel.WEBHOOK)
    assert (lab.target, lab.secret) == (f"https://hooks.example.org/{TOKEN}", SECRET)
    assert len(lab.days) == 5
    assert TOKEN not in repr(lab)
    assert SECRET not in repr(lab)


def test_variables_stand_in_the_place_of_url_and_secret(tmp_path: Path) -> None:
    text = FILE.replace(f"https://hooks.example.org/{TOKEN}", "$HOOK").replace(SECRET, "${KEY}")
    _, lab = load_roster(written(tmp_path, text)).subscribers
    assert (lab.target, lab.secret) == ("$HOOK", "${KEY}")


def test_a_secret_of_the_defaults_is_every_webhooks_and_no_mails(tmp_path: Path) -> None:
    text = "defaults: {secret: $KEY}\n" + FILE.replace(f"    secret: {SECRET}\n", "")
    ada, lab = load_roster(written(tmp_path, text)).subscribers
    assert (ada.secret, lab.secret) == ("", "$KEY")


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("    name: Lab chat\n", "", "webhook: needs a name: beside it"),
        (f"    secret: {SECRET}\n", "", "webhook: needs a secret: beside it"),
        ("https://hooks", "hooks", "a webhook is a URL that begins with https://"),
        (f"secret: {SECRET}", f"secret: {TOKEN}", "a secret is whsec_ and base64"),
        ("webhook:", "webhok:", "webhok: means nothing in a subscriber"),
        ("    name: Lab", f"    secret: {SECRET}\n    name: Lab", "for the second time"),
        ("keywords: [MLLM, Reward Model]", "keywords: []", "webhook:Lab chat has no keywords"),
        ("  - email: ada@example.org", f"  - email: a@example.org\n    secret: {SECRET}", "alone"),
        ("    name: Lab chat", "    name: Lab chat\n    email: b@example.org", "write two"),
        (f"secret: {SECRET}", f"secrt: {SECRET}", "secrt: means nothing in a subscriber"),
        (f"secret: {SECRET}", f"secret_key: {SECRET[6:]}", "secret_key: means nothing"),
        ("email: ada@example.org", f"email: tgram://1:{TOKEN}/2", "tgram://"),
        ("email: ada@example.org", f"github: tgram://1:{TOKEN}/2", "written OWNER/REPO"),
    ],
)
def test_what_is_wrong_is_told_without_a_token(
    tmp_path: Path, old: str, new: str, said: str
) -> None:
    assert old in FILE
    with pytest.raises(SubscribersFileError) as error:
        load_roster(written(tmp_path, FILE.replace(old, new)))
    assert said in str(error.value)
    assert TOKEN not in str(error.value)
    assert SECRET[6:] not in str(error.value)


def test_a_name_is_one_readers_in_whatever_case(tmp_path: Path) -> None:
    again = "  - {webhook: $OTHER, name: LAB CHAT, secret: $KEY, keywords: [MLLM]}\n"
    with pytest.raises(SubscribersFileError, match="webhook:LAB CHAT stands here for the second"):
        load_roster(written(tmp_path, FILE + again))


def test_a_mistake_holds_back_the_reader_whose_name_stands_beside_it() -> None:
    text = FILE.replace("https://hooks", "hooks")
    book = follow_text(text, "subscribers.yaml", problem_words("subscribers.yaml"))
    assert [reader.email for reader in book.roster.subscribers] == ["ada@example.org"]
    assert book.roster.why_held_back("webhook:lab chat").startswith("subscribers.yaml:4:14")


def test_commands_change_and_take_out_whoever_is_there(tmp_path: Path) -> None:
    path = written(tmp_path, FILE)
    add_subscribers(path, ["webhook:lab chat"], ["RLHF"])
    set_fields(path, ["webhook:Lab chat"], {"at": "07:00"})
    move_subscriber(path, "webhook:Lab chat", "webhook:The lab")
    _, lab = load_roster(path).subscribers
    assert lab.email == "webhook:The lab"
    assert [keyword.name for keyword in lab.keywords] == ["MLLM", "Reward Model", "RLHF"]
    assert f"  - webhook: https://hooks.example.org/{TOKEN}   # the lab's" in path.read_text()
    remove_subscribers(path, ["webhook:The lab"])
    assert [reader.email for reader in load_roster(path).subscribers] == ["ada@example.org"]


def test_what_only_the_file_can_say_is_refused_by_commands(tmp_path: Path) -> None:
    path = written(tmp_path, FILE)
    with pytest.raises(UsageError, match="only be said there") as error:
        add_subscribers(path, ["webhook:New"], ["MLLM"])
    assert "docs/channels.md" in str(error.value.remedy)
    with pytest.raises(UsageError, match="is known by its name"):
        set_fields(path, ["webhook:Lab chat"], {"name": "Other"})
    with pytest.raises(UsageError, match="not of one kind"):
        move_subscriber(path, "webhook:Lab chat", "ada@lab.example.org")
    with pytest.raises(UsageError, match="is no reader"):
        add_subscribers(path, ["webhook: "], ["MLLM"])
    assert path.read_text() == FILE


@pytest.mark.heavy
def test_a_chat_is_a_subscriber_like_any_other(tmp_path: Path) -> None:
    text = (
        "subscribers:\n  - apprise: discord://4174216298/T0KENabc\n    name: Lab chat\n"
        "    keywords: [MLLM]\n"
    )
    [lab] = load_roster(written(tmp_path, text)).subscribers
    assert (lab.email, lab.channel) == ("apprise:Lab chat", Channel.APPRISE)
    assert lab.target == "discord://4174216298/T0KENabc"


@pytest.mark.heavy
@pytest.mark.parametrize(
    ("url", "said"),
    [
        (f"ntfy://{TOKEN}@ntfy.example.org/papers/more", "this URL names 2 targets"),
        (f"nothing://{TOKEN}", "Apprise knows no service"),
        (TOKEN, "this is no URL of Apprise's"),
        (f"discord://4174216298/{TOKEN}'\n    secret: '$KEY", "a secret is a webhook's alone"),
    ],
)
def test_a_wrong_chat_is_a_mistake_that_shows_no_token(tmp_path: Path, url: str, said: str) -> None:
    text = f"subscribers:\n  - apprise: '{url}'\n    name: Lab\n    keywords: [MLLM]\n"
    with pytest.raises(SubscribersFileError) as error:
        load_roster(written(tmp_path, text))
    assert said in str(error.value)
    assert TOKEN not in str(error.value)


def test_a_webhook_and_a_chat_have_names_of_their_own(tmp_path: Path) -> None:
    again = "  - {apprise: $CHAT, name: lab chat, keywords: [MLLM]}\n"
    with pytest.raises(SubscribersFileError, match="apprise:lab chat stands here for the second"):
        load_roster(written(tmp_path, FILE + again))


def test_where_strangers_see_the_database_a_name_is_hidden_and_found_again(tmp_path: Path) -> None:
    hidden = Pseudonyms("a key of these tests").hide(load_roster(written(tmp_path, FILE)))
    _, lab = hidden.subscribers
    assert lab.email.startswith("reader:")
    assert (lab.name, lab.channel, lab.mailbox) == ("", Channel.WEBHOOK, "webhook:Lab chat")
    outgoing = Outgoing(1, 1, lab.email, "", "<a@b>", NOW, "", (), channel=lab.channel)
    named = reveal(outgoing, mailboxes(hidden))
    assert named is not None
    target = targets_of(load_settings({}, {"DIGEST_HOME": str(tmp_path)}), hidden).of(named.address)
    assert target.url == f"https://hooks.example.org/{TOKEN}"
