"""A picture of what tools/bench quota measured: each cap's share over time, in windows of 100 ms, beside a cgroup's of the same."""
import bisect

WIDTH, ROW, LEFT, TOP = 860, 96, 108, 56
RANGE = 2.5  # percentage points up and down
WINDOW = 0.1
COLOURS = {"carrel": "#1f6fb2", "cgroup": "#d9822b"}


def windows(samples):
    """(seconds since the first, share in percent) of windows that follow each other; `samples`: (time, CPU time), ns."""
    times, used = zip(*samples)

    def used_at(moment):
        i = max(bisect.bisect_left(times, moment), 1)
        return used[i - 1] + (used[i] - used[i - 1]) * (moment - times[i - 1]) / (times[i] - times[i - 1])
    length = WINDOW * 1e9
    starts = [times[0] + k * length for k in range(int((times[-1] - times[0]) / length))]
    return [((start + length - times[0]) / 1e9, (used_at(start + length) - used_at(start)) / length * 100) for start in starts]


def line(shares, cap, top, end, colour):
    points = []
    for seconds, share in shares:
        off = max(-RANGE, min(RANGE, share - cap))
        points.append(f"{LEFT + seconds / end * (WIDTH - LEFT - 16):.1f},{top + ROW / 2 - off / RANGE * (ROW / 2 - 8):.1f}")
    return f'<polyline fill="none" stroke="{colour}" stroke-width="1.2" points="{" ".join(points)}"/>'


def row(cap, curves, top, end):
    middle, right = top + ROW / 2, WIDTH - 16
    parts = [f'<rect x="{LEFT}" y="{top + 4}" width="{right - LEFT}" height="{ROW - 8}" fill="#f6f7f9"/>',
             f'<text x="12" y="{middle + 4}">cap {cap} %</text>']
    for off in (-2, 0, 2):
        y = middle - off / RANGE * (ROW / 2 - 8)
        parts.append(f'<line x1="{LEFT}" x2="{right}" y1="{y:.1f}" y2="{y:.1f}" stroke="#c9ced6" stroke-width="0.6"/>'
                     f'<text x="{LEFT - 6}" y="{y + 3:.1f}" text-anchor="end" font-size="9">{off:+d}</text>')
    return parts + [line(shares, cap, top, end, COLOURS[who]) for who, shares in curves]


def picture(caps):
    """`caps`: {cap: {"carrel": samples, "cgroup": samples}}."""
    rows = {cap: [(who, windows(by[who])) for who in ("cgroup", "carrel") if who in by] for cap, by in caps.items()}
    end = max(shares[-1][0] for curves in rows.values() for _, shares in curves)
    height = TOP + ROW * len(rows) + 30
    parts = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" font-family="sans-serif" font-size="12">',
             f'<rect width="{WIDTH}" height="{height}" fill="white"/>',
             '<text x="12" y="20" font-size="14">CPU time of a guest that spins, in windows of 100 ms: percentage points off its cap</text>']
    for i, (who, colour) in enumerate(COLOURS.items()):
        parts.append(f'<line x1="{LEFT + i * 150}" x2="{LEFT + 24 + i * 150}" y1="38" y2="38" stroke="{colour}" stroke-width="2"/>'
                     f'<text x="{LEFT + 30 + i * 150}" y="42">{who}{" cpu.max" if who == "cgroup" else ""}</text>')
    for i, (cap, curves) in enumerate(rows.items()):
        parts += row(cap, curves, TOP + i * ROW, end)
    parts.append(f'<text x="{LEFT}" y="{height - 10}">0 s</text><text x="{WIDTH - 16}" y="{height - 10}" text-anchor="end">{end:.0f} s</text></svg>')
    return "\n".join(parts) + "\n"
