"""Titles to what may stand in an address."""

import re


def slug(title):
    """Lower-case letters and digits, a hyphen for everything between them."""
    return re.sub(r"[^a-z0-9]+", "-", title.lower()).strip("-")
