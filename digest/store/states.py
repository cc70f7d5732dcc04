"""The states of a delivery, as sets that SQL asks for."""

from __future__ import annotations

NOT_CARRIED = "('expired', 'failed', 'suppressed')"
"""The states in which a delivery has certainly not carried its papers to the reader."""
