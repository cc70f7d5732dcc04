"""A small arXiv of the project's own, and the tour that needs no network.

Uses: run and below.
"""
