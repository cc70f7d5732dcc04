"""Mail: messages, and the ways by which they leave."""
