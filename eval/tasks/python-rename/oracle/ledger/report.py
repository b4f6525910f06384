"""Sums by month."""

from .bookings import parse_bookings


def monthly(text):
    """Month to cents, as parse_bookings reads the text."""
    sums = {}
    for booking in parse_bookings(text):
        month = booking.day[:7]
        sums[month] = sums.get(month, 0) + booking.cents
    return sums
