"""
A news site on loopback for each test, and visitors to it.

`visitor` has no script and does what a browser without one would: it fills the forms that are on the page and sends them.
"""

from __future__ import annotations

import os
import shutil
import socket
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from html.parser import HTMLParser
from pathlib import Path
from threading import Event, Thread
from typing import Any

import pytest

import threadstore

sys.path.insert(0, str(Path(__file__).parents[2] / "examples"))
MISSING: str | None = None
try:
    import httpx
    import uvicorn
    from news_site import seed
    from news_site.app import POLICY, Site, make_app
    from news_site.articles import ARTICLES, LARGE, Article
    from news_site.once import Once
except ModuleNotFoundError as error:  # pragma: no cover
    MISSING = error.name


@pytest.fixture(scope="session", autouse=True)
def installed() -> None:
    """Skip all tests of the site where what it needs is not installed."""
    if MISSING is not None:
        pytest.skip(f"the site needs {MISSING}: `make test-site`, or pip install 'threadstore[test-site]'")


class Clock:
    """The wall clock, which a test can put forward. What readers are told of time depends on it; nothing waits for it."""

    ahead = 0

    def __call__(self) -> int:
        return time.time_ns() // 1_000_000 + self.ahead

    def forward(self, *, minutes: int) -> None:
        self.ahead += minutes * 60_000


# --- a page, as a browser without a script understands it -----------------------------------------------------------------------


class Page(HTMLParser):
    """The forms, links and words of a page."""

    def __init__(self, source: str) -> None:
        super().__init__(convert_charrefs=True)
        self.source = source
        self.forms: list[dict[str, Any]] = []
        self.buttons: list[dict[str, Any]] = []
        self.links: list[str] = []
        self.ids: list[str] = []
        self._words: list[str] = []
        self._form: dict[str, Any] | None = None
        self._textarea: str | None = None
        self.feed(source)
        self.close()

    @property
    def text(self) -> str:
        """All that is to be read on the page, in one line."""
        return " ".join(" ".join(self._words).split())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        got = {name: value or "" for name, value in attrs}
        if "id" in got:
            self.ids.append(got["id"])
        if tag == "a" and "href" in got:
            self.links.append(got["href"])
        if tag == "form":
            self._form = {"id": got.get("id"), "action": got.get("action"), "fields": {}}
            self.forms.append(self._form)
        elif tag == "button":
            self.buttons.append(got)
        elif self._form is not None and got.get("name"):
            if tag == "textarea":
                self._textarea = got["name"]
                self._form["fields"][self._textarea] = ""
            elif got.get("type") != "checkbox" or "checked" in got:
                self._form["fields"][got["name"]] = got.get("value", "on")

    def handle_endtag(self, tag: str) -> None:
        if tag == "form":
            self._form = None
        elif tag == "textarea":
            self._textarea = None

    def handle_data(self, data: str) -> None:
        if self._textarea is not None and self._form is not None:
            before = self._form["fields"][self._textarea]
            self._form["fields"][self._textarea] = before + (data if before else data.removeprefix("\n"))
        else:
            self._words.append(data)

    def fields(self, action: str) -> dict[str, str]:
        """Return what the form for this address would send, or the form whose button sends there."""
        for form in self.forms:
            if form["action"] == action:
                return dict(form["fields"])
        for button in self.buttons:
            if button.get("formaction") == action:
                [form] = [form for form in self.forms if form["id"] == button["form"]]
                extra = {button["name"]: button["value"]} if "name" in button else {}
                return {**form["fields"], **extra}
        raise AssertionError(f"the page has no form for {action}")

    def offers(self, action: str) -> bool:
        """Return whether anything on the page leads there."""
        sent = [form["action"] for form in self.forms] + [button.get("formaction") for button in self.buttons]
        return action in sent or action in self.links


class Visitor:
    """Somebody with a browser that keeps cookies and runs no script."""

    def __init__(self, base: str) -> None:
        self.http = httpx.Client(base_url=base, timeout=30)

    def get(self, url: str, *, status: int = 200, **options: Any) -> Page:
        answer = self.http.get(url, **options)
        assert answer.status_code == status, answer.text
        return Page(answer.text)

    def send(self, on: str, action: str, **typed: str | None) -> httpx.Response:
        """Fill the form on a page and send it; a field that is None is left out."""
        fields = {**self.get(on).fields(action), **typed}
        return self.post(action, fields)

    def post(self, action: str, fields: dict[str, Any], **headers: str) -> httpx.Response:
        sent = {name: value for name, value in fields.items() if value is not None}
        return self.http.post(action, data=sent, headers=headers)

    def say(self, body: str, *, under: Article | None = None, to: str = "", **typed: str) -> str:
        """Write a comment, or a reply, and return its id."""
        url = (under or ARTICLES[0]).url
        on = f"{url}/c/{to}/reply" if to else url
        answer = self.send(on, on if to else f"{url}/comments", body=body, **typed)
        assert answer.status_code == 303, Page(answer.text).text
        return answer.headers["location"].partition("#")[0].rsplit("/", 1)[1]

    def sign_in(self, account: str) -> Visitor:
        assert self.send("/sign-in", "/sign-in", account=account).status_code == 303
        return self


# --- the site -----------------------------------------------------------------------------------------------------------------


@contextmanager
def serving(site: Site, port: int = 0) -> Iterator[int]:
    """Serve a site on loopback, and yield its port."""

    class Server(uvicorn.Server):
        """Says when it has started, so that nobody needs to look again and again."""

        async def startup(self, sockets: list[socket.socket] | None = None) -> None:
            await super().startup(sockets)
            is_up.set()

    is_up = Event()
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind(("127.0.0.1", port))
    server = Server(
        uvicorn.Config(make_app(site), log_level="critical", ws="none", http="h11", loop="asyncio", timeout_graceful_shutdown=1)
    )
    thread = Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    try:
        assert is_up.wait(30)
        yield listener.getsockname()[1]
    finally:
        server.should_exit = True
        thread.join(30)
        listener.close()


@pytest.fixture(scope="session")
def seeded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a store with the invented conversations."""
    path = tmp_path_factory.mktemp("seeded") / "site.db"
    seed.seed(path, time.time_ns() // 1_000_000)
    return path


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def make_site(clock: Clock) -> Callable[..., Site]:
    """Return what makes a site over the store at a path."""

    def make(path: Path, **options: Any) -> Site:
        policy = options.pop("policy", POLICY)
        store = threadstore.open(path, policy=policy, now=clock, durability="normal")
        options.setdefault("articles", (*ARTICLES, LARGE))
        return Site(store=store, once=Once(f"{path}-forms", store.now), secret="a secret of the tests", **options)

    return make


@pytest.fixture
def path(seeded: Path, tmp_path: Path) -> Path:
    """Return a copy of the invented conversations."""
    return Path(shutil.copy(seeded, tmp_path / "site.db"))


@pytest.fixture
def site(path: Path, make_site: Callable[..., Site]) -> Site:
    return make_site(path)


@pytest.fixture
def served(site: Site) -> Iterator[tuple[ExitStack, int]]:
    """Serve the site; closing the stack ends it."""
    with ExitStack() as stack:
        yield stack, stack.enter_context(serving(site))


@pytest.fixture
def base(served: tuple[ExitStack, int]) -> str:
    """Return the address of a site that is being served."""
    return f"http://127.0.0.1:{served[1]}"


@pytest.fixture
def serve_again(served: tuple[ExitStack, int], path: Path, make_site: Callable[..., Site]) -> Callable[..., Site]:
    """Return what ends the site, lets something happen to its store, and serves it anew at the same address."""
    stack, port = served

    def again(meanwhile: Callable[[Site], None]) -> Site:
        stack.close()
        site = make_site(path)
        meanwhile(site)
        stack.enter_context(serving(site, port))
        return site

    return again


@pytest.fixture
def serving_site() -> Callable[..., Any]:
    """Return what serves any site."""
    return serving


@pytest.fixture
def visit(base: str) -> Iterator[Callable[[], Visitor]]:
    """Return what brings another visitor."""
    come: list[Visitor] = []

    def arrive() -> Visitor:
        come.append(Visitor(base))
        return come[-1]

    yield arrive
    for visitor in come:
        visitor.http.close()


@pytest.fixture
def visitor(visit: Callable[[], Visitor]) -> Visitor:
    return visit()


@pytest.fixture
def moderator(visit: Callable[[], Visitor]) -> Visitor:
    return visit().sign_in("noor")


@pytest.fixture
def new_visitor() -> type[Visitor]:
    """Return what visits any site."""
    return Visitor


@pytest.fixture
def came_up() -> Callable[[Any, str], tuple[str, str]]:
    """Return what waits for the program, and returns what it printed and its front page."""

    def wait(program: Any, url: str) -> tuple[str, str]:
        printed = ""
        while f"The site is at {url}/" not in printed:
            line = program.stdout.readline()
            assert line, program.stderr.read()
            printed += line
        transport = httpx.HTTPTransport(retries=8)  # refused connections, at growing distances
        with httpx.Client(transport=transport, timeout=30) as client:
            return printed, client.get(url).text

    return wait


# --- a real browser -----------------------------------------------------------------------------------------------------------

_INSTALL = "Chromium and Playwright are needed: apt-get install chromium; pip install playwright"


@pytest.fixture(scope="session")
def chromium() -> Iterator[Any]:
    """Return a real Chromium, without a window."""
    asked = "THREADSTORE_BROWSER" in os.environ
    if not asked:
        pytest.skip("in a real browser with `make test-site`")
    found = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    try:
        from playwright.sync_api import sync_playwright
    except ModuleNotFoundError:
        found = None
    if found is None:
        pytest.fail(_INSTALL) if asked else pytest.skip(_INSTALL)
    options = [] if os.name != "posix" or os.geteuid() else ["--no-sandbox"]  # root has no sandbox to put it into
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found, args=options)
        yield browser
        browser.close()


@pytest.fixture
def open_page(chromium: Any, base: str) -> Iterator[Callable[..., Any]]:
    """Return what opens a page of the site in a browser of its own; in the end, no script may have failed or been blocked."""
    contexts, troubles = [], []

    def trouble(message: Any) -> None:
        if message.type == "error" and "Failed to load resource" not in message.text and "ERR_" not in message.text:
            troubles.append(message.text)

    def open_one(url: str = "", **options: Any) -> Any:
        context = chromium.new_context(base_url=base, **{"viewport": {"width": 1000, "height": 800}, **options})
        context.set_default_timeout(15_000)
        contexts.append(context)
        page = context.new_page()
        page.on("console", trouble)
        page.on("pageerror", lambda error: troubles.append(str(error)))
        page.on("dialog", lambda dialog: (troubles.append(f"a dialog said {dialog.message}"), dialog.dismiss()))
        if url:
            page.goto(url)
        return page

    yield open_one
    for context in contexts:
        context.close()
    assert troubles == []
