"""Check the built pages: python tests/docs/check_site.py docs/_build

Read as files: every link and anchor leads somewhere, nothing is asked of another host, every public name is
documented. Then, where Chromium is installed, loaded in it: every formula is set, every picture is shown, no page is
wider than the window, no request fails or leaves this machine; and the page with most formulas as a plain file, without
a server.
"""

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import contextmanager
from functools import partial
from html.parser import HTMLParser
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules
from urllib.parse import unquote, urlsplit

FLAGS = [
    "--headless",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--window-size=1280,900",
]
PATIENCE = 300  # seconds for all pages
POLICY = (
    "default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data:; font-src 'self' data:; report-uri /report"
)
HARNESS = (Path(__file__).parent / "check_site.html").read_text(encoding="utf-8")


class Page(HTMLParser):
    """What a page names: its anchors, the links of its text, what it loads, and how many formulas it has."""

    def __init__(self, path):
        super().__init__()
        self.anchors, self.links, self.loads, self.n_formulas = {""}, [], [], 0
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag, attrs):
        given = dict(attrs)
        self.anchors |= {given[key] for key in ("id", "name") if given.get(key)}
        self.n_formulas += tag in ("span", "div") and "math" in (given.get("class") or "").split()
        if tag == "a" and given.get("href"):
            self.links.append(given["href"])
        elif tag == "link" and given.get("href"):
            self.loads.append(given["href"])
        elif given.get("src"):
            self.loads.append(given["src"])


def check_files(site):
    """Faults that can be seen without a browser, one line each."""
    pages = {path: Page(path) for path in sorted(site.rglob("*.html"))}
    faults = [] if pages else [f"{site} holds no page"]
    for path, page in pages.items():
        name = path.relative_to(site)
        for target in page.loads:
            if is_elsewhere(target):
                faults.append(f"{name} loads {target} from another host")
        for target in page.links + page.loads:
            parts = urlsplit(target)
            if is_elsewhere(target) or parts.scheme:
                continue
            file = path if not parts.path else (path.parent / unquote(parts.path)).resolve()
            if not file.is_file():
                faults.append(f"{name} leads to {target}, which is not there")
            elif file in pages and target in page.links and unquote(parts.fragment) not in pages[file].anchors:
                faults.append(f"{name} leads to {target}, which has no such anchor")
    for path in sorted(site.rglob("*.css")):
        for target in re.findall(r"(?:url\(|@import)\s*['\"]?([^'\")\s;]+)", path.read_text(encoding="utf-8")):
            if is_elsewhere(target):
                faults.append(f"{path.relative_to(site)} loads {target} from another host")
    return faults, sum(page.n_formulas for page in pages.values())


def is_elsewhere(target):
    """Whether a target lies on another host."""
    return target.startswith("//") or urlsplit(target).scheme in ("http", "https", "ws", "wss")


def check_names(site):
    """Public names of the library that no page documents, one line each."""
    import npgrad

    documented = set()
    for path in (site / "api").rglob("*.html"):
        documented |= Page(path).anchors
    faults = []
    for info in iter_modules(npgrad.__path__):
        if info.name.startswith("_") or info.name == "cli":  # the command line is on a page of its own
            continue
        module = f"npgrad.{info.name}"
        for name in getattr(import_module(module), "__all__", ()):
            home = ".".join(getattr(getattr(import_module(module), name), "__module__", module).split(".")[:2])
            if not {f"{module}.{name}", f"{home}.{name}"} & documented and not name.startswith("_"):
                faults.append(f"{module}.{name} is on no page; list {module} in docs/api/index.md")
    return faults


class Handler(SimpleHTTPRequestHandler):
    """Serves the site under a policy that forbids other hosts, and notes what fails."""

    def do_GET(self):
        if self.path == "/check":
            self.answer(HARNESS.replace("PAGES", json.dumps(self.server.pages)))
        else:
            super().do_GET()

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.answer("")
        if self.path == "/result":
            self.server.result = json.loads(body)
            self.server.done.set()
        else:
            report = json.loads(body)["csp-report"]
            self.server.faults.append(f"{report['document-uri']} asked for {report['blocked-uri']}")

    def answer(self, text):
        body = text.encode()
        self.send_response(200)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def end_headers(self):
        self.send_header("Content-Security-Policy", POLICY)
        super().end_headers()

    def log_error(self, text, *args):
        self.server.faults.append(f"{self.path}: {text % args}")

    def log_message(self, *args):
        pass


@contextmanager
def chromium(browser, *arguments):
    """A running browser with a profile of its own."""
    flags = [*FLAGS, "--no-sandbox"] if hasattr(os, "geteuid") and os.geteuid() == 0 else FLAGS
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        command = [browser, *flags, f"--user-data-dir={profile}", *arguments]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        try:
            yield process
        finally:
            process.kill()
            process.wait()


def check_in_browser(site, browser):
    """Faults that show when the pages are loaded, one line each."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, directory=str(site)))
    names = [path.relative_to(site) for path in sorted(site.rglob("*.html"))]
    server.pages = [f"/{name.as_posix()}" for name in names if name.parts[0] != "_modules"]
    server.faults, server.done, server.result = [], threading.Event(), None
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        with chromium(browser, f"http://127.0.0.1:{server.server_port}/check"):
            if not server.done.wait(PATIENCE):
                return [*server.faults, f"{browser} gave no answer within {PATIENCE} s"]
            seen = -1
            while len(server.faults) > seen:  # what pages asked for may still be on its way
                seen = len(server.faults)
                time.sleep(2)
    finally:
        server.shutdown()
        server.server_close()
    return server.faults + server.result["faults"]


def check_as_file(site, browser):
    """Whether the page with most formulas sets them all when it is opened from the disk."""
    counts = {path: Page(path).n_formulas for path in site.rglob("*.html")}
    path = max(counts, key=counts.get)
    with chromium(browser, "--virtual-time-budget=60000", "--dump-dom", path.as_uri()) as process:
        n_set = process.communicate(timeout=PATIENCE)[0].count("<mjx-container")
    return [] if n_set >= counts[path] else [f"{path} opened as a file sets {n_set} of {counts[path]} formulas"]


def main():
    site = Path(sys.argv[1]).resolve()
    browser = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")
    faults, n_formulas = check_files(site)
    faults += check_names(site)
    if browser:
        faults += check_in_browser(site, browser) + check_as_file(site, browser)
    print(*faults, sep="\n", end="\n" if faults else "")
    where = f"loaded in {browser}" if browser else "read as files, for want of Chromium"
    print(f"{n_formulas} formulas, {len(faults)} faults, {where}")
    return len(faults) > 0


if __name__ == "__main__":
    sys.exit(main())
