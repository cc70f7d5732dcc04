"""Mail: messages, and the ways by which they leave.

Uses: rules and the ground.
"""
