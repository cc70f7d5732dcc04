"""How likely a reader wants a paper, by the papers that the reader has: a pure score.

Uses: the ground.
"""

from digest.ranking.taste import CLOSE, ENOUGH, LibraryText, Near, Score, Taste
from digest.ranking.vectors import Feed

__all__ = ["CLOSE", "ENOUGH", "Feed", "LibraryText", "Near", "Score", "Taste"]
