"""The book in a real browser: front page, lesson 04, an exercise; with COURSE_BOOK=runs/tiny/site every page of that one."""

import os
import re
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

from helpers.course import build_site
from helpers.paths import resolve
from tests.site.browser import (
    CHROMIUM,
    HEIGHT,
    NEEDS_CHROMIUM,
    SCHEMES,
    WIDTHS,
    chromium,
    complaints,
    opened,
    served,
    unreached,
)
from tests.site.example_run import write_run

FEW = ("index.html", "notebooks/04_sft_chartqa.html", "exercises/00_meet_the_model.html")
NOISE = ("it/s", "Loading weights", "WARNING", "FutureWarning", "<progress")
GIVEN = os.environ.get("COURSE_BOOK")
needs_chromium = pytest.mark.skipif(CHROMIUM is None, reason=NEEDS_CHROMIUM)


@pytest.fixture(scope="module")
def book(tmp_path_factory) -> Path:
    """The folder of a book: the given one, or one of a run that is made up."""
    if GIVEN:
        return resolve(GIVEN)
    folder = tmp_path_factory.mktemp("run")
    write_run(folder)
    return build_site(folder).parent


@pytest.fixture(scope="module")
def browser():
    with chromium() as browser:
        yield browser


@pytest.fixture(scope="module")
def address(book):
    with served(book) as address:
        yield address


def pages(book: Path) -> list[str]:
    """All pages of the book, not the theme's own files."""
    found = (path.relative_to(book) for path in sorted(book.rglob("*.html")))
    return [path.as_posix() for path in found if path.parts[0] != "_static"]


@needs_chromium
@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("width", WIDTHS)
def test_a_reader_has_nothing_to_complain_about(book, browser, address, width, scheme):
    found = {}
    for name in pages(book) if GIVEN else FEW:
        with opened(browser, f"{address}/{name}", width, scheme) as (page, wrong):
            if said := wrong + complaints(page):
                found[name] = said
    assert not found


@needs_chromium
@pytest.mark.parametrize("width", WIDTHS)
def test_the_keyboard_reaches_everything(book, browser, address, width):
    left = {}
    for name in pages(book) if GIVEN else FEW:
        with opened(browser, f"{address}/{name}", width, "light") as (page, _):
            if beyond := unreached(page):
                left[name] = beyond
    assert not left


@needs_chromium
def test_the_search_finds_a_term_of_the_course(browser, address):
    with opened(browser, f"{address}/index.html", 1280, "light") as (page, wrong):
        page.locator("button.search-button-field").click()
        page.locator("input[type=search]:visible").fill("relaxed accuracy")
        page.keyboard.press("Enter")
        page.wait_for_selector("#search-results li a")
        found = page.locator("#search-results li > a").all_inner_texts()
        assert any("04" in one for one in found), found
        assert not wrong


@needs_chromium
def test_code_can_be_copied(browser, address):
    with opened(browser, f"{address}/notebooks/04_sft_chartqa.html", 1280, "light") as (page, _):
        page.context.grant_permissions(["clipboard-read", "clipboard-write"])
        cell = page.locator("div.cell_input .highlight").nth(2)
        cell.hover()
        cell.locator("button.copybtn").click()
        page.wait_for_selector("button.copybtn.success")
        assert page.evaluate("navigator.clipboard.readText()").strip() == cell.locator("pre").inner_text().strip()


@needs_chromium
def test_math_is_typeset_and_said(browser, address):
    with opened(browser, f"{address}/notebooks/02_lora_parameters.html", 1280, "light") as (page, wrong):
        page.wait_for_selector("mjx-container[data-semantic-speech-none]")  # what a screen reader will say
        assert page.locator("mjx-container").count() > 10
        assert "\\frac" not in page.locator("article").inner_text()
        assert not wrong


@needs_chromium
def test_pages_open_from_the_disk_too(book, browser):
    for name in (*FEW, "notebooks/02_lora_parameters.html"):
        with opened(browser, (book / name).as_uri(), 1280, "light") as (page, wrong):
            page.wait_for_timeout(500)
            assert not wrong
            assert page.locator("article h1").count() == 1


@needs_chromium
def test_pictures_for_those_who_look(book, browser, address):
    """Not a comparison: the two screenshots are there to be looked at, and are kept beside the book."""
    for name in FEW[:2]:
        with opened(browser, f"{address}/{name}", 1280, "light") as (page, _):
            kept = book.parent / f"screenshot_{Path(name).stem}.png"
            page.screenshot(path=kept)
            assert kept.stat().st_size > 20_000
            assert page.viewport_size["height"] == HEIGHT


class _Seen(HTMLParser):
    """Links, pictures and anchors of a page."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.targets, self.anchors, self.alts = [], {""}, []
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag, attributes):
        given = dict(attributes)
        self.anchors.add(given.get("id") or "")
        self.targets += [given[key] for key in ("href", "src") if given.get(key)]
        self.alts += [given.get("alt") or ""] if tag == "img" else []


def test_no_link_of_any_page_is_broken_or_leads_to_the_network_for_a_part_of_it(book):
    seen = {(book / name).resolve(): _Seen(book / name) for name in pages(book)}
    broken = []
    for path, page in seen.items():
        for target in page.targets:
            parts = urlsplit(target)
            if parts.scheme or parts.netloc:
                continue
            leads = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            there = leads.exists() and (
                leads not in seen or not parts.fragment or unquote(parts.fragment) in seen[leads].anchors
            )
            broken += [] if there else [f"{path.relative_to(book.resolve())}: {target}"]
    assert not broken
    assert all(alt.strip() for page in seen.values() for alt in page.alts)


def test_the_pages_are_free_of_noise_and_small(book):
    noisy = {}
    for name in [*pages(book), "searchindex.js"]:
        text = re.sub(r"<(script|style).*?</\1>", "", (book / name).read_text(encoding="utf-8"), flags=re.DOTALL)
        noisy |= {name: [word for word in NOISE if word in text]} if any(word in text for word in NOISE) else {}
    assert not noisy
    assert sum(path.stat().st_size for path in book.rglob("*") if path.is_file()) < 40e6


def test_a_lesson_ends_with_its_figures_each_linked_to_the_cell_that_measured_it(book):
    page = (book / "notebooks" / "04_sft_chartqa.html").read_text(encoding="utf-8")
    row = re.search(r'<a [^>]*href="#(measured-in-\d+)"[^>]*><code[^>]*><span class="pre">sft_relaxed_accuracy', page)
    assert row, "the table of figures"
    cell = page[page.index(f'id="{row[1]}"') :]
    assert "sft_accuracy" in re.sub(r"<[^>]+>", "", cell)[:3000]
