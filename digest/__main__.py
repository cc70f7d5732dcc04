"""Lets `python -m digest` do what the `digest` command does."""

from digest.cli import main

main()
