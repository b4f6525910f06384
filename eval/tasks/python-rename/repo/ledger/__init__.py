"""Bookings, and what they sum up to."""

from .bookings import Booking, fetch_rows
from .report import monthly

__all__ = ["Booking", "fetch_rows", "monthly"]
