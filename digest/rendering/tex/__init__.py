"""TeX in titles, abstracts and names to readable Unicode; what cannot be turned stays exactly as it
was.
"""

from digest.rendering.tex.text import to_unicode

__all__ = ["to_unicode"]
