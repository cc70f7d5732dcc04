"""A digest's value: kept as JSON without its papers, and rendered again with them."""

from __future__ import annotations

import json
from dataclasses import fields, replace
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from digest.errors import StoreError
from digest.model import (
    Abstracts,
    Attach,
    Change,
    Channel,
    CloseTo,
    Digest,
    Format,
    Item,
    Keyword,
    Kind,
    Layout,
    Paper,
    Rhythm,
    Rule,
    Section,
    Silence,
    Tally,
    Weekly,
)
from digest.rendering.render import Renderer
from digest.rendering.value import FORM, decode, encode, impersonal
from tests.world.samples import NOW, mixed_items, paper, sample_digest

texts = st.text(st.one_of(st.characters(), st.sampled_from('\ud800\u2028"\\\n\0')), max_size=12)
names = st.lists(texts, max_size=3).map(tuple)
zones = st.sampled_from(["UTC", "Europe/Berlin", "America/St_Johns", "Australia/Lord_Howe"])
days = st.none() | st.dates(date(1991, 1, 1), date(2100, 1, 1))
moments = st.integers(0, 10**7).map(lambda m: NOW + timedelta(minutes=m)) | (
    # The hour that comes twice.
    st.integers(0, 180).map(lambda m: datetime(2026, 10, 25, tzinfo=UTC) + timedelta(minutes=m))
)
keywords = st.builds(Keyword, texts, texts, st.sampled_from(Rule))
ids = st.sampled_from(["2611.00001", "hep-th/9901001", "2503.14895", "math.GT/0309136"])
items = st.builds(
    Item,
    st.builds(lambda id_, version: replace(paper(), id=id_, version=version), ids,
              st.integers(1, 40)),
    st.sampled_from(Kind),
    names,
    st.none() | st.lists(st.sampled_from(Change), max_size=3).map(tuple),
    texts,
    days,
    st.booleans(),
    st.none() | st.builds(CloseTo, texts, texts),
    st.text(max_size=20),
)  # fmt: skip
rhythms = st.builds(
    Rhythm,
    st.lists(st.sampled_from(Weekly), unique=True).map(tuple),
    st.none() | st.times(),
    st.booleans(),
)

tallies = st.builds(Tally, *[st.integers(0, 10**6)] * 5, st.booleans())


@st.composite
def digests(draw: st.DrawFn) -> Digest:
    """Any digest in which a paper stands once."""
    found = draw(st.lists(items, max_size=4, unique_by=lambda item: item.paper.id))
    cut = draw(st.integers(0, len(found)))
    parts = [part for part in (found[:cut], found[cut:]) if part]
    zone = draw(zones)
    next_at = draw(st.none() | moments)
    return Digest(
        date=draw(st.dates()),
        timezone=zone,
        sections=tuple(Section(draw(texts), tuple(part)) for part in parts),
        keywords=tuple(draw(st.lists(keywords, max_size=3))),
        welcome=draw(st.booleans()),
        previous=draw(days),
        next_at=next_at and next_at.astimezone(ZoneInfo(zone)),
        abstracts=draw(st.integers(0, 500)),
        skipped=draw(st.integers(0, 500)),
        quiet=draw(texts),
        contact=draw(texts),
        silences=tuple(draw(st.lists(st.builds(Silence, texts, st.integers(), texts), max_size=2))),
        rhythm=draw(st.none() | rhythms),
        abstract_length=draw(st.sampled_from(Abstracts)),
        layout=draw(st.sampled_from(Layout)),
        format=draw(st.sampled_from(Format)),
        channel=draw(st.sampled_from(Channel)),
        authors=draw(names),
        categories=draw(names),
        subject_prefix=draw(texts),
        unanswered=draw(names),
        ranked=draw(st.booleans()),
        top=draw(st.none() | st.integers(1, 2000)),
        notice=draw(st.text(max_size=20)),
        feedback=draw(st.booleans()),
        attach=draw(st.sampled_from(Attach)),
        tally=draw(st.none() | tallies),
        model=draw(st.text(max_size=20)),
        language=draw(st.sampled_from(["", "en", "zh-Hans"])),
    )


def papers_of(digest: Digest) -> dict[str, Paper]:
    return {item.paper.id: item.paper for part in digest.sections for item in part.items}


@settings(max_examples=30, deadline=None)
@given(digests())
def test_a_value_gives_back_the_digest(digest: Digest) -> None:
    text = encode(digest)
    assert text.isascii()
    assert "\n" not in text
    again = decode(text, papers_of(digest))
    assert again == digest
    assert repr(again.next_at) == repr(digest.next_at), "in the reader's time zone, as it is shown"
    assert encode(again) == text


def test_what_is_rendered_again_is_the_same_to_the_byte() -> None:
    digest = sample_digest(welcome=True, rhythm=Rhythm((Weekly.MON,), time(7), tells=True))
    again = decode(encode(digest), papers_of(digest))
    assert Renderer().render(again, "mark") == Renderer().render(digest, "mark")


def test_a_paper_stands_in_a_value_by_its_id_and_version_alone() -> None:
    digest = sample_digest(mixed_items())
    text = encode(digest)
    for known in papers_of(digest).values():
        assert f'"{known.id}v{known.version}"' in text
        assert known.title not in text
    assert len(text) < 1_500
    other = {id_: replace(known, title="Other") for id_, known in papers_of(digest).items()}
    assert encode(decode(text, other)) == text


def test_a_paper_is_taken_in_the_version_that_it_has_now() -> None:
    digest = sample_digest([mixed_items()[0]])
    (known,) = papers_of(digest).values()
    newer = replace(known, version=9, updated=NOW)
    again = decode(encode(digest), {known.id: newer})
    assert again.sections[0].items[0].paper is newer


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"form": FORM + 1}, f"form {FORM + 1}, known {FORM}"),
        ({"likes": [1, 2]}, "likes"),
        ({"format": "hologram"}, "hologram"),
        ({"keywords": [["a", "b", "query", "more"]]}, "Keyword has 4 fields, known 3"),
        ({"sections": [["New", [["2611.99999v1", "new", []]]]]}, "2611.99999"),
        ({"abstracts": "many"}, "'many' in the place of int"),
        ({"timezone": "Mars/Olympus"}, "Mars/Olympus"),
    ],
)
def test_a_value_that_cannot_be_read_is_told_in_a_line(
    change: dict[str, object], words: str
) -> None:
    digest = sample_digest()
    text = json.dumps(json.loads(encode(digest)) | change)
    with pytest.raises(StoreError) as told:
        decode(text, papers_of(digest))
    assert words in str(told.value)
    assert "newer version of digest" in str(told.value)
    assert "\n" not in str(told.value)


def test_what_strangers_may_see_asks_nobody_what_they_like() -> None:
    digest = sample_digest(mixed_items())
    assert impersonal(encode(replace(digest, feedback=True))) == encode(digest)
    assert impersonal(encode(digest)) == encode(digest)


@pytest.mark.parametrize("text", ["", "[]", "null", "{}", '{"form":1}', "\x00"])
def test_no_text_brings_down_who_reads_it(text: str) -> None:
    with pytest.raises(StoreError):
        decode(text, {})


def test_all_that_a_digest_has_is_drawn_by_these_tests() -> None:
    """A field that is added shall be among those of `digests`."""
    assert len(fields(Digest)) == 29, "add the new field to digests() too"
