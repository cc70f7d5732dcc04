"""The bodies of digests: rendered once for all their readers, and again from their values once
those have gone.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from digest.keywords.words import counted
from digest.mail.body import freeze
from digest.model import Channel, Digest
from digest.rendering.chat import render_chat
from digest.rendering.issue import render_issues
from digest.rendering.payload import render_payload
from digest.rendering.render import Renderer
from digest.rendering.value import decode, encode
from digest.store import Store
from digest.store.bodies import Content, Kept
from digest.store.rows import pack


@dataclass(frozen=True, slots=True)
class Bodies:
    """Makes what is kept of digests, with one renderer."""

    store: Store
    renderer: Renderer

    def of(self, digest: Digest) -> Content:
        """The content of a digest, rendered where no equal one is on its way."""
        value = encode(digest)
        key = self._key(value)
        return self.store.bodies.stored(key) or self._rendered(digest, value, key)

    def again(self, delivery: int) -> tuple[Content, str] | None:
        """The digest of a delivery, rendered from its value, and in a line what may differ from
        what was sent ("": nothing); None where no value is kept.

        Raises StoreError where the value cannot be read.
        """
        kept = self.store.bodies.kept(delivery)
        if kept is None:
            return None
        key = self._key(kept.digest)
        content = self._rendered(decode(kept.digest, kept.papers), kept.digest, key)
        return content, _differences(kept, is_changed=key != kept.key)

    def _key(self, value: str) -> str:
        """The key of a value as it is rendered here. Of papers only ids and versions count: what
        arXiv corrects without a new version reaches those whose digest is rendered later.
        """
        return hashlib.sha256(f"{self.renderer.made_by} {value}".encode()).hexdigest()

    def _rendered(self, digest: Digest, value: str, key: str) -> Content:
        if digest.channel is Channel.GITHUB:
            issues = render_issues(digest)
            return Content(
                key, issues.title, value, pack(tuple(body.encode() for body in issues.bodies))
            )
        if digest.channel is Channel.WEBHOOK:
            payload = render_payload(digest)
            return Content(key, payload.title, value, pack((payload.data,)))
        if digest.channel is Channel.APPRISE:
            chat = render_chat(digest)
            return Content(key, chat.title, value, pack((chat.data,)))
        # Nobody can guess it and put it into an abstract; and each time it is the same, so what is
        # rendered again by the same program is the same to the byte.
        mark = hashlib.sha256(f"{self.store.uuid} {key}".encode()).hexdigest()[:32]
        rendered = self.renderer.render(digest, mark)
        papers = rendered.papers if digest.feedback else ()
        # By their numbers readers of mails that are out may still name the papers of those.
        if papers and self.store.bodies.numbered(key) not in ((), papers):
            key = hashlib.sha256(f"{key} {papers}".encode()).hexdigest()
        return Content(key, rendered.subject, value, pack(freeze(rendered)), papers)


def _differences(kept: Kept, *, is_changed: bool) -> str:
    """Why a digest that is rendered again may not look as it was sent."""
    newer = [
        f"{paper.id} is shown as version {paper.version} now"
        for paper in kept.papers.values()
        if paper.version != kept.versions[paper.id]
    ]
    if newer[3:]:
        newer[2:] = [f"{counted(len(newer) - 2, 'other paper')} in later versions, too"]
    if is_changed:
        newer.insert(0, "the program or its templates have changed since")
    return f"rendered again, and not as it was sent: {'; '.join(newer)}" if newer else ""
