"""Mail: messages, the ways by which they leave, and what comes back.

Uses: rules and the ground.
"""
