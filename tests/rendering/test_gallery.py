"""The sample digests: their pages, and by a real browser, a real parser and a real filter what
becomes of them."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit

import html5lib
import pytest
from click.testing import CliRunner

from digest.cli import cli
from digest.demo.gallery import WIDTHS, completed, write_gallery
from digest.demo.samples import NOW, READER, Sample, samples
from digest.mail.body import freeze
from digest.mail.message import Sender, assemble
from digest.mail.reader_tokens import Signer
from digest.model import Outgoing
from digest.rendering.render import HTML_BYTES, Renderer
from tests.world.browser import CHROMIUM, Browser
from tests.world.browser import browser as opened_browser

SAMPLES = samples()
SPAMASSASSIN = shutil.which("spamassassin")
SENDER = Sender(
    "Daily Papers <papers@example.org>",
    "papers@example.org",
    signer=Signer("a secret of the operator's", "a database"),
)
each_sample = pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: sample.name)


@pytest.fixture(scope="module")
def gallery(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder with all samples; kept where LOOKS names a folder."""
    folder = (
        Path(os.environ["LOOKS"]) if os.environ.get("LOOKS") else tmp_path_factory.mktemp("gallery")
    )
    return write_gallery(folder, Renderer()).parent


# The page


def test_the_gallery_shows_each_sample_in_both_schemes_at_all_widths(gallery: Path) -> None:
    page = (gallery / "index.html").read_text(encoding="utf-8")
    html5lib.HTMLParser(strict=True).parse(page)

    for sample in SAMPLES:
        for scheme in ("light", "dark"):
            assert page.count(f'src="{sample.name}-{scheme}.html"') == len(WIDTHS)
        assert f'href="{sample.name}.txt"' in page
    dark, light = (
        (gallery / f"many-{scheme}.html").read_text(encoding="utf-8")
        for scheme in ("dark", "light")
    )
    assert "prefers-color-scheme" not in dark + light
    assert "@media all" in dark
    assert "@media not all" in light


def test_the_command_writes_the_gallery_without_a_subscribers_file(tmp_path: Path) -> None:
    result = CliRunner().invoke(
        cli, ["--home", str(tmp_path), "preview", "--gallery", str(tmp_path / "samples")]
    )

    assert result.exit_code == 0, result.output
    assert str(tmp_path / "samples" / "index.html") in result.output.replace("\n", "")
    assert len(list((tmp_path / "samples").glob("*.txt"))) == len(SAMPLES)
    assert not (tmp_path / "digest.db").exists()


def test_what_does_not_go_together_is_refused(tmp_path: Path) -> None:
    roster = "subscribers:\n  - {email: ada@example.org, keywords: [x1], format: text}\n"
    (tmp_path / "subscribers.yaml").write_text(roster, encoding="utf-8")
    for words, message in (
        (["--html"], "gets text alone"),
        (["--gallery", str(tmp_path / "samples"), "--eml"], "samples only"),
        (["--gallery", str(tmp_path / "subscribers.yaml" / "x")], "cannot be written"),
    ):
        result = CliRunner().invoke(cli, ["--home", str(tmp_path), "preview", *words])
        assert result.exit_code != 0
        assert message in str(result.exception)


@each_sample
def test_a_sample_is_valid_html_and_refers_to_nothing_but_links_to_click(sample: Sample) -> None:
    html = completed(sample, Renderer().render(sample.digest, "MARK")).html
    assert len(html.encode()) <= HTML_BYTES

    tree = html5lib.HTMLParser(strict=True, namespaceHTMLElements=False).parse(html)
    references = {
        "src",
        "srcset",
        "background",
        "poster",
        "data",
        "action",
        "formaction",
        "ping",
        "cite",
        "code",
    }
    ids = {element.get("id") for element in tree.iter() if element.get("id")}
    for element in tree.iter():
        assert not references & set(element.keys()), element.tag
        assert "url(" not in (element.get("style") or "")
        if target := element.get("href"):
            assert element.tag == "a"
            kind = urlsplit(target).scheme
            assert kind in ("https", "mailto") or (target[0] == "#" and target[1:] in ids), target
    assert not re.search(
        r"url\(|@import|@font-face", "".join(style.text for style in tree.iter("style"))
    )


@each_sample
def test_a_sample_names_its_papers_in_both_parts(sample: Sample) -> None:
    made = Renderer().render(sample.digest, "MARK")
    papers = made.text.partition("\n===")[2].partition("\nIn full\n")[0]
    numbers = re.findall(r"^ {0,3}(\d+)\. ", papers, re.MULTILINE)
    assert [int(n) for n in numbers] == list(range(1, sample.digest.papers + 1))
    for section in sample.digest.sections:
        for item in section.items:
            assert item.paper.abstract_url in made.text
            assert f'"{item.paper.abstract_url}"' in made.html


# A real browser

LOOK = r"""(() => {
    const rgb = text => {
        const found = text.match(/[\d.]+/g).map(Number);
        return found.length > 3 && found[3] === 0 ? null : found.slice(0, 3);
    };
    const light = color => {
        const [r, g, b] = color.map(c => c / 255)
            .map(c => c <= 0.03928 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4);
        return 0.2126 * r + 0.7152 * g + 0.0722 * b;
    };
    const behind = node => {
        for (let element = node; element; element = element.parentElement) {
            const found = rgb(getComputedStyle(element).backgroundColor);
            if (found) return found;
        }
        return [255, 255, 255];
    };
    const boxes = [], faults = [];
    let contrast = 21;
    const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    for (let node = walker.nextNode(), place = 0; node; node = walker.nextNode(), place++) {
        if (!node.data.trim()) continue;
        const style = getComputedStyle(node.parentElement);
        const both = [light(rgb(style.color)), light(behind(node.parentElement))];
        const [a, b] = both.sort((x, y) => y - x);
        const ratio = (a + 0.05) / (b + 0.05);
        if (ratio < contrast) contrast = ratio;
        if (ratio < 4.5)
            faults.push(`contrast ${ratio.toFixed(2)}: ${node.data.trim().slice(0, 40)}`);
        if (parseFloat(style.fontSize) < 13) faults.push(`small: ${node.data.trim().slice(0, 40)}`);
        const range = document.createRange();
        range.selectNodeContents(node);
        for (const box of range.getClientRects()) {
            if (box.width < 1) continue;
            if (box.left < 0 || box.right > innerWidth + 0.5)
                faults.push(`cut at ${box.left}-${box.right}: ${node.data.trim().slice(0, 40)}`);
            boxes.push([box.top, box.bottom, box.left, box.right, place,
                        node.data.trim().slice(0, 40)]);
        }
    }
    boxes.sort((x, y) => x[0] - y[0]);
    for (let i = 0; i < boxes.length; i++)
        for (let j = i + 1; j < boxes.length && boxes[j][0] < boxes[i][1]; j++) {
            const [one, other] = [boxes[i], boxes[j]];
            const high = Math.min(one[1], other[1]) - Math.max(one[0], other[0]);
            const wide = Math.min(one[3], other[3]) - Math.max(one[2], other[2]);
            // The boxes of neighbouring lines touch by a pixel or two; what overlaps shows more.
            const least = 0.35 * Math.min(one[1] - one[0], other[1] - other[0]);
            if (one[4] !== other[4] && wide > 1 && high > least)
                faults.push(`overlap: ${one[5]} / ${other[5]}`);
        }
    if (document.documentElement.scrollWidth > innerWidth)
        faults.unshift(`scrolls sideways: ${document.documentElement.scrollWidth} > ${innerWidth}`);
    const links = [...document.querySelectorAll("h3 a, h4 a, ul a, p.r a")];
    const low = links.filter(a => Math.max(...[...a.getClientRects()].map(box => box.height)) < 24);
    return {contrast, faults: faults.slice(0, 20), texts: boxes.length, low: low.length};
})()"""


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with opened_browser() as opened:
        yield opened


@pytest.mark.heavy
@pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed")
def test_in_a_browser_nothing_is_cut_or_pale_and_nothing_is_loaded(
    gallery: Path, browser: Browser
) -> None:
    for sample in SAMPLES:
        for dark in (False, True):
            for width in WIDTHS:
                browser.show(gallery / f"{sample.name}.html", width, dark=dark)
                found = browser.ask(LOOK)
                scheme = "dark" if dark else "light"
                browser.picture(gallery / f"{sample.name}-{scheme}-{width}.png")
                print(
                    f"{sample.name} {scheme} {width}: contrast {found['contrast']:.1f}, "
                    f"{found['texts']} lines"
                )
                assert found["faults"] == [], (sample.name, scheme, width)
                assert found["texts"] > 5
                assert browser.asked == []
                if width < 480:
                    assert found["low"] == 0, "links that are too low for a thumb"


@pytest.mark.heavy
@pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed")
@pytest.mark.parametrize(
    ("style", "fault"),
    [
        ("p{color:#999!important}", "contrast"),
        ("h3{width:900px}", "cut"),
        ("p{margin-top:-16px!important}", "overlap"),
        ("p{font-size:11px!important}", "small"),
        ("table{min-width:700px}", "scrolls sideways"),
    ],
)
def test_the_look_has_teeth(
    style: str, fault: str, gallery: Path, browser: Browser, tmp_path: Path
) -> None:
    page = tmp_path / "bad.html"
    html = (gallery / "many.html").read_text(encoding="utf-8")
    page.write_text(html.replace("</head>", f"<style>{style}</style></head>"), encoding="utf-8")
    browser.show(page, 600)

    assert any(found.startswith(fault) for found in browser.ask(LOOK)["faults"])


# A real filter


@pytest.mark.heavy
@pytest.mark.skipif(SPAMASSASSIN is None, reason="spamassassin is not installed")
@each_sample
def test_a_filter_takes_no_sample_for_spam(sample: Sample, tmp_path: Path) -> None:
    made = Renderer().render(sample.digest, "MARK")
    message = assemble(
        Outgoing(
            1,
            1,
            READER.email,
            READER.name,
            f"<{'0123abcd' * 4}@example.org>",
            NOW,
            made.subject,
            freeze(made),
            reader=42,
        ),
        replace(SENDER, base_url=sample.site),
    )
    answer = subprocess.run(
        [str(SPAMASSASSIN), "-L", "-t", "--siteconfigpath", str(_rules(tmp_path))],
        input=message.data,
        capture_output=True,
        env={"PATH": os.environ["PATH"], "HOME": str(tmp_path), "LC_ALL": "C"},
        timeout=120,
        check=True,
    ).stdout.decode(errors="replace")
    score = re.search(r"Content analysis details:\s+\(([-\d.]+) points", answer)
    assert score, answer[-2000:]
    print(f"{sample.name}: {score[1]}\n{answer[score.end() :]}")
    assert float(score[1]) <= 0.5


def _rules(folder: Path) -> Path:
    """SpamAssassin's own rules alone, whatever this machine adds to them; nothing is learned."""
    site = folder / "site"
    site.mkdir()
    for plugins in Path("/etc/spamassassin").glob("*.pre"):
        shutil.copy(plugins, site)
    (site / "local.cf").write_text("use_bayes 0\n", encoding="utf-8")
    return site
