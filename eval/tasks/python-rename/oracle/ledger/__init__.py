"""Bookings, and what they sum up to."""

from .bookings import Booking, parse_bookings
from .report import monthly

__all__ = ["Booking", "monthly", "parse_bookings"]
