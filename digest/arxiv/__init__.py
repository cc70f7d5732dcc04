"""What arXiv answers: asked politely, and read as a whole or not at all.

Uses: keywords, rules and the ground.
"""
