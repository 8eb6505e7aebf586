"""The hour in which Flinks does not answer: what was found of it, drawn and told."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

BEGINS, ENDS, WATCHED = 600.0, 4200.0, 2.5 * 3600.0
EVERY = 60.0
COLOURS = ("#2456a6", "#8a8a8a", "#b4541a", "#3a7d44")


@dataclass
class Hour:
    """What one rate did: waiting connections by the minute, and when the last of the outage was through."""

    name: str
    rate: float
    waiting: list[tuple[float, int]]
    over: float | None
    """Seconds after Flinks was back; None when it was not within the time watched."""
    worst_tries: int


def drawn(hours: Sequence[Hour]) -> str:
    width, height, margin = 680, 260, 50
    top = max(count / hour.rate for hour in hours for _, count in hour.waiting) * 1.1

    def across(seconds: float) -> float:
        return margin + seconds / WATCHED * (width - 2 * margin)

    def up(value: float) -> float:
        return height - margin - value / top * (height - 2 * margin)

    lines = "".join(
        f'<polyline fill="none" stroke="{colour}" stroke-width="2" points="'
        + " ".join(f"{across(at):.1f},{up(count / hour.rate):.1f}" for at, count in hour.waiting)
        + f'"/><text x="{width - margin - 190}" y="{40 + 15 * n}" fill="{colour}">{hour.name}</text>'
        for n, (hour, colour) in enumerate(zip(hours, COLOURS, strict=True))
    )
    out = f'<rect x="{across(BEGINS):.1f}" y="{margin}" width="{across(ENDS) - across(BEGINS):.1f}" '
    out += f'height="{height - 2 * margin}" fill="#eee"/>'
    marks = "".join(
        f'<text x="{across(half * 1800):.1f}" y="{height - margin + 16}" text-anchor="middle">{half / 2:g} h</text>'
        for half in range(int(WATCHED / 1800) + 1)
    )
    title = f'<text x="{margin}" y="20">connections not ready yet, in seconds of arrivals; grey: Flinks is out</text>'
    scale = f'<text x="{margin - 8}" y="{up(3600) + 4:.1f}" text-anchor="end">3600</text>'
    style = "<style>text{font:12px sans-serif;fill:#333}</style>"
    size = f'width="{width}" height="{height}"'
    return f'<svg xmlns="http://www.w3.org/2000/svg" {size}>{style}{out}{title}{scale}{marks}{lines}</svg>\n'


def rows(hours: Sequence[Hour]) -> Iterator[str]:
    yield "| Connections a second | waiting at most | all of the outage ready, after Flinks is back | tries at most |"
    yield "| --- | --- | --- | --- |"
    for hour in hours:
        most = max(count for _, count in hour.waiting)
        over = f"{hour.over / 60:.0f} min" if hour.over is not None else "not within the time watched"
        yield f"| {hour.name} | {most:,} | {over} | {hour.worst_tries} |"
