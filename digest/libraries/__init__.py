"""What readers have: papers read from BibTeX, RIS and CSL-JSON files, from lists of arXiv ids, and
from Zotero.

Uses: the ground alone.
"""

from digest.libraries.entries import Entry, Odd, Reading
from digest.libraries.files import LibraryError, path_of, read_file, read_item, read_library

__all__ = [
    "Entry",
    "LibraryError",
    "Odd",
    "Reading",
    "path_of",
    "read_file",
    "read_item",
    "read_library",
]
