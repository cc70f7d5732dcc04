"""From "more like this" in a mail to what is liked, and to the order of the digests after it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

from digest.mail.message import Sender
from digest.mail.reader_tokens import Purpose, Signer
from digest.run.bodies import Bodies
from digest.run.inbox import InboxResult, process_message
from digest.run.likes import choose
from digest.setup.mail import make_signer
from digest.store.ageing import KEPT
from digest.store.naming import Disguise
from tests.world.letters import letter
from tests.world.worlds import DAY, HOUR, MONDAY, RENDERER, World, eprint, numbers, reader, text

ADA, BOB, LIN = "ada@example.org", "bob@example.org", "lin@example.org"
SITE = "https://papers.example.org"
WORDS = ("walrus tusks on sea ice", "comet tails in winter skies", "yeast in old bread ovens")


class Post(World):
    """A world whose mails offer likes to Ada and Lin."""

    site = SITE

    @property
    def signer(self) -> Signer:
        return make_signer(self.store)

    async def mail(self, day: int = 0) -> None:
        sender = Sender("Digest <papers@example.org>", signer=self.signer, base_url=self.site)
        await self.cycle(MONDAY + day * DAY, sender=sender)

    def links(self, address: str) -> list[tuple[str, int]]:
        """The tokens and numbers of the links beside the papers of the last mail to a reader."""
        found = re.findall(rf"    Like  {SITE}/u/(\S+)/(\d+)\r\n", text(self.mails(address)[-1]))
        return [(token, int(number)) for token, number in found]

    def page(self, address: str) -> str:
        """The HTML part of the last mail to a reader."""
        found = self.mails(address)[-1].get_body(("html",))
        assert found is not None
        return str(found.get_content())

    def hear(self, raw: bytes) -> InboxResult:
        return process_message(self.store, self.signer, raw, self.now)

    def liked(self, address: str) -> list[int]:
        number = self.store.preferences.number_of(address)
        return [int(paper[-5:]) for paper in self.store.preferences.liked(number or 0)]


@pytest.fixture
def post(tmp_path: Path) -> Iterator[Post]:
    post = Post(tmp_path / "digest.db")
    post.readers = [reader(ADA, "Alpha", feedback=True), reader(BOB, "Alpha")]
    post.readers.append(reader(LIN, "Alpha", feedback=True))
    for n in range(1, 10):
        words = WORDS[n % 3]
        abstract = f"We tell of {words}. " * 3
        post.arxiv.announce("Alpha", eprint(n, title=f"Alpha {n}: {words}", abstract=abstract))
    yield post
    post.close()


def request(post: Post, address: str = ADA, written: str = "3, 7", **headers: str) -> bytes:
    """The mail that a mail program opens for the link of a mail, with what its reader wrote."""
    [link] = re.findall(r'id="like" href="([^"]+)"', post.page(address))
    parts = urlsplit(link.replace("&amp;", "&"))
    asked = parse_qs(parts.query, keep_blank_values=True)
    return letter(asked["subject"][0], asked["body"][0] + written, to=parts.path, **headers)


async def test_a_link_names_the_paper_beside_which_it_stands(post: Post) -> None:
    await post.mail()
    assert "/u/" in text(post.mails(BOB)[-1])
    assert post.links(BOB) == []
    links, shown = post.links(ADA), numbers(post.mails(ADA)[-1])
    assert [number for _, number in links] == list(range(1, 10))
    for (token, number), paper in zip(links, shown, strict=True):
        chosen = choose(post.store, post.signer, token, [number])
        assert chosen is not None
        assert (chosen.reader, chosen.papers) == (1, (eprint(paper).id,))
    assert len(f"{SITE}/u/{links[-1][0]}/{links[-1][1]}") <= 70


async def test_who_asks_for_it_shares_a_body_and_all_others_have_theirs(post: Post) -> None:
    await post.mail()
    sql = "SELECT content FROM delivery ORDER BY subscriber"
    ada, bob, lin = post.database.column(sql)
    assert ada == lin != bob
    assert post.links(ADA)[0][0] != post.links(LIN)[0][0], "and each a token of their own"
    assert numbers(post.mails(ADA)[-1]) == numbers(post.mails(BOB)[-1])


async def test_a_link_works_once_the_body_is_gone_and_until_the_delivery_is(post: Post) -> None:
    await post.mail()
    token, number = post.links(ADA)[2]
    assert post.value("SELECT COUNT(*) FROM body") == 0
    post.database.write("UPDATE content SET digest = ''")  # as `digest db prune` does
    assert choose(post.store, post.signer, token, [number])
    while post.store.ageing.step(MONDAY + KEPT + DAY):
        pass
    assert post.value("SELECT COUNT(*) FROM delivery") == 0
    assert choose(post.store, post.signer, token, [number]) is None


async def test_links_that_were_made_worthless_like_nothing(post: Post) -> None:
    await post.mail()
    token, number = post.links(ADA)[0]
    raw = letter(f"More like {token}", "1", to="papers@example.org")
    post.database.write("UPDATE subscriber SET links = 1 WHERE id = 1")
    assert choose(post.store, post.signer, token, [number]) is None
    assert not process_message(post.store, post.signer, raw, MONDAY).handled
    post.arxiv.announce("Alpha", eprint(20))
    await post.mail(1)
    assert choose(post.store, post.signer, *first_of(post.links(ADA)))
    assert choose(post.store, post.signer, *first_of(post.links(LIN)))


async def test_numbers_of_a_mail_that_is_out_stay_though_a_repeat_has_others(post: Post) -> None:
    await post.mail()
    number = post.value("SELECT id FROM delivery WHERE subscriber = 1")
    before = post.store.preferences.offered(number)
    bodies = Bodies(post.store, RENDERER)
    same, _ = bodies.again(number) or pytest.fail("no value")
    assert same.key == post.value("SELECT key FROM content WHERE id = 1")
    # Now only mentioned in an abstract, it stands last.
    first = eprint(numbers(post.mails(ADA)[-1])[0])
    other = "Old stones are everywhere. We show that they bear walls. Far off, alpha was seen."
    newer = replace(first, version=2, title="Of stones", abstract=other)
    post.arxiv.announce("Alpha", replace(newer, updated=MONDAY))
    await post.cycle(MONDAY + HOUR, fetch_all=True)
    content, _ = bodies.again(number) or pytest.fail("no value")
    assert before is not None
    assert sorted(content.papers) == sorted(before.papers.values())
    assert list(content.papers) != list(before.papers.values())
    again = post.store.outbox.again(number, post.now, "example.org", content)
    assert post.store.preferences.offered(number) == before
    offered = post.store.preferences.offered(again.id)
    assert offered is not None
    assert [offered.papers[n] for n in sorted(offered.papers)] == list(content.papers)


async def test_a_mail_with_numbers_is_heard_once(post: Post) -> None:
    post.site = ""
    await post.mail()
    shown = numbers(post.mails(ADA)[-1])
    raw = request(post)
    heard = post.hear(raw)
    assert (heard.handled, heard.address) == (True, ADA)
    assert heard.did == f"likes {eprint(shown[2]).id}, {eprint(shown[6]).id}"
    assert post.liked(ADA) == sorted([shown[2], shown[6]])
    assert post.liked(LIN) == []
    post.store.preferences.unlike(1, eprint(shown[2]).id)
    assert post.hear(raw).did == "was handled before"
    assert post.liked(ADA) == [shown[6]]


async def test_numbers_that_are_none_are_told_of(post: Post) -> None:
    post.site = ""
    await post.mail()
    assert post.hear(request(post, written="1, 10, 40")).did.endswith("has no paper 10, 40")
    heard = post.hear(request(post, written="10"))
    assert (heard.handled, heard.did) == (
        False,
        "asks for more like some papers, and names none of its mail",
    )


async def test_another_purposes_token_likes_nothing_and_a_likes_leaves_nobody(post: Post) -> None:
    post.site = ""
    await post.mail()
    signer = post.signer
    delivery = post.value("SELECT id FROM delivery WHERE subscriber = 1")
    for purpose, number in ((Purpose.LEAVE, 1), (Purpose.BOUNCE, delivery)):
        heard = post.hear(letter(f"More like {signer.token(purpose, number)}", "1"))
        assert (heard.handled, heard.did) == (
            False,
            "asks for more like some papers, of no mail that is known",
        )
    assert post.liked(ADA) == []
    like = signer.token(Purpose.LIKE, delivery)
    assert not post.hear(letter(f"unsubscribe {like}")).handled
    assert post.store.suppressions.all() == []
    assert post.hear(letter(f"[EXT] more like {like.upper()}: 1", "")).handled
    assert len(post.liked(ADA)) == 1
    assert not post.hear(letter(f"Automatic reply: More like {like}", "2")).handled
    assert post.hear(request(post, written="2", Auto_Submitted="auto-replied")).handled is False


async def test_five_likes_rank_the_next_digest_and_nothing_else_changes(post: Post) -> None:
    await post.mail()
    for token, number in post.links(ADA):
        chosen = choose(post.store, post.signer, token, [number])
        assert chosen is not None
        # Those of comet tails, and two more to make five.
        if int(chosen.papers[0][-5:]) in (1, 4, 7, 2, 5):
            assert post.store.preferences.like(chosen.reader, chosen.papers[0], post.now)
    for n in range(11, 20):
        words = WORDS[n % 3]
        abstract = f"We tell of {words}. " * 3
        paper = eprint(n, MONDAY, title=f"Alpha {n}: {words}", abstract=abstract)
        post.arxiv.announce("Alpha", paper)
    await post.mail(1)
    mine, others = (post.mails(address)[-1] for address in (ADA, LIN))
    assert [n % 3 for n in numbers(mine)[:3]] == [1, 1, 1]
    assert sorted(numbers(mine)) == sorted(numbers(others))
    assert "Close to “Alpha" in text(mine)
    assert "Close to" not in text(others)
    [paper] = choose(post.store, post.signer, *first_of(post.links(ADA))).papers  # type: ignore[union-attr]
    assert paper == eprint(numbers(mine)[0]).id


def first_of(links: list[tuple[str, int]]) -> tuple[str, list[int]]:
    return links[0][0], [links[0][1]]


async def test_who_is_forgotten_likes_nothing_and_their_links_lead_nowhere(post: Post) -> None:
    await post.mail()
    token, number = post.links(ADA)[0]
    post.store.preferences.like(1, eprint(1).id, MONDAY)
    assert post.store.personal.known(ADA)["liked"][0]["paper"] == eprint(1).id
    erased = post.store.personal.forget(ADA, MONDAY)
    assert erased["liked"] == 1
    assert choose(post.store, post.signer, token, [number]) is None


async def test_a_database_that_strangers_see_keeps_no_likes(post: Post) -> None:
    post.site = ""
    await post.mail()
    raw, likes = request(post), post.store.preferences
    assert likes.like(1, eprint(1).id, MONDAY)
    disguise = Disguise(
        lambda address: f"name of {address}",
        lambda words, _: words,
        lambda body: body,
        lambda value: value,
        lambda _: b"",
    )
    post.store.naming.hide("mark", disguise)
    assert likes.liked(1) == {}
    assert not likes.like(1, eprint(1).id, MONDAY)
    signer = Signer("a secret of the operator's", post.store.uuid)
    token = signer.token(Purpose.LIKE, post.value("SELECT id FROM delivery WHERE subscriber = 1"))
    heard = process_message(post.store, signer, letter(f"More like {token}", "1"), MONDAY)
    assert (heard.handled, heard.did) == (
        False,
        "likes are not kept where strangers may see the database",
    )
    assert raw
    assert likes.liked(1) == {}
