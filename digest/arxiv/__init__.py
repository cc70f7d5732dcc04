"""arXiv's answers: asked for politely, and read as a whole or not at all.

Uses: keywords, rules and the ground.
"""
