"""Sums by month."""

from .bookings import fetch_rows


def monthly(text):
    """Month to cents, as fetch_rows reads the text."""
    sums = {}
    for booking in fetch_rows(text):
        month = booking.day[:7]
        sums[month] = sums.get(month, 0) + booking.cents
    return sums
