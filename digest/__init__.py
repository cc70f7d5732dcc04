"""Digest: new arXiv papers, by keyword, in your mail."""

__version__ = "0.1.0"
