"""Pieces of a page: text, tables and pictures as HTML, all of it inside the one file."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterable, Sequence
from html import escape
from io import BytesIO
from textwrap import fill
from typing import TYPE_CHECKING

from retrograd.plots.canvas import NARROW

if TYPE_CHECKING:
    from matplotlib.figure import Figure

DPI = 150  # of plots
MOST_DOTS = 60_000  # of a plot's height: as many as can be drawn
PIXELS = 78  # on the screen, of an inch of a plot: letters of 10 points are 11 pixels high
PANEL = 2.6  # inches, of one panel of several below each other
LINE = 42  # letters of a title or a label on a telephone's screen
TIGHT = 1040  # pixels of the screen, below which what is wide is drawn again, below each other

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
.plots { display: flex; flex-wrap: wrap; gap: 16px; align-items: flex-start; }
.plots figure { flex: 0 1 480px; }
figure { margin: 0; min-width: 0; max-width: 100%; }
figure.large { flex-basis: 100%; }
figure img { display: block; width: 100%; height: auto; }
figcaption { font-size: 0.9em; color: #4a4a4a; }
svg { display: block; max-width: 100%; height: auto; }
.tight { display: none; }
table { border-collapse: collapse; font-size: 0.9em; overflow-wrap: normal; }
th, td { text-align: left; padding: 3px 14px 3px 0; border-bottom: 1px solid #ddd;
  vertical-align: top; max-width: 34em; }
td.word { overflow-wrap: break-word; }
td.number, th.number { text-align: right; }
td.number { font-variant-numeric: tabular-nums; white-space: nowrap; }
code span { display: inline-block; max-width: 100%; }
pre { background: #f4f4f4; padding: 10px 12px; font-size: 0.85em; white-space: pre-wrap; }
ul { padding-left: 1.2em; }
li { margin: 0.5em 0; max-width: 80ch; }
.score { font-size: 1.35em; font-weight: 600; }
.good { color: #00664a; font-weight: 600; }
.bad { color: #a84300; font-weight: 600; }
@media (max-width: TIGHTpx) {
  .tight { display: block; }
  .roomy { display: none; }
}
@media (max-width: 620px) {
  table { font-size: 0.75em; line-height: 1.35; }
  th, td { padding-right: 4px; }
  td.word { overflow-wrap: anywhere; min-width: 5.2em; }
  td.word:first-child { min-width: 5.5em; }
}
""".replace("TIGHT", str(TIGHT))


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
    """A command to be typed, whose lines are broken between words alone, not at hyphens."""
    parts = " ".join(f"<span>{escape(word)}</span>" for word in words.split(" "))
    return f"<pre><code>{parts}</code></pre>"


def table(
    header: Sequence[str], rows: Iterable[Sequence[object]], *, left: Sequence[int] = (0,)
) -> str:
    """A table, its words in several lines where the screen is narrow; numbers to the right.

    `left`: the columns that hold words.
    """
    kinds = ["word" if k in left else "number" for k in range(len(header))]
    lines = [_line("th", kinds, header), *(_line("td", kinds, row) for row in rows)]
    return f'<div class="wide"><table>{"".join(lines)}</table></div>'


def _line(tag: str, kinds: Sequence[str], cells: Sequence[object]) -> str:
    parts = zip(kinds, cells, strict=True)
    inside = (f'<{tag} class="{kind}">{escape(str(cell))}</{tag}>' for kind, cell in parts)
    return f"<tr>{''.join(inside)}</tr>"


def plots(*drawn: tuple[Figure, str]) -> str:
    """Figures side by side where there is room, each with words on what it shows.

    They are drawn anew as wide as a telephone's screen, so that their letters can be read there.
    """
    parts = []
    for figure, caption in drawn:
        _narrow(figure)
        words = escape(caption)
        image = f'<img alt="{words}" src="{_png(figure)}">'
        parts.append(f"<figure>{image}<figcaption>{words}</figcaption></figure>")
    return f'<div class="plots">{"".join(parts)}</div>' if parts else ""


def _narrow(figure: Figure) -> None:
    """Make a figure as wide as a telephone's screen, long titles in more lines.

    Panels below each other stay as high as their labels are long.
    """
    width, height = figure.get_size_inches()
    place = figure.axes[0].get_subplotspec()
    n_panels = 1 if place is None else place.get_gridspec().nrows
    if width > NARROW:
        least = max(0.7 * NARROW, PANEL * n_panels)
        figure.set_size_inches(NARROW, max(height * NARROW / width, least))
    for axes in figure.axes:
        for words in (axes.title, axes.xaxis.label, axes.yaxis.label):
            words.set_text(fill(words.get_text(), LINE))
            words.set_fontsize(11)


def large_plot(wide: Figure, narrow: Figure, caption: str) -> str:
    """A figure as wide as the page, and another in its place where the screen is narrow."""
    words = escape(caption)
    width = PIXELS * wide.get_figwidth()
    source = f'<source media="(max-width: {TIGHT}px)" srcset="{_png(narrow)}">'
    image = f'<img alt="{words}" style="max-width: {width:.0f}px" src="{_png(wide)}">'
    inside = f"<picture>{source}{image}</picture>"
    return f'<figure class="large">{inside}<figcaption>{words}</figcaption></figure>'


def _png(figure: Figure) -> str:
    content = BytesIO()
    dpi = min(DPI, MOST_DOTS / figure.get_figheight())
    figure.savefig(content, format="png", dpi=dpi)
    return "data:image/png;base64," + b64encode(content.getbuffer()).decode("ascii")


def picture(wide: str, narrow: str, caption: str) -> str:
    """An SVG picture, and another in its place where the screen is narrow."""
    both = f'<div class="roomy wide">{wide}</div><div class="tight wide">{narrow}</div>'
    return f"<figure>{both}<figcaption>{escape(caption)}</figcaption></figure>"
