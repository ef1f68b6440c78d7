"""Tables, as they are printed."""

import statistics
import textwrap

KB = 1000
TIME_COLUMNS = ["milliseconds", "processes", "elapsed,\nmedian", "least", "CPU,\nmedian", "least"]


def number(value):
    return "-" if value is None else f"{value:,.0f}"


def kilobytes(value):
    return number(value and value / KB)


def show(title, columns, rows, note):
    """The first column is words, the others are figures, under headings that may have two lines."""
    heads = [column.split("\n") if "\n" in column else ["", column] for column in columns]
    lines = [[head[row] for head in heads] for row in (0, 1)]
    lines = [line for line in lines if any(line)] + [[str(cell) for cell in row] for row in rows]
    widths = [max(len(line[index]) for line in lines) for index in range(len(columns))]
    print(f"\n{title}\n{'=' * len(title)}\n")
    for index, line in enumerate(lines):
        cells = [line[0].ljust(widths[0])] + [c.rjust(w) for c, w in zip(line[1:], widths[1:])]
        print("  ".join(cells).rstrip())
        if index == len(lines) - len(rows) - 1:
            print("  ".join("-" * width for width in widths))
    print("\n" + textwrap.fill(note, 96), flush=True)


def times(tasks, costs):
    """Rows for TIME_COLUMNS."""
    rows = []
    for name, found in costs.items():
        row = [name, len(tasks[name])]
        for figures in ([c.seconds for c in found], [c.cpu for c in found]):
            row += [
                f"{1000 * f(figures):,.1f}" if figures else "-" for f in (statistics.median, min)
            ]
        rows.append(row)
    return rows
