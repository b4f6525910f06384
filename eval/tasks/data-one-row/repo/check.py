"""Every row has four columns, and no code stands there twice."""
rows = [line.split("\t") for line in open("data/routes.tsv", encoding="utf-8").read().splitlines()]
assert all(len(row) == 4 for row in rows)
codes = [row[0] for row in rows[1:]]
assert len(codes) == len(set(codes)) == 2600
