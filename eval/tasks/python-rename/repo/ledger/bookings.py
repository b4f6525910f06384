"""Bookings as they lie in a text: one a line, `YYYY-MM-DD;account;amount`."""

from typing import NamedTuple


class Booking(NamedTuple):
    day: str
    account: str
    cents: int


def fetch_rows(text):
    """The bookings of a text, in its order. Empty lines and comments are passed over."""
    rows = []
    for number, line in enumerate(text.splitlines(), start=1):
        line = line.strip()
        if not line or line.startswith("#"):
            continue
        parts = line.split(";")
        if len(parts) != 3:
            raise ValueError(f"fetch_rows: line {number} has {len(parts)} parts, not 3")
        rows.append(Booking(parts[0], parts[1], round(float(parts[2]) * 100)))
    return rows
