"""What a language model says of a paper in a sentence or two: how it is asked, and what of its
answers may be shown.

Uses: rendering and the ground.
"""
