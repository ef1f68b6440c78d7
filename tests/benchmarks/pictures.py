#!/usr/bin/python3
"""Draws the pictures in pictures/ from pictures/figures.json, which tests/figures --only pictures measures and writes.

SVG by hand: no library, no font but the reader's, and colours that can be told apart on white and on black.
"""

import json
from html import escape
from pathlib import Path

FOLDER = Path(__file__).resolve().parent / "pictures"
FIGURES = FOLDER / "figures.json"
COLOURS = {"regtag": "#2f9e44", "oras": "#4c8dd6", "crane": "#d9822b", "skopeo": "#a56cc1"}
STYLE = """
  text { font: 13px system-ui, sans-serif; fill: #6e7781 }
  .title { font-weight: 600; font-size: 15px }
  .small { font-size: 11px }
  .axis { stroke: #8c959f; stroke-opacity: .6 }
  .line { fill: none; stroke-width: 2.5 }
  @media (prefers-color-scheme: light) { text { fill: #24292f } .small { fill: #57606a } }
  @media (prefers-color-scheme: dark) { text { fill: #e6edf3 } .small { fill: #9198a1 } }
"""


class Canvas:
    def __init__(self, width, height, what):
        self._parts = [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" '
            f'height="{height}" role="img" aria-label="{escape(what)}">',
            f"<style>{STYLE}</style>",
        ]

    def text(self, x, y, words, kind="", anchor="start"):
        self._parts.append(
            f'<text x="{x:.0f}" y="{y:.0f}" class="{kind}" text-anchor="{anchor}">{escape(words)}</text>'
        )

    def bar(self, x, y, width, colour):
        width = max(width, 1)
        self._parts.append(
            f'<rect x="{x:.0f}" y="{y:.0f}" width="{width:.1f}" height="16" rx="2" fill="{colour}"/>'
        )

    def axis(self, x1, y1, x2, y2):
        self._parts.append(f'<path class="axis" d="M{x1:.1f} {y1:.1f}L{x2:.1f} {y2:.1f}"/>')

    def line(self, points, colour, dots=True):
        path = "L".join(f"{x:.1f} {y:.1f}" for x, y in points)
        self._parts.append(f'<path class="line" stroke="{colour}" d="M{path}"/>')
        if dots:
            self._parts += [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{colour}"/>' for x, y in points]

    def write(self, name):
        (FOLDER / name).write_text("\n".join([*self._parts, "</svg>", ""]))


def source(figures):
    return f"{figures['date']}; {', '.join(figures['versions'])}"


# ---- Bars: size and memory ---------------------------------------------------------------------


def bars(canvas, left, title, rows):
    """`rows` of a name and megabytes."""
    canvas.text(left, 24, title, "title")
    scale = 190 / max(value for _, value in rows)
    for index, (name, value) in enumerate(rows):
        y = 38 + 26 * index
        canvas.text(left, y + 13, name)
        canvas.bar(left + 62, y, scale * value, COLOURS[name])
        canvas.text(left + 70 + max(scale * value, 1), y + 13, f"{value:.1f} MB")


def footprint(figures):
    programs = figures["footprint"]
    bottom = 38 + 26 * len(programs)
    canvas = Canvas(700, bottom + 30, "Size and memory of programs that tag images")
    bars(canvas, 10, "File", [(name, one["file"] / 1e6) for name, one in programs.items()])
    bars(canvas, 360, "Peak memory, one tag", [(name, one["memory"] / 1e6) for name, one in programs.items()])
    canvas.text(10, bottom + 20, f"{source(figures)}. regtag: static, x86-64, with TLS.", "small")
    canvas.write("footprint.svg")


# ---- Lines: seconds by distance ----------------------------------------------------------------


def ceiling(value):
    """The next number that is easy to divide by four."""
    power = 10 ** (len(str(int(value))) - 1) if value >= 1 else 0.1
    return next(power * step for step in (1, 2, 4, 6, 8, 10) if power * step >= value)


def panel(canvas, left, title, milliseconds, series):
    """One diagram; `series` has the seconds of each program for each of the round-trip times."""
    top, height, width = 44, 170, 240
    highest = ceiling(max(max(values) for values in series.values()))

    def at(index, seconds):
        return left + width * milliseconds[index] / milliseconds[-1], top + height * (1 - seconds / highest)

    canvas.text(left - 30, 24, title, "title")
    for quarter in range(5):
        y = top + height * quarter / 4
        canvas.axis(left, y, left + width, y)
        canvas.text(left - 6, y + 4, f"{highest * (4 - quarter) / 4:g}", "small", "end")
    for time in milliseconds:
        canvas.text(left + width * time / milliseconds[-1], top + height + 16, str(time), "small", "middle")
    canvas.text(left + width, top + height + 32, "round trip, milliseconds", "small", "end")
    before = 0
    for name, values in sorted(series.items(), key=lambda one: -one[1][-1]):
        points = [at(index, seconds) for index, seconds in enumerate(values)]
        canvas.line(points, COLOURS[name])
        x, y = points[-1]
        before = max(y + 4, before + 14)
        canvas.text(x + 8, before, f"{name} {values[-1]:.1f} s")


def distance(figures):
    found = figures["distance"]
    canvas = Canvas(745, 280, "Seconds to tag an image, by round-trip time")
    panel(canvas, 40, "Seconds for 1 tag", found["milliseconds"], found["1"])
    panel(canvas, 400, "Seconds for 100 tags", found["milliseconds"], found["100"])
    canvas.text(10, 270, f"{source(figures)}. crane has to be run once for each tag.", "small")
    canvas.write("distance.svg")


def draw():
    figures = json.loads(FIGURES.read_text())
    footprint(figures)
    distance(figures)


if __name__ == "__main__":
    draw()
