"""The system's Chromium, driven by playwright, and what a page must be like in it."""

import functools
import http.server
import os
import shutil
import threading
from contextlib import contextmanager
from importlib.resources import files
from pathlib import Path

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
NEEDS_CHROMIUM = "no Chromium on this machine: the book's pages were not looked at (Debian: apt install chromium)"
_FLAGS = (
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
)  # fmt: skip
WIDTHS, SCHEMES = (1280, 390), ("light", "dark")
HEIGHT = 900

# Everything that a keyboard should reach, as the page shows it now.
_REACHABLE = """() => [...document.querySelectorAll('a[href], button, input, select, textarea, summary, [tabindex]')].filter(
    one => one.tabIndex >= 0 && !one.disabled && one.checkVisibility({visibilityProperty: true})
        && one.getClientRects().length).map(one => { one.dataset.reach = '1'; return one.outerHTML.slice(0, 120) })"""
# Whether the end is come to. A formula hands the focus on to a part of it, which a screen reader reads.
_STEP = """() => { const one = document.activeElement; delete (one.closest('mjx-container') ?? one).dataset.reach;
    return one === document.body }"""
_LEFT = "() => [...document.querySelectorAll('[data-reach]')].map(one => one.outerHTML.slice(0, 160))"


@contextmanager
def chromium():
    """A browser without a window; it talks to nobody by itself."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=list(_FLAGS))
        yield browser
        browser.close()


@contextmanager
def served(folder: Path):
    """The folder's files at an address of this machine."""

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=os.fspath(folder)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()


@contextmanager
def opened(browser, address: str, width: int, scheme: str):
    """A page at that address with all that it loads, and the list of what went wrong while it did."""
    context = browser.new_context(viewport={"width": width, "height": HEIGHT}, color_scheme=scheme)
    page, wrong = context.new_page(), []
    page.on("console", lambda said: wrong.append(f"console: {said.text}") if said.type == "error" else None)
    page.on("pageerror", lambda error: wrong.append(f"script: {error}"))
    page.on("request", lambda asked: wrong.append(f"leaves the machine: {asked.url}") if not _is_here(asked.url) else None)
    page.on("response", lambda got: wrong.append(f"{got.status}: {got.url}") if got.status >= 400 else None)
    page.goto(address)
    page.wait_for_load_state("networkidle")
    yield page, wrong
    context.close()


def _is_here(address: str) -> bool:
    return address.startswith(("http://127.0.0.1:", "file:", "data:", "blob:", "about:"))


def complaints(page) -> list[str]:
    """What a reader would stumble over: a page wider than its window, pictures that are missing, axe's serious findings."""
    wide = page.evaluate("document.documentElement.scrollWidth - window.innerWidth")
    found = [f"{wide} pixels wider than the window"] if wide > 0 else []
    missing = "[...document.images].filter(one => !(one.complete && one.naturalWidth)).map(one => one.src)"
    found += [f"missing picture: {source}" for source in page.evaluate(missing)]
    found += [f"no alt text: {source}" for source in page.evaluate("[...document.images].filter(i => !i.alt).map(i => i.src)")]
    page.evaluate((files("axe_playwright_python") / "axe.min.js").read_text(encoding="utf-8"))
    # preload: axe would fetch the style sheets anew, and look for what they import in the wrong place
    rules = {"resultTypes": ["violations"], "preload": False, "rules": {"heading-order": {"enabled": True}}}
    for violation in page.evaluate("rules => axe.run(document, rules)", rules)["violations"]:
        if violation["impact"] in ("serious", "critical") or violation["id"] == "heading-order":
            nodes = "; ".join(node["html"][:150] for node in violation["nodes"][:3])
            found.append(f"axe {violation['id']} ({violation['impact']}, {len(violation['nodes'])} times): {nodes}")
    return found


def unreached(page) -> list[str]:
    """What the keyboard never comes to, pressing Tab from the top to the end."""
    expected = page.evaluate(_REACHABLE)
    page.evaluate("window.scrollTo(0, 0)")
    for _ in range(3 * len(expected)):
        page.keyboard.press("Tab")
        if page.evaluate(_STEP):
            break
    return page.evaluate(_LEFT)
