"""Aligned tables of text."""


def aligned(rows, left=1):
    """Lines for rows of strings; the first `left` columns to the left, the others to the right."""
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    return ["  ".join(cell.ljust(width) if i < left else cell.rjust(width)
                      for i, (cell, width) in enumerate(zip(row, widths))).rstrip() for row in rows]


def number(value, digits=0, none="-"):
    return none if value is None else f"{value:,.{digits}f}"


def median(values):
    values = sorted(value for value in values if value is not None)
    if not values:
        return None
    middle = len(values) // 2
    return values[middle] if len(values) % 2 else (values[middle - 1] + values[middle]) / 2


def jain(shares):
    """Jain's index: 1 where all are equal."""
    return sum(shares) ** 2 / len(shares) / sum(share * share for share in shares)


def off_by(shares):
    """Percent: the worst of shares that are to be as 1:2:4:..."""
    return max(abs(share / ((1 << i) / ((1 << len(shares)) - 1)) - 1) for i, share in enumerate(shares)) * 100


def ratio(value, base):
    return "-" if value is None or not base else f"{value / base:.2f}"
