"""`python3 -m ledger.cli FILE`: a line a month."""

import sys

from ledger import fetch_rows, monthly


def main(argv):
    with open(argv[1], encoding="utf-8") as file:
        text = file.read()
    print(f"{len(fetch_rows(text))} bookings")
    for month, cents in sorted(monthly(text).items()):
        print(f"{month} {cents / 100:.2f}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv))
