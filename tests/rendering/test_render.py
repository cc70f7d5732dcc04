from __future__ import annotations

import re
import unicodedata
from dataclasses import replace
from datetime import datetime, time, timedelta
from html.parser import HTMLParser
from importlib import resources
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from digest.errors import ConfigError
from digest.model import (
    Abstracts,
    Change,
    Digest,
    Format,
    Item,
    Keyword,
    Kind,
    Layout,
    Rendered,
    Rhythm,
    Rule,
    Tally,
    Weekly,
)
from digest.rendering.render import HTML_BYTES, TEXT_BYTES, Renderer
from digest.rendering.view import view
from digest.rules.compose import Extras, compose
from tests.world.samples import ADA, MLLM, NOW, item, mixed_items, paper, sample_digest

MARK = "k7f3a9c0d1e2b"
RENDERER = Renderer()
TAGS = set(
    (
        "html head meta title style body div table tbody tr td h1 h2 h3 h4 p ul li a b bdi em i br "
        "span"
    ).split()
)
INLINE = set("a b bdi em i span".split())
ATTRIBUTES = set(
    "lang charset name content style class role width cellspacing cellpadding border align href id "
    "aria-roledescription aria-label".split()
)
FOR_OUTLOOK = {
    '[if mso]><table role="presentation" width="600" cellspacing="0" cellpadding="0" border="0">'
    "<tr><td><![endif]",
    "[if mso]></td></tr></table><![endif]",
}


class Page(HTMLParser):
    """Collects what a mail program would see in an HTML part."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: set[str] = set()
        self.links: list[str] = []
        self.words: list[str] = []
        self.headings: list[str] = []
        self.ids: list[str] = []
        self._in = ""
        self.feed(html)
        self.close()
        self.text = " ".join("".join(self.words).split())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.words += [] if tag in INLINE else [" "]
        self.attributes |= {name for name, _ in attrs}
        self.links += [value or "" for name, value in attrs if name == "href"]
        self.ids += [value or "" for name, value in attrs if name == "id"]
        self._in = tag if tag != "h3" or ("class", "d") in attrs else "h3 of a paper"

    def handle_endtag(self, tag: str) -> None:
        self.words += [] if tag in INLINE else [" "]
        self._in = ""

    def handle_comment(self, data: str) -> None:
        assert data in FOR_OUTLOOK, f"a comment in the page: {data}"

    def handle_data(self, data: str) -> None:
        if self._in not in ("style", "title"):
            self.words.append(data)
        if self._in in ("h1", "h2", "h3"):
            self.headings.append(data.strip())


def rendered(digest: Digest, renderer: Renderer = RENDERER) -> Rendered:
    return renderer.render(digest, MARK)


def page_of(digest: Digest) -> Page:
    return Page(rendered(digest).html)


def flat(text: str) -> str:
    return " ".join(text.split())


def width(line: str) -> int:
    """Columns of a terminal, told apart from the renderer's own way of counting."""
    return sum(
        0
        if unicodedata.category(c) in {"Mn", "Me", "Cf"}
        else 1 + (unicodedata.east_asian_width(c) in {"W", "F"})
        for c in line
    )


# Subjects


@pytest.mark.parametrize(
    ("items", "subject"),
    [
        ([item(1)], "1 new paper: Reward Model (23 Nov)"),
        ([item(1, "MLLM"), item(2), item(3)], "3 new papers: Reward Model, MLLM (23 Nov)"),
        (mixed_items(), "5 new papers, 1 new version: Reward Model, MLLM, Hallucination (23 Nov)"),
        ([item(1, "MLLM", kind=Kind.REVISED, version=2)], "1 new version: MLLM (23 Nov)"),
        ([item(1, "MLLM", "Reward Model")], "1 new paper: Reward Model (23 Nov)"),
    ],
)
def test_the_subject_counts_papers_and_names_what_brought_them(
    items: list[Item], subject: str
) -> None:
    assert rendered(sample_digest(items)).subject == subject


def test_the_subject_of_a_welcome_and_of_a_quiet_day() -> None:
    papers = [item(1), *(item(n, "MLLM") for n in range(2, 13))]

    assert (
        rendered(sample_digest(papers, welcome=True)).subject
        == "Your arXiv digest starts: 12 recent papers on Reward Model, MLLM"
    )
    assert rendered(sample_digest([], quiet="weekend")).subject == "No new papers: weekend (23 Nov)"
    assert rendered(sample_digest([])).subject == "No new papers (23 Nov)"


def test_a_long_subject_says_how_many_names_it_left_out() -> None:
    names = [f"Keyword number {n}" for n in range(1, 9)]
    reader = replace(
        ADA, keywords=tuple(Keyword(name, f"all:k{name[-1]}", Rule.QUERY) for name in names)
    )
    digest = sample_digest([item(n, name) for n, name in enumerate(names, 1)], reader)

    subject = rendered(digest).subject
    assert subject == "8 new papers: Keyword number 1, Keyword number 2 +6 more keywords (23 Nov)"


def test_a_prefix_stands_before_every_subject_and_counts() -> None:
    reader = replace(ADA, subject_prefix="[arXiv]")
    assert (
        rendered(sample_digest([item(1)], reader)).subject
        == "[arXiv] 1 new paper: Reward Model (23 Nov)"
    )
    assert (
        rendered(sample_digest([], reader, quiet="weekend")).subject
        == "[arXiv] No new papers: weekend (23 Nov)"
    )


def test_one_endless_name_is_cut_and_line_breaks_never_reach_the_subject() -> None:
    name = "Endless\r\nBcc: eve@example.org\x00" + "x" * 300
    reader = replace(ADA, keywords=(Keyword(name, "all:x", Rule.QUERY), MLLM))
    subject = rendered(sample_digest([item(1, name), item(2, "MLLM")], reader)).subject

    assert len(subject) <= 78
    assert subject.isprintable()
    assert subject.endswith("… +1 more keyword (23 Nov)")


# What the reader finds in both parts


def both(digest: Digest) -> list[str]:
    made = rendered(digest)
    return [flat(made.text), Page(made.html).text]


def test_both_parts_say_the_same_of_a_paper() -> None:
    digest = sample_digest(
        [item(4, kind=Kind.LATE, published=datetime.fromisoformat("2026-11-06T23:30:00Z"))]
    )

    for text in both(digest):
        for expected in (
            "1 new paper",
            "for Reward Model, Monday 23 November",
            "On the Sample Complexity of Pairwise Comparisons Under a Drifting Judge",
            "Ada Example, Grace Sample, Emmy Specimen + 1 more",
            "announced late",
            "7 Nov 2026",  # in Berlin, where it was past midnight
            "cs.LG, cs.CL",
            "14 pages, 6 figures; code at https://example.org/code",
            paper().abstract,
            "The digest before this one is of Friday 20 November.",
            "The next may come on Tuesday 24 November, about 07:00 (Europe/Berlin).",
            "Thank you to arXiv for use of its open access interoperability.",
            "papers@example.org",
        ):
            assert expected in text


def test_a_mail_begins_with_what_it_brings_and_nothing_twice() -> None:
    text = page_of(sample_digest([item(1), item(2, "MLLM"), item(3)])).text

    assert text.startswith("3 new papers for Reward Model and MLLM, Monday 23 November")
    assert text.count("Whose Preference? Group-Aware Reward Models Without Group Labels") == 1


def test_headings_are_the_keywords_and_then_the_new_versions() -> None:
    headings = [heading for heading in page_of(sample_digest()).headings if heading]

    assert headings == [
        "5 new papers, 1 new version",
        "Reward Model",
        "MLLM",
        "New versions",
        "In full",
    ]


def test_links_go_to_the_abstract_page_and_the_files_of_the_version() -> None:
    digest = sample_digest([item(1, id="hep-th/9901001", version=3, comment="")])

    assert page_of(digest).links == [
        "https://arxiv.org/abs/hep-th/9901001v3",
        "https://arxiv.org/pdf/hep-th/9901001v3",
        "https://arxiv.org/html/hep-th/9901001v3",
        "mailto:papers@example.org?subject=unsubscribe",
    ]
    assert "\n    https://arxiv.org/abs/hep-th/9901001v3\n" in rendered(digest).text


def test_a_new_version_and_a_withdrawal_are_told() -> None:
    for layout in Layout:
        for text in both(sample_digest(reader=replace(ADA, layout=layout))):
            assert "withdrawn" in text.split("an error in section 4")[0]
            assert "v3" in text.split("New versions")[1]


def test_labels_name_the_keywords_where_there_are_several() -> None:
    one, several = sample_digest([item(1)]), sample_digest([item(1, "MLLM", "Reward Model")])

    assert "<i" not in rendered(one).html
    assert re.findall(r"<i [^>]*>([^<]*)</i>", rendered(several).html) == ["Reward Model", "MLLM"]
    assert "· Reward Model, MLLM\n" in rendered(several).text


def test_a_title_line_names_all_its_keywords_too() -> None:
    titles = sample_digest(
        [item(1, "MLLM", "Reward Model"), item(2, "MLLM", "Reward Model")], abstracts=1
    )

    assert rendered(titles).html.count("<i ") == 4
    assert rendered(titles).text.count("· Reward Model, MLLM\n") == 2


def test_every_mail_says_which_keywords_and_rules_it_follows() -> None:
    from digest.keywords.grammar import describe

    for digest in (
        sample_digest(),
        sample_digest(welcome=True),
        sample_digest([], quiet="weekend"),
    ):
        for text in both(digest):
            for keyword in ADA.keywords:
                assert flat(describe(keyword)) in text


def test_a_welcome_without_papers_says_so() -> None:
    for text in both(sample_digest([], welcome=True, previous=None)):
        assert "Your arXiv digest starts" in text
        assert "Nothing of the last days matches" in text
        assert "The digest before" not in text
        assert "The next may come on Tuesday 24 November" in text


@pytest.mark.parametrize(
    ("rhythm", "words"),
    [
        (
            Rhythm(tuple(Weekly), None, tells=False),
            "Digests come every day, as soon as the papers are in; where no paper",
        ),
        (
            Rhythm(tuple(Weekly)[:5], time(7), tells=True),
            "from Monday to Friday, not before 07:00 (Europe/Berlin);",
        ),
        (
            Rhythm((Weekly.MON,), None, tells=True),
            "on Mondays, as soon as the papers are in; where no paper matches, a short",
        ),
        (
            Rhythm(tuple(Weekly)[1:6], None, tells=False),
            "on Tuesdays, Wednesdays, Thursdays, Fridays and Saturdays,",
        ),
    ],
)
def test_a_welcome_says_when_digests_come_and_what_a_day_without_one_means(
    rhythm: Rhythm, words: str
) -> None:
    for text in both(sample_digest(welcome=True, rhythm=rhythm)):
        assert words in " ".join(text.split())
        assert "Sunday to Thursday, New York time" in " ".join(text.split())


def test_a_quiet_day_says_why() -> None:
    for text in both(sample_digest([], quiet="holiday (Thanksgiving)")):
        assert "No new papers" in text
        assert "Why nothing came: holiday (Thanksgiving)." in text


@pytest.mark.parametrize(
    ("skipped", "words"),
    [(1, "1 older paper was let go."), (1234, "1,234 older papers were let go.")],
)
def test_papers_let_go_after_a_pause_are_counted(skipped: int, words: str) -> None:
    for text in both(sample_digest(skipped=skipped)):
        assert words in text


def test_the_way_out_without_a_contact_is_the_operators_command() -> None:
    digest = sample_digest(contact="")

    assert not [link for link in page_of(digest).links if link.startswith("mailto:")]
    for text in both(digest):
        assert "digest unsubscribe" in text


def test_beyond_the_number_of_abstracts_papers_come_as_titles() -> None:
    for layout, words in ((Layout.FULL, "without abstracts"), (Layout.BOTH, "other abstracts")):
        reader = replace(ADA, max_papers=2, layout=layout)
        digest = sample_digest([item(n) for n in range(1, 7)], reader)

        for text in both(digest):
            assert text.count(paper().abstract) == 2
            assert text.count(words) == 1
        assert rendered(digest).text.count("https://arxiv.org/abs/") == 6


# Size


def titles(html: str) -> int:
    """How many papers an HTML part names: the link with the title is the first to its address."""
    return len(set(re.findall(r"https://arxiv\.org/abs/[^\"]+", html)))


def test_the_html_part_lets_abstracts_go_before_it_grows_too_long() -> None:
    reader = replace(ADA, max_papers=300, layout=Layout.FULL)
    made = rendered(sample_digest([item(n) for n in range(1, 301)], reader))

    assert len(made.html.encode()) <= HTML_BYTES
    assert len(made.html.encode()) > HTML_BYTES - 2_000
    assert 0 < made.html.count("We study how") < 300
    assert "Trained models" not in made.html
    assert titles(made.html) == 300
    assert len(made.text.encode()) <= TEXT_BYTES
    assert made.text.count("https://arxiv.org/abs/") == 300
    alone = sample_digest(
        [item(n) for n in range(1, 301)], replace(ADA, max_papers=300, format=Format.TEXT)
    )
    assert rendered(alone).text.count("Trained models") == 300


def test_then_details_then_titles_and_never_in_silence() -> None:
    many = rendered(sample_digest([item(n) for n in range(1, 401)]))
    assert titles(many.html) == 400
    assert 0 < many.html.count("22 Nov 2026") + many.html.count("21 Nov 2026") < 400

    more = rendered(sample_digest([item(n) for n in range(1, 801)]))
    listed = titles(more.html)
    assert f"and {800 - listed} more (listed in the text part)" in more.html
    assert 300 < listed < 800
    assert len(more.html.encode()) <= HTML_BYTES
    assert more.text.count("https://arxiv.org/abs/") == 800


def test_hundreds_of_hostile_keywords_leave_the_html_part_within_its_size() -> None:
    reader = replace(
        ADA,
        keywords=tuple(
            Keyword("&" * 90 + str(n), f"{n}" + '"<&>' * 500, Rule.QUERY) for n in range(500)
        ),
    )
    made = rendered(sample_digest([item(1, reader.keywords[7].name)], reader))

    assert len(made.html.encode()) <= HTML_BYTES
    assert "and 460 more (listed in the text part)" in made.html


def test_abstracts_end_with_a_sentence_before_one_of_them_goes() -> None:
    reader = replace(ADA, max_papers=90, layout=Layout.FULL)
    made = rendered(sample_digest([item(n) for n in range(1, 91)], reader))

    abstracts = re.findall(r"We study how[^<]*", made.html)
    assert len(abstracts) == 90
    assert len(set(abstracts)) == 1
    assert abstracts[0].endswith(". …")
    assert len(abstracts[0]) > 200
    assert "are whole on arXiv" in made.html
    assert made.text.count("Trained models") == 90


def test_a_reader_of_text_gets_no_html() -> None:
    made = rendered(sample_digest(reader=replace(ADA, format=Format.TEXT)))

    assert made.html == ""
    assert made.text == rendered(sample_digest()).text


# At a glance


def real(number: int, **changes: object) -> Item:
    """A paper whose key sentence stands in the midst of its abstract."""
    abstract = (
        f"Reward models are all around. However, number {number} is open. "
        f"We introduce RM-{number}, a reward model that is small. It helps in {number} cases."
    )
    return item(number, title=f"RM-{number}: Small Reward Models", abstract=abstract, **changes)


def test_from_four_papers_on_all_stand_at_a_glance_and_then_in_full() -> None:
    three, four = (
        sample_digest([real(n) for n in range(1, count + 1)], replace(ADA, max_papers=3))
        for count in (3, 4)
    )
    for text in both(three):
        assert "In full" not in text
        assert text.count("We introduce RM-2, a reward model that is small.") == 1
    for text in both(four):
        glance, full = text.split("In full", 1)
        for number in range(1, 5):
            sentence = f"We introduce RM-{number}, a reward model that is small."
            assert glance.count(sentence) == 1
            assert full.count(sentence) == (number <= 3)
            assert f"number {number} is open" not in glance
        assert "The other abstracts are left out, to keep this mail short." in full
    page = page_of(four)
    assert [link for link in page.links if link[0] == "#"] == [
        *(f"#p{number}" for number in range(1, 4)),
        *(f"#g{number}" for number in range(1, 4)),
    ]
    assert {f"{kind}{number}" for kind in "pg" for number in range(1, 4)} <= set(page.ids)


def test_a_reader_may_have_the_one_or_the_other_alone() -> None:
    papers = [real(n) for n in range(1, 6)]
    full = sample_digest(papers, replace(ADA, layout=Layout.FULL))
    glance = sample_digest(papers, replace(ADA, abstracts=Abstracts.NONE))
    for text in both(full):
        assert "In full" not in text
        assert text.count("number 3 is open") == 1
    for text in both(glance):
        assert "In full" not in text
        assert text.count("a reward model that is small") == 5
        assert "is open" not in text
        assert text.count("22 Nov 2026") + text.count("21 Nov 2026") == 5


def test_what_only_mentions_a_keyword_stands_as_a_title_behind_the_others() -> None:
    once = "We show in which order leaves fall. A reward model is of use in it, too."
    items = [
        item(1, title="Leaves in Order", abstract=once, authors=("Emmy Specimen", "Ida Sample")),
        item(2, title="Trees in Order", abstract=once, authors=("Grace Sample",)),
        item(3, title="Roots in Order", abstract="A reward model is it. We sort roots by hand."),
        *(real(n) for n in range(4, 7)),
    ]
    reader = replace(ADA, authors=("Grace Sample",), max_papers=6)
    digest = sample_digest(items, reader)
    for text in both(digest):
        glance, full = text.split("In full", 1)
        before, passing = glance.split("Mentioned in passing")
        assert "Trees in Order" in before
        assert "Roots in Order" in before, "the abstract opens with it"
        assert "Leaves in Order" in passing
        assert full.count(once) == 2
        assert "Emmy Specimen and Ida Sample" in " ".join(passing.split())
        assert full.count("Emmy Specimen, Ida Sample") == 1
    links = page_of(digest).links
    assert all(links.count(f"#p{number}") == 1 for number in range(1, 7))
    assert "passing" not in rendered(replace(digest, layout=Layout.FULL)).text


def test_a_new_version_says_at_a_glance_what_it_changed() -> None:
    items = [real(n) for n in range(1, 5)]
    changed = replace(items[0], kind=Kind.REVISED, changes=(Change.TITLE,), old_title="Before")
    for text in both(sample_digest([changed, *items[1:]])):
        glance = text.split("In full", 1)[0]
        assert "Changed: title (before: Before); abstract as before" in glance
        assert "We introduce RM-1" not in glance


def test_a_badge_does_not_repeat_the_comment_beside_it() -> None:
    comment = "14 pages; accepted at EXMP 2026, with an appendix"
    for text in both(sample_digest([real(1, comment=comment)])):
        assert text.count("accepted at EXMP 2026") == 1
    for text in both(sample_digest([real(n, comment=comment) for n in range(1, 5)])):
        glance, full = text.split("In full", 1)
        assert glance.count("accepted at EXMP 2026") == 4
        assert full.count("accepted at EXMP 2026") == 4


def test_the_full_part_gives_way_before_the_glance() -> None:
    made = rendered(sample_digest([real(n) for n in range(1, 121)], replace(ADA, max_papers=120)))
    glance, full = made.html.split(">In full<")

    assert len(made.html.encode()) <= HTML_BYTES
    assert glance.count("We introduce") == 120
    assert 0 < full.count("We introduce") < 120


# Contents, days, marks


def test_more_than_eight_papers_come_with_a_list_of_contents() -> None:
    reader = replace(ADA, layout=Layout.FULL)
    eight = [item(n, "MLLM" if n % 2 else "Hallucination") for n in range(1, 9)]
    digest = sample_digest([*eight, item(9, kind=Kind.REVISED)], reader)

    assert "#s1" not in page_of(sample_digest(eight, reader)).links
    assert [link for link in page_of(digest).links if link[0] == "#"] == ["#s1", "#s2", "#s3"]
    text = rendered(digest).text
    assert (
        "\n   1. MLLM 4 papers\n   5. Hallucination 4 papers\n   9. New versions 1 version\n"
        in text
    )


def test_under_a_single_keyword_the_contents_are_titles() -> None:
    reader = replace(ADA, max_papers=3, layout=Layout.FULL)
    digest = sample_digest([item(n) for n in range(1, 13)], reader)

    assert [link for link in page_of(digest).links if link[0] == "#"] == [
        f"#p{n}" for n in range(1, 9)
    ]
    for text in both(digest):
        assert "and 4 more" in text


def test_a_catch_up_has_its_days_as_headings() -> None:
    days = [datetime.fromisoformat(f"2026-11-{day}T12:00:00Z") for day in (20, 19, 18)]
    items = [item(n, published=days[n % 3], updated=days[n % 3]) for n in range(1, 13)]
    digest = compose(
        [*items, item(13, kind=Kind.LATE)],
        replace(ADA, layout=Layout.FULL),
        now=NOW + timedelta(hours=1),
        extras=Extras(previous=NOW - timedelta(days=19)),
    )
    page = page_of(digest)

    assert [heading for heading in page.headings if heading] == [
        "13 new papers",
        "Reward Model",
        "Monday 23 November",
        "Friday 20 November",
        "Thursday 19 November",
        "Held, and announced since",
    ]
    assert {"h3", "h4"} <= set(page.tags)
    assert [link for link in page.links if link[0] == "#"] == ["#d1", "#d5", "#d9", "#d13"]
    for text in both(digest):
        assert "Monday 23 November; all since Wednesday 4 November" in text


def test_matched_words_are_marked_and_nothing_else_is_markup() -> None:
    digest = sample_digest(
        [
            item(
                1,
                title="<em>Reward</em> & Reward-Modelling",
                comment="",
                abstract="A reward model.",
            )
        ]
    )
    html = rendered(digest).html

    assert "&lt;em&gt;Reward&lt;/em&gt; &amp; <em>Reward-Modelling</em>" in html
    assert "A <em>reward model</em>." in html
    assert "<em>" not in rendered(digest).text.replace("<em>Reward</em>", "")


# Form


def test_styles_are_in_the_tags_and_dark_mode_stays() -> None:
    html = rendered(sample_digest()).html

    assert "@media (prefers-color-scheme: dark)" in html
    assert '<meta name="color-scheme" content="light dark">' in html
    assert 'lang="en"' in html
    assert re.search(r"<h3 [^>]*style=", html)
    assert not re.search(r"url\(|@import|<img|<script|<link", html)


def test_wide_characters_take_two_columns() -> None:
    digest = sample_digest(
        [item(1, title="深層学習による報酬モデル" * 9, abstract="奖励模型的研究 " * 60)]
    )

    lines = rendered(digest).text.splitlines()
    assert all(width(line) <= 78 for line in lines)
    assert max(width(line) for line in lines if "深" in line) > 70


def test_a_link_in_a_comment_is_never_broken() -> None:
    link = "https://example.org/" + "a" * 120
    text = rendered(sample_digest([item(1, comment=f"Code: {link}")])).text

    assert f"    {link}\n" in text


HOSTILE = [
    '<script>alert("x")</script>',
    '"><img src=x onerror=alert(1)>',
    "</style></td></table><!-- ",
    "{{ mark }} {% raw %}",
    "a\r\nBcc: eve@example.org\r\n\r\n.",
    "\u202egnp.exe\u2066 \u2028\u2029\x85\x00\x1b[31m\ud800",
    "x" * 3_000,
    "code: https://evil.example/x and reward model, Reward <models>. And more. " * 12,
    "&amp;&lt;&#x27;" * 40,
    "深" * 700,
    "e\u0301" * 200,
    "",
    "   ",
]
texts = st.one_of(st.sampled_from(HOSTILE), st.text(max_size=60))


@st.composite
def digests(draw: st.DrawFn) -> Digest:
    names = draw(st.lists(texts.filter(str.strip), min_size=1, max_size=4, unique_by=str.casefold))
    pool = [
        (
            draw(texts),
            draw(texts) * draw(st.sampled_from([1, 5, 40])),
            tuple(draw(st.lists(texts, max_size=5))),
            draw(texts),
            tuple(draw(st.lists(st.sampled_from(names), min_size=1, max_size=3))),
            draw(st.sampled_from([Kind.NEW, Kind.LATE, Kind.REVISED])),
        )
        for _ in range(draw(st.integers(1, 5)))
    ]
    items = []
    for number in range(1, draw(st.one_of(st.integers(0, 12), st.integers(0, 500))) + 1):
        title, abstract, authors, comment, keywords, kind = pool[number % len(pool)]
        items.append(
            item(
                number,
                *keywords,
                kind=kind,
                title=title,
                abstract=abstract,
                authors=authors,
                comment=comment,
            )
        )
    reader = replace(
        ADA,
        keywords=tuple(
            Keyword(
                name, draw(st.sampled_from(["all:x", "abs:model", 'ti:"reward model"'])), Rule.QUERY
            )
            for name in names
        ),
        max_papers=draw(st.integers(1, 500)),
        abstracts=draw(st.sampled_from(Abstracts)),
        layout=draw(st.sampled_from(Layout)),
        subject_prefix=draw(st.sampled_from(["", "[arXiv]", "x\r\n" * 30])),
    )
    return sample_digest(
        items,
        reader,
        welcome=draw(st.booleans()),
        skipped=draw(st.integers(0, 3)),
        quiet=draw(texts),
        contact=draw(st.sampled_from(["", "papers@example.org", "o'papers+list@example.org"])),
        previous=NOW - timedelta(days=draw(st.sampled_from([1, 30]))),
        tally=Tally(*draw(st.tuples(*[st.integers(0, 10**6)] * 5)), agreed=draw(st.booleans())),
    )


@settings(
    max_examples=12,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
@given(digests())
def test_any_digest_keeps_its_form_whatever_the_papers_say(digest: Digest) -> None:
    made = rendered(digest)
    assert len(made.html.encode()) <= HTML_BYTES
    assert len(made.subject) <= 78
    for part in (made.subject, made.text.replace("\n", ""), made.html.replace("\n", "")):
        assert not [c for c in part if unicodedata.category(c) in {"Cc", "Cs", "Zl", "Zp"}]

    for part in (made.text, made.html):
        assert part.count(MARK) == 1
        assert MARK in part.split("\n")

    lines = made.text.split("\n")
    assert all(width(line) <= 78 or "https://" in line for line in lines)
    assert lines == [line.rstrip(" ") for line in lines]
    urls = [paper.url for section in view(digest).sections for paper in section.papers]
    assert sorted(urls) == sorted(
        item.paper.abstract_url for section in digest.sections for item in section.items
    )
    assert [
        line.strip() for line in lines if re.fullmatch(r" +https://arxiv\.org/abs/\S+", line)
    ] == urls

    page = Page(made.html)
    assert set(page.tags) <= TAGS
    assert page.attributes <= ATTRIBUTES
    assert all(
        link.startswith(("https://arxiv.org/", "https://evil.example/x", "mailto:", "#"))
        for link in page.links
    )
    assert {link[1:] for link in page.links if link[0] == "#"} <= set(page.ids)
    assert len(page.ids) == len(set(page.ids))
    listed = list(
        dict.fromkeys(link for link in page.links if link.startswith("https://arxiv.org/abs/"))
    )
    assert listed == urls[: len(listed)]
    if len(listed) < len(urls):
        assert f"and {len(urls) - len(listed)} more (listed in the text part)" in page.text


# The operator's own templates


def test_the_operators_folder_overrides_one_file_and_is_escaped_too(tmp_path: Path) -> None:
    (tmp_path / "digest.html").write_text(
        "<p>Ours: {{ page.sections[0].papers[0].title }}\n{{ mark }}\n</p>", encoding="utf-8"
    )
    made = rendered(sample_digest([item(1, title="<b>Bold</b>")]), Renderer(tmp_path))

    assert "Ours: &lt;b&gt;Bold&lt;/b&gt;" in made.html
    assert made.text == rendered(sample_digest([item(1, title="<b>Bold</b>")])).text


@pytest.mark.parametrize(
    ("template", "words"),
    [
        ("{% if %}", "digest.txt, line 1"),
        ("{{ page.titel }}\n{{ mark }}", "titel"),
        ("  {{ mark }}", "alone on its line"),
        ("{{ mark }}\n{{ mark }}", "once"),
        ("Hello", "once"),
        ("{% include 'gone.txt' %}", "gone.txt"),
        ("{{ 1 + 'a' }}", "digest.txt"),
        ("{{ cycler.__init__.__globals__.os.system('true') }}", "unsafe"),
        ("{{ page.__class__.__mro__ }}", "unsafe"),
        ("{{ '{0.__class__}'.format(1) }}", "unsafe"),
        ("{{ range(10 ** 9) }}", "Range too big"),
    ],
)
def test_a_broken_template_is_named_with_what_is_wrong(
    tmp_path: Path, template: str, words: str
) -> None:
    (tmp_path / "digest.txt").write_text(template, encoding="utf-8")

    with pytest.raises(ConfigError, match=words):
        rendered(sample_digest(), Renderer(tmp_path))


def test_the_built_in_templates_do_without_what_the_sandbox_forbids(tmp_path: Path) -> None:
    built_in = Path(str(resources.files("digest.templates")))
    for name in ("digest.html", "digest.txt"):
        (tmp_path / name).write_text((built_in / name).read_text(encoding="utf-8"))
    assert rendered(sample_digest(), Renderer(tmp_path)) == rendered(sample_digest())


def test_a_template_that_is_too_long_by_itself_is_refused(tmp_path: Path) -> None:
    (tmp_path / "digest.html").write_text(
        "<p>" + "long " * 20_000 + "\n{{ mark }}\n", encoding="utf-8"
    )

    with pytest.raises(ConfigError, match="before it names a paper"):
        rendered(sample_digest(), Renderer(tmp_path))


def test_a_percent_sign_stays_with_its_number() -> None:
    from digest.rendering.fold import wrap

    for length in range(60, 80):
        assert "\n%" not in wrap("x" * length + " 40 % of its cost, and 5 %.")


def test_tex_is_shown_as_unicode() -> None:
    tex = item(
        1,
        title=r"An $O(n \log n)$ bound of Erd\H{o}s",
        abstract=r"We need $\leq 5\%$ for \$6 and $\nobody$.",
        authors=(r"Pr\'{i}ncipe, Jos\'e",),
        comment=r"\emph{Accepted}",
    )
    text = RENDERER.render(sample_digest([tex]), MARK).text
    assert "An O(n log n) bound of Erdős" in text
    assert r"We need ≤5% for $6 and $\nobody$." in text
    assert "Príncipe, José" in text
    assert "Accepted" in text
    assert r"\emph" not in text
