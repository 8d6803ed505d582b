"""The report: what is on the page, that it loads nothing, and how a browser shows it."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from retrograd.cli.main import main
from retrograd.errors import DataError
from retrograd.files.table import Table
from retrograd.load import load
from retrograd.nn.mlp import MLP
from retrograd.plots.classes import worst_pairs
from retrograd.report import html
from retrograd.report.report import report
from retrograd.tabular import fit_columns, fit_target
from retrograd.tabular.model import TableModel

SECTIONS = [
    "Scores", "Data", "Network", "Training", "Verdicts", "Inside the network", "Gradient check",
    "To make this again",
]  # fmt: skip


@pytest.fixture(scope="module", params=["iris", "fin"])
def written(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder with a model and the report on it, written by the commands."""
    folder, data = tmp_path_factory.mktemp("report"), str(request.param)
    model, page = str(folder / "a.model"), str(folder / "a.html")
    hidden = {"iris": "300", "fin": "8"}[data]
    assert main(["train", data, "--epochs", "6", "--hidden", hidden, "--output", model]) == 0
    assert main(["report", model, data, "--output", page]) == 0
    return folder


class Tags(HTMLParser):
    """The tags of a page, and those that are not closed in order."""

    VOID = ("meta", "img", "source", "br", "rect", "path", "polygon")

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.found: list[tuple[str, dict[str, str | None]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_the_page_has_every_part_and_is_well_formed(written: Path):
    page = (written / "a.html").read_text("utf-8")
    assert re.findall("<h2>(.*?)</h2>", page) == SECTIONS
    tags = Tags()
    tags.feed(page)
    assert not tags.open
    assert page.count("<img ") >= 6
    assert len(re.findall('class="(?:roomy|tight) wide"><svg ', page)) == 2
    assert "Backpropagation agrees" in page


def test_the_page_loads_nothing(written: Path):
    tags = Tags()
    tags.feed((written / "a.html").read_text("utf-8"))
    for tag, attributes in tags.found:
        assert tag not in ("script", "link", "iframe", "object")
        for name in ("src", "href"):
            assert (attributes.get(name) or "data:").startswith("data:")


def test_the_page_has_the_command_that_trains_the_same_again(written: Path):
    model: Any = load(written / "a.model")
    command = model.settings["command"]
    assert command.split()[:2] == ["retrograd", "train"] and "--hidden " in command
    page = (written / "a.html").read_text("utf-8")
    assert f">{command}</" in re.sub("</?span>", "", page).replace("&#x27;", "'")
    again = str(written / "again.model")
    assert main([*command.split()[1:], "--output", again]) == 0
    other: Any = load(again)
    for name, value in model.network.parameters.items():
        assert (other.network.parameters[name] == value).all()
    assert other.settings["curves"] == model.settings["curves"]


def test_names_from_the_data_cannot_break_out_of_the_page(written: Path):
    model: Any = load(written / "a.model")
    data = {name: [0.1, 0.2, 0.3] for name in model.columns.names}
    classes = getattr(model.target, "classes", (1.0, 2.0, 3.0))
    table = Table.of({**data, model.target.name: [classes[0], classes[1], classes[2]]})
    page = report(model, table, name="<script>alert(1)</script>")
    assert "<script" not in page and "&lt;script&gt;" in page


def test_a_report_needs_the_target(written: Path):
    model: Any = load(written / "a.model")
    data = Table.of({name: [0.1, 0.2] for name in model.columns.names})
    with pytest.raises(DataError, match="needs the target too"):
        report(model, data)


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """The Chromium of the system, or the one that playwright installed."""
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    found = next(
        filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None
    )
    with playwright.sync_playwright() as program:
        path = found or program.chromium.executable_path
        if not Path(path).exists():
            pytest.skip("no browser: neither Chromium nor Chrome is installed")
        chromium = program.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield chromium
        chromium.close()


LEGIBLE = """() => {
    const small = [], clipped = [];
    for (const node of document.querySelectorAll('h1, h2, p, li, td, th, pre, figcaption, text')) {
        const box = node.getBoundingClientRect();
        if (!node.textContent.trim() || !box.width) continue;
        if (parseFloat(getComputedStyle(node).fontSize) < 11) small.push(node.textContent);
        if (!node.closest('.wide') && box.right > innerWidth + 1) clipped.push(node.textContent);
    }
    const images = [...document.images];
    return {
        small, clipped,
        page: document.documentElement.scrollWidth,
        broken: images.filter(i => !i.complete || !i.naturalWidth).length,
        narrow: images.filter(i => i.getBoundingClientRect().width < 360).length,
        sideways: [...document.querySelectorAll('.wide')].filter(w =>
            w.scrollWidth > w.clientWidth + 1).length,
        images: images.filter(i => i.getBoundingClientRect().right > innerWidth).length,
        stuck: [...document.querySelectorAll('.wide')].filter(w =>
            w.scrollWidth > w.clientWidth + 1 && getComputedStyle(w).overflowX != 'auto').length,
    }
}"""


@pytest.mark.parametrize("width", [400, 1400])
def test_a_browser_shows_the_page_without_errors_and_legibly(
    width: int, written: Path, browser: Any
):
    page = browser.new_page(viewport={"width": width, "height": 900})
    told: list[str] = []
    page.on("console", lambda message: told.append(message.text))
    page.on("pageerror", lambda error: told.append(str(error)))
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto((written / "a.html").as_uri())
    found = page.evaluate(LEGIBLE)
    page.close()
    assert told == []
    assert [url for url in asked if not url.startswith(("file:", "data:"))] == []
    assert found["page"] <= width
    assert found["small"] == [] and found["clipped"] == []
    assert (found["broken"], found["narrow"], found["stuck"]) == (0, 0, 0)
    assert (found["sideways"], found["images"]) == (0, 0)


def model_of_classes(n: int) -> tuple[TableModel, Table]:
    """A model of n classes that has learned nothing, and rows: of class k there are 2 + k % 3."""
    labels = [f"class {k:02d}" for k in range(n) for _ in range(2 + k % 3)]
    table = Table.of({"x": np.linspace(-1, 1, len(labels)).tolist(), "y": labels})
    columns = fit_columns(table, exclude=["y"])
    target = fit_target(table.column("y"), name="y")
    return TableModel(MLP([1, n], output="softmax"), columns, target, data="made up"), table


@pytest.mark.parametrize("width", [400, 1400])
def test_a_matrix_of_twenty_classes_can_be_read_on_any_screen(
    width: int, browser: Any, tmp_path: Path
):
    model, table = model_of_classes(20)
    (tmp_path / "a.html").write_text(report(model, table), "utf-8")
    page = browser.new_page(viewport={"width": width, "height": 900})
    page.goto((tmp_path / "a.html").as_uri())
    found = page.evaluate(LEGIBLE)
    page.close()
    assert found["page"] <= width and found["clipped"] == []
    assert (found["sideways"], found["images"], found["narrow"]) == (0, 0, 0)


def test_of_many_classes_the_pairs_that_are_mistaken_most_are_listed():
    model, table = model_of_classes(20)
    page = report(model, table)
    assert "The classes that were mistaken for each other most often" in page
    truth, answers = table.column("y"), model.predict(table)
    (first, taken, n, share), *_ = worst_pairs(truth, answers)
    assert n == np.sum((truth == first) & (answers == taken)) == 4
    row = f'{first}</td><td class="word">{taken}</td><td class="number">{n}</td>'
    assert row in page and f"{100 * share:.1f} %" in page
    assert "mistaken for each other" not in report(*model_of_classes(5))


def test_a_report_of_many_classes_says_which_are_drawn_and_what_is_left_out():
    model, table = model_of_classes(31)
    page = report(model, table)
    assert "ROC of 12 of the 31 classes, those with the most rows" in page
    assert "No confusion matrix: there are 31 classes" in page
    page = report(model, table.take(np.arange(4)))
    assert "No ROC: there are no rows of class class 02 and of 28 other classes" in page


def test_a_report_of_two_classes_has_one_curve_and_says_so():
    model, table = model_of_classes(2)
    page = report(model, table)
    assert "ROC: class class 01 against class class 00, at every threshold." in page
    assert "Confusion matrix" in page


def test_a_report_on_one_row_has_no_r2():
    table = Table.of({"x": [0.0, 1.0, 2.0], "y": [1.0, 2.0, 4.0]})
    columns = fit_columns(table, exclude=["y"])
    target = fit_target(table.column("y"), name="y")
    model = TableModel(MLP([1, 1]), columns, target, data="made up", units={"y": "K"})
    page = report(model, table.take(np.arange(1)))
    assert "On the one row of made up that has the target: R2 is not defined of one row" in page
    assert "made up: 1 row, 1 column that" in page
    assert "y (K)" in page and '<th class="word">unit' not in page


def test_lines_of_a_command_are_broken_between_words_alone():
    assert html.code("train <a> --b") == (
        "<pre><code><span>train</span> <span>&lt;a&gt;</span> <span>--b</span></code></pre>"
    )
