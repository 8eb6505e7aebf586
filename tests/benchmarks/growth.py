"""Draws how the peak of memory grows: one small plot for each thing that grows."""

from collections.abc import Mapping, Sequence

WIDTH, HEIGHT, MARGIN = 260, 180, 40


def drawn(peaks: Mapping[str, Sequence[tuple[float, float]]]) -> str:
    top = max(peak for points in peaks.values() for _, peak in points) * 1.15
    plots = "".join(_plot(number * WIDTH, name, points, top) for number, (name, points) in enumerate(peaks.items()))
    whole = f'width="{WIDTH * len(peaks)}" height="{HEIGHT + 10}"'
    style = "text{font:11px sans-serif;fill:#333}polyline{fill:none;stroke:#2456a6;stroke-width:2}line{stroke:#999}"
    return f'<svg xmlns="http://www.w3.org/2000/svg" {whole}><style>{style}</style>{plots}</svg>\n'


def _plot(left: float, name: str, points: Sequence[tuple[float, float]], top: float) -> str:
    right = max(value for value, _ in points)
    inner_width, inner_height = WIDTH - 2 * MARGIN, HEIGHT - 2 * MARGIN
    places = [(left + MARGIN + value / right * inner_width, HEIGHT - MARGIN - peak / top * inner_height)
              for value, peak in points]  # fmt: skip
    line = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
    marks = "".join(
        f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="#2456a6"/>'
        f'<text x="{x:.1f}" y="{y - 7:.1f}" text-anchor="middle">{peak:.0f}</text>'
        f'<text x="{x:.1f}" y="{HEIGHT - MARGIN + 14}" text-anchor="middle">{value:g}</text>'
        for (x, y), (value, peak) in zip(places, points, strict=True)
    )
    base = HEIGHT - MARGIN
    axis = f'<line x1="{left + MARGIN}" y1="{base}" x2="{left + WIDTH - MARGIN}" y2="{base}"/>'
    title = f'<text x="{left + WIDTH / 2}" y="16" text-anchor="middle">peak of memory, MiB, by {name}</text>'
    return f'{title}{axis}<polyline points="{line}"/>{marks}'
