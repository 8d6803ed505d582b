"""Pieces of a page: text, tables and pictures as HTML, all of it inside the one file."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterable, Sequence
from html import escape
from io import BytesIO
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.figure import Figure

DPI = 130  # of plots
PIXELS = (
    78  # at least, on the screen, of an inch of a plot: letters of 10 points are 11 pixels high
)
LONG = 40  # letters in a cell of a table, beyond which its line is broken

# Nothing is loaded, whatever a name in the data says: no script, no request, images from the page.
POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"

STYLE = """
:root { color-scheme: light; }
body { margin: 0 auto; max-width: 1320px; padding: 12px 16px 48px; background: #fff; color: #1b1b1b;
  font: 16px/1.5 system-ui, 'Segoe UI', 'DejaVu Sans', sans-serif; overflow-wrap: anywhere; }
h1 { font-size: 1.7em; line-height: 1.2; margin: 0.6em 0 0.2em; }
h2 { font-size: 1.25em; margin: 2em 0 0.5em; padding-bottom: 0.2em;
  border-bottom: 2px solid #005a94; }
p { margin: 0.5em 0; max-width: 75ch; }
.wide { overflow-x: auto; margin: 0.6em 0; }
.plots { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 620px), 1fr));
  gap: 16px; align-items: start; }
figure { margin: 0; min-width: 0; }
figure img { display: block; width: 100%; max-width: 900px; height: auto; }
figcaption { font-size: 0.9em; color: #4a4a4a; }
svg { display: block; }
table { border-collapse: collapse; font-size: 0.9em; overflow-wrap: normal; }
th, td { text-align: left; padding: 3px 14px 3px 0; border-bottom: 1px solid #ddd;
  vertical-align: top; }
th, td { white-space: nowrap; }
td.long { white-space: normal; min-width: 22em; }
td.number { text-align: right; font-variant-numeric: tabular-nums; }
pre { background: #f4f4f4; padding: 10px 12px; font-size: 0.85em; white-space: pre-wrap; }
ul { padding-left: 1.2em; }
li { margin: 0.5em 0; max-width: 80ch; }
.score { font-size: 1.35em; font-weight: 600; }
.good { color: #00664a; font-weight: 600; }
.bad { color: #a84300; font-weight: 600; }
"""


def page(title: str, body: Iterable[str]) -> str:
    """A whole page."""
    return "\n".join(
        [
            "<!DOCTYPE html>",
            '<html lang="en"><head><meta charset="utf-8">',
            f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            f"<title>{escape(title)}</title><style>{STYLE}</style></head><body>",
            *body,
            "</body></html>\n",
        ]
    )


def heading(words: str) -> str:
    """The title on the page."""
    return f"<h1>{escape(words)}</h1>"


def section(title: str, *parts: str) -> str:
    """A part of the page with its heading."""
    return "\n".join([f"<section><h2>{escape(title)}</h2>", *filter(None, parts), "</section>"])


def text(words: str, kind: str = "") -> str:
    """A paragraph; `kind`: "score", "good" or "bad"."""
    return f'<p class="{kind}">{escape(words)}</p>' if kind else f"<p>{escape(words)}</p>"


def items(lines: Iterable[str]) -> str:
    """A list."""
    return "<ul>" + "".join(f"<li>{escape(line)}</li>" for line in lines) + "</ul>"


def code(words: str) -> str:
    """Something to be typed."""
    return f"<pre>{escape(words)}</pre>"


def table(
    header: Sequence[str], rows: Iterable[Sequence[object]], *, left: Sequence[int] = (0,)
) -> str:
    """A table that scrolls by itself where it is wider than the screen; numbers to the right.

    `left`: the columns that hold words.
    """
    lines = ["<tr>" + "".join(f"<th>{escape(name)}</th>" for name in header) + "</tr>"]
    for row in rows:
        cells = [_cell(str(cell), is_words=k in left) for k, cell in enumerate(row)]
        lines.append(f"<tr>{''.join(cells)}</tr>")
    return f'<div class="wide"><table>{"".join(lines)}</table></div>'


def _cell(words: str, *, is_words: bool) -> str:
    kind = ("long" if len(words) > LONG else "") if is_words else "number"
    return f'<td class="{kind}">{escape(words)}</td>' if kind else f"<td>{escape(words)}</td>"


def plots(*drawn: tuple[Figure, str]) -> str:
    """Figures side by side where there is room, each with words on what it shows."""
    return f'<div class="plots">{"".join(_plot(*one) for one in drawn)}</div>' if drawn else ""


def _plot(figure: Figure, caption: str) -> str:
    content = BytesIO()
    figure.savefig(content, format="png", dpi=DPI)
    data = b64encode(content.getbuffer()).decode("ascii")
    words = escape(caption)
    least = f"min-width: {PIXELS * figure.get_figwidth():.0f}px"
    image = f'<img alt="{words}" style="{least}" src="data:image/png;base64,{data}">'
    return f'<figure><div class="wide">{image}</div><figcaption>{words}</figcaption></figure>'


def picture(svg: str, caption: str) -> str:
    """An SVG picture in its own size, in a frame that scrolls."""
    words = escape(caption)
    return f'<figure><div class="wide">{svg}</div><figcaption>{words}</figcaption></figure>'
