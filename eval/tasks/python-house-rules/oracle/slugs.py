"""Titles to what may stand in an address."""

import re

MAX_LENGTH = 40  # characters


def slug(title):
    """Lower-case letters and digits, a hyphen for everything between them; at most MAX_LENGTH."""
    return re.sub(r"[^a-z0-9]+", "-", title.lower()).strip("-")[:MAX_LENGTH].rstrip("-")
