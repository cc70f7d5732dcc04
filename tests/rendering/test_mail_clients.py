"""What mail programs do not know of the sample digests' HTML and CSS, by caniemail.com's data."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from digest.demo.gallery import write_gallery
from digest.rendering.render import Renderer

FOLDER = os.environ.get("CANIEMAIL")
"""Where npm has installed caniemail 2.0.2, which has a copy of that data."""
CLIENTS = ["outlook.*", "gmail.*", "apple-mail.*", "yahoo.*"]
KNOWN = {
    "<bdi> element": "is read as a span; where it is known it parts names of other directions",
    "<body> element": "gives way to a div; its background stands at the cell inside again",
    "<style> element": "what it says is finish: links are blue, spacing is the program's own",
    "@media": "without it a mail has that plain finish, and is light and of one width",
    "color-scheme meta tag": "a hint; without it a program has colours of its own for the dark",
    "Local anchors": "the title at a glance leads nowhere; its paper stands below all the same",
    "aria-label attribute": "names the mail to those who are read to, as its subject does",
    "role attribute": "tables that lay out are called tables to those who are read to",
    "word-break": "a word without end is scrolled to",
}
"""What some of these programs do not support at all, and why a digest is whole without it."""
SCRIPT = """
import { readFileSync } from "node:fs";
import { caniemail } from "caniemail";
const [clients, pages] = JSON.parse(readFileSync(0, "utf8"));
const found = {};
for (const page of pages) {
    const { issues } = caniemail({ clients, html: readFileSync(page, "utf8") });
    for (const [client, list] of issues.errors)
        for (const issue of list) (found[issue.title] ??= []).push(client);
}
console.log(JSON.stringify(found));
"""


@pytest.mark.heavy
@pytest.mark.skipif(
    shutil.which("node") is None or not FOLDER,
    reason="needs node, and CANIEMAIL naming the folder of `npm install caniemail@2.0.2`",
)
def test_what_a_mail_program_does_not_support_is_known_and_does_no_harm(tmp_path: Path) -> None:
    write_gallery(tmp_path, Renderer())
    pages = [
        str(page)
        for page in sorted(tmp_path.glob("*.html"))
        if page.name != "index.html" and not page.stem.endswith(("-dark", "-light"))
    ]
    assert len(pages) > 3

    told = subprocess.run(
        ["node", "--input-type=module", "-e", SCRIPT],
        cwd=FOLDER,
        input=json.dumps([CLIENTS, pages]),
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    ).stdout
    found = {title: sorted(set(clients)) for title, clients in json.loads(told).items()}

    assert found.keys() == KNOWN.keys(), found
