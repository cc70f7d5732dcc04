"""What all pages and digests tell: the operator's notice, and the pages on privacy and imprint."""

from __future__ import annotations

from pathlib import Path

from digest.store.notices import Notice
from digest.web.pages import Pages
from tests.world.web_side import web_side
from tests.world.worlds import HOUR, eprint, mail, text

WORDS = "No digests on <24> & 25 December"


async def test_a_notice_tops_digests_and_pages_until_its_day_is_over(tmp_path: Path) -> None:
    with web_side(tmp_path) as side:
        side.store.notices.set(Notice(WORDS, side.now.date()))
        side.arxiv.announce("Reasoning", eprint(1, side.now - HOUR))
        await side.run()
        last = side.relay.taken[-1].data
        assert f"Notice: {WORDS}" in text(mail(last))
        html = mail(last).get_body(("html",))
        assert html is not None
        assert "No digests on &lt;24&gt; &amp; 25 December" in html.get_content()
        page = await side.ask("/signup")
        assert "No digests on &lt;24&gt; &amp; 25 December</p>" in page.text
        side.arxiv.announce("Reasoning", eprint(2, side.now))
        await side.run(24)
        assert "Notice:" not in text(side.mails()[-1])
        assert "No digests" not in (await side.ask("/signup")).text


def test_the_operators_pages_are_led_to_where_they_are(tmp_path: Path) -> None:
    assert "<footer>" not in Pages().page("error.html", heading="x", sentence="y")
    folder = tmp_path / "web"
    folder.mkdir()
    (folder / "privacy.html").write_text(
        '{% extends "privacy-text.html" %}{% block who %}Ada Lovelace{% endblock %}'
    )
    (folder / "imprint.html").write_text(
        '{% extends "legal.html" %}{% block legal %}A{% endblock %}'
    )
    pages = Pages("/digest", tmp_path)
    assert pages.legal == ["privacy", "imprint"]
    page = pages.page("privacy.html")
    assert "Responsible: Ada Lovelace" in page
    assert '<a href="/digest/imprint">Imprint</a>' in page
