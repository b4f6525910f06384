import unittest

from ledger import fetch_rows, monthly

TEXT = """
# day;account;amount
2026-01-03;rent;-900.00
2026-01-28;wages;2500.10
2026-02-03;rent;-900.00
"""


class Ledger(unittest.TestCase):
    def test_reads(self):
        self.assertEqual(len(fetch_rows(TEXT)), 3)
        self.assertEqual(fetch_rows(TEXT)[1].cents, 250010)

    def test_sums(self):
        self.assertEqual(monthly(TEXT), {"2026-01": 160010, "2026-02": -90000})


if __name__ == "__main__":
    unittest.main()
