"""Where the page is published: files that are replaced only when there is something new to say."""
