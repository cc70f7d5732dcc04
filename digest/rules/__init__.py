"""Every decision as a pure function: what is new, who is due, what a bounce blames, when to warn.

Uses: keywords and the ground.
"""
