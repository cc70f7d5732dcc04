"""The web side: pages that readers and strangers open, and what answers them.

`app` puts the routes together, each of which stands with what it does (`leaving`, `liking`);
`answers` and `pages` make what is sent back, `front` looks at each request before it, `desk` works
with the database, and `server` keeps connections cheap. What strangers read is the `archive`: the
papers of `shelves`, as far as they are `public`, made into pages and feeds by `binding`, and into
files by `site_files`.

Uses: setup and below.
"""
