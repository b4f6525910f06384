"""`python3 -m ledger.cli FILE`: a line a month."""

import sys

from ledger import parse_bookings, monthly


def main(argv):
    with open(argv[1], encoding="utf-8") as file:
        text = file.read()
    print(f"{len(parse_bookings(text))} bookings")
    for month, cents in sorted(monthly(text).items()):
        print(f"{month} {cents / 100:.2f}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv))
