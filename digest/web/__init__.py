"""The web side: pages that readers and strangers open, and what answers them.

`app` puts the routes together, each of which stands with what it does (`leaving`, `undoing`);
`answers` and `pages` make what is sent back, `gateway` looks at each request before it,
`database_thread` works with the database, and `server` keeps connections cheap. What strangers read
is the `archive`: the papers of `listings`, as far as they are `public`, made into pages and feeds
by `archive_pages`, and into files by `site_files`; `search` answers who looks for some of them, by
what `finding` finds.

Uses: setup and below.
"""
