import pathlib
import unittest

import ledger

ROOT = pathlib.Path(__file__).resolve().parent.parent


class Renamed(unittest.TestCase):
    def test_new_name_works(self):
        self.assertEqual(ledger.parse_bookings("2026-01-03;rent;-9.5")[0].cents, -950)
        self.assertIn("parse_bookings", ledger.__all__)
        with self.assertRaisesRegex(ValueError, "parse_bookings: line 1"):
            ledger.parse_bookings("broken")

    def test_old_name_is_gone(self):
        old = "fetch" + "_rows"
        left = [str(p) for p in ROOT.rglob("*") if p.suffix in {".py", ".md"} and old in p.read_text(encoding="utf-8")]
        self.assertEqual(left, [])
