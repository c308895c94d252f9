"""Servers in processes of their own, and their pages in a real browser."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, BrowserContext, Error, Page, Route, sync_playwright

_SERVE = """
import sys
from vecsearch import EditOptions, ServeOptions, serve
folder, add_to, root_path = sys.argv[1:]
serve(
    folder,
    ServeOptions(port=0, log="none", root_path=root_path),
    edits=EditOptions(add_to=add_to) if add_to else None,
    started=lambda url: print(url, flush=True),
)
"""
_PATIENCE_S = 60


@dataclass(frozen=True)
class Answer:
    """What a server answered."""

    status: int
    headers: Any
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass(frozen=True)
class Server:
    """A server at a ``url``, which ends with a slash."""

    url: str

    def get(self, address: str, **headers: str) -> Answer:
        return _ask(urllib.request.Request(self.url + address, headers=headers))

    def post(self, address: str, message: object) -> Answer:
        data = json.dumps(message).encode()
        headers = {"Content-Type": "application/json"}
        return _ask(urllib.request.Request(self.url + address, data, headers))

    def made(self, address: str) -> Answer:
        """Ask until the answer is there."""
        end = time.monotonic() + _PATIENCE_S
        while time.monotonic() < end:
            answer = self.get(address)
            if answer.status != 202:
                return answer
            time.sleep(0.05)
        raise AssertionError(f"never came: {address}")


def _ask(request: urllib.request.Request) -> Answer:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(request, timeout=_PATIENCE_S) as response:
            return Answer(response.status, response.headers, response.read())
    except urllib.error.HTTPError as error:
        with error:
            return Answer(error.code, error.headers, error.read())


@contextmanager
def serving(index: Path, *, add_to: Path | None = None, root_path: str = "") -> Iterator[Server]:
    """Serve an index in another process; with *add_to* it may be changed."""
    arguments = [str(index), str(add_to or ""), root_path]
    command = [sys.executable, "-W", "error", "-c", _SERVE, *arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            url = process.stdout.readline().strip()
            assert url.startswith("http://"), "it did not start"
            yield Server(url)
        finally:
            process.terminate()
            process.wait(_PATIENCE_S)
    assert process.returncode in (0, -15)


@contextmanager
def started_browser() -> Iterator[Browser]:
    """Start Chromium: the system's, or the one that playwright has installed; else skip."""
    with sync_playwright() as playwright:
        names = ("chromium", "chromium-browser", "google-chrome")
        found = next(filter(None, map(shutil.which, names)), None)
        program = found or playwright.chromium.executable_path
        if not Path(program).exists():
            assert not os.environ.get("VECSEARCH_TEST_BROWSER"), "there is no Chromium"
            pytest.skip("needs Chromium (apt install chromium, or playwright install chromium)")
        started = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        yield started
        started.close()


Visit = Callable[..., Page]


@contextmanager
def visits(browser: Browser) -> Iterator[Visit]:
    """Open pages; at the end, nothing may have been said in the console, nor asked elsewhere.

    The policy that the browser keeps to tells what it forbids there too.
    """
    context = browser.new_context(
        viewport={"width": 1000, "height": 700},
        permissions=["clipboard-read", "clipboard-write"],
        reduced_motion="reduce",
    )
    said: list[str] = []
    hosts: list[str] = []
    visited: list[str] = []

    def visit(server: Server, address: str, *, wait: bool = True) -> Page:
        page = _watched(context, said, hosts)
        visited.append(urlsplit(server.url).netloc)
        page.goto(server.url + address)
        if wait:
            until(page, READY)
        return page

    yield visit
    for page in context.pages:
        page.unroute_all(behavior="ignoreErrors")  # what is under way is of no interest now
    context.close()
    assert said == []
    assert set(hosts) <= {*visited, ""}


READY = "document.getElementById('data') !== null && !document.querySelector('#waiting')"


def _watched(context: BrowserContext, said: list[str], hosts: list[str]) -> Page:
    page = context.new_page()
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))

    def watch(route: Route) -> None:
        hosts.append(urlsplit(route.request.url).netloc)
        route.fallback()

    page.route("**/*", watch)
    return page


def until(page: Page, condition: str) -> None:
    """Wait for a condition; playwright's own way needs eval, which the pages forbid."""
    end = time.monotonic() + _PATIENCE_S
    while time.monotonic() < end:
        with suppress(Error):  # while the page goes to another
            if page.evaluate(condition):
                return
        page.wait_for_timeout(50)
    raise AssertionError(f"never came: {condition}")


def accessibility_faults(page: Page) -> list[str]:
    """Return what axe finds on a page that has come to rest: colours fade from one to another."""
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    found: list[str] = []
    for _ in range(5):
        page.wait_for_timeout(300)
        faults = axe.run(page).response["violations"]
        found = [f"{one['id']}: {[node['target'] for node in one['nodes']]}" for one in faults]
        if not found:
            break
    return found
