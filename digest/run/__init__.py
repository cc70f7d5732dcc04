"""What happens: the cycle and its steps, the daemon.

Uses: store, arxiv, mail, rendering, subscribers and below.
"""
