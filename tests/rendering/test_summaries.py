"""What a model says stands in the sentence's place, by its name, and moves no paper."""

from __future__ import annotations

import json
from dataclasses import replace
from itertools import chain
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from digest.model import Digest, Item, Kind, Layout, Summary
from digest.rendering.chat import render_chat
from digest.rendering.entry import PaperView
from digest.rendering.payload import render_payload
from digest.rendering.render import Renderer
from digest.rendering.value import impersonal
from digest.rendering.view import view
from digest.rules.compose import Extras, compose
from tests.world.samples import ADA, NOW, item

RENDERER = Renderer()
GERMAN = "Wir halbieren den Fehler eines MLLM & <mehr>."
READER = replace(ADA, summary=Summary.TLDR, language="de")
PASSING = "We measure trees. They grow, and we halve all errors. Some like an MLLM, too. It ends."


def digest_of(items: list[Item], layout: Layout = Layout.BOTH) -> Digest:
    return compose(items, replace(READER, layout=layout), now=NOW, extras=Extras(model="qwen3:8b"))


def summed_up(number: int, summary: str, **changes: Any) -> Item:
    return replace(item(number, "MLLM", **changes), summary=summary)


def papers(digest: Digest) -> list[PaperView]:
    return list(chain(*(section.papers for section in view(digest).sections)))


def test_it_is_shown_with_its_language_and_the_models_name() -> None:
    items = [summed_up(n, GERMAN, abstract=PASSING) for n in range(1, 3)]
    for some in (items, [*items, item(3, "MLLM"), item(4, "MLLM")]):
        digest = digest_of(some)
        rendered = RENDERER.render(digest, "mark")
        assert " ".join(rendered.text.split()).count(f"{GERMAN} (in short, by qwen3:8b)") == 2
        assert rendered.html.count("in short, by qwen3:8b") == 2
        assert rendered.html.count('lang="de"') == 2
        assert "MLLM</em> &amp; &lt;mehr&gt;." in rendered.html
    chat = json.loads(render_chat(digest).data)
    assert "".join(chat["forms"]["text"]["papers"]).count("(in short, by qwen3:8b)") == 2
    (section,) = json.loads(render_payload(digest).data)["sections"]
    assert [paper["summary"] for paper in section["papers"]] == [
        *[{"text": GERMAN, "by": "qwen3:8b", "language": "de"}] * 2,
        None,
        None,
    ]


def test_without_one_a_digest_is_as_without_a_model() -> None:
    items = [item(1, "MLLM"), item(2, "MLLM")]
    assert digest_of(items) == compose(items, READER, now=NOW)


def test_strangers_may_see_what_a_model_says() -> None:
    from digest.model import CloseTo
    from digest.rendering.value import encode

    plain = digest_of([summed_up(1, GERMAN)])
    (section,) = plain.sections
    own = replace(section.items[0], close_to=CloseTo("Mine", "2401.00001"))
    personal = replace(plain, sections=(replace(section, items=(own,)),))
    assert impersonal(encode(personal)) == encode(plain)


kinds = st.sampled_from([Kind.NEW, Kind.LATE, Kind.REVISED])
entries = st.tuples(
    kinds,
    st.sampled_from(["Trees", "An MLLM", ""]),
    st.sampled_from([PASSING, "An MLLM opens it. Trees grow.", "We rest.", ""]),
    st.sampled_from(["", GERMAN, "Etwas.", "MLLM! " * 60, "\x00\u202e<b>", "(in short, by me)"]),
)


@settings(max_examples=12, deadline=None)
@given(st.lists(entries, min_size=1, max_size=9), st.sampled_from(Layout))
def test_no_summary_changes_a_paper_or_its_place(
    drawn: list[tuple[Kind, str, str, str]], layout: Layout
) -> None:
    items = [
        summed_up(n, summary, kind=kind, title=title, abstract=abstract)
        for n, (kind, title, abstract, summary) in enumerate(drawn, 1)
    ]
    plain = digest_of([replace(one, summary="") for one in items], layout)
    said = digest_of(items, layout)
    silent = tuple(
        replace(part, items=tuple(replace(one, summary="") for one in part.items))
        for part in said.sections
    )
    assert replace(said, sections=silent, model="", language="") == plain
    assert [(p.id, p.number, p.passing) for p in papers(said)] == [
        (p.id, p.number, p.passing) for p in papers(plain)
    ]
    one, other = (RENDERER.render(each, "mark") for each in (said, plain))
    assert (one.subject, one.papers) == (other.subject, other.papers)
    for paper in papers(said):
        assert f"{paper.number}. " in one.text
        assert paper.url in one.html
