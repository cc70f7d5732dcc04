"""The web side: the page behind the link by which readers leave.

Uses: the ground.
"""
