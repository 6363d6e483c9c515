"""
A news site on loopback for each test, and visitors to it.

`visitor` has no script and does what a browser without one would: it fills the forms that are on the page and sends them.
"""

from __future__ import annotations

import shutil
import socket
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from html.parser import HTMLParser
from pathlib import Path
from threading import Event, Thread
from typing import Any

import pytest

for needed in ("starlette", "uvicorn", "jinja2", "itsdangerous", "httpx"):
    pytest.importorskip(needed, reason=f"the site needs {needed}: pip install 'threadstore[test-site]', or `make test-site`")

import httpx
import uvicorn

sys.path.insert(0, str(Path(__file__).parents[2] / "examples"))

import threadstore
from news_site import seed
from news_site.app import POLICY, Site, make_app
from news_site.articles import ARTICLES, LARGE, Article
from news_site.once import Once

WEIR = ARTICLES[0]


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

    def say(self, body: str, *, under: Article = WEIR, to: str = "", **typed: str) -> str:
        """Write a comment, or a reply, and return its id."""
        on = f"{under.url}/c/{to}/reply" if to else under.url
        answer = self.send(on, on if to else f"{under.url}/comments", body=body, **typed)
        assert answer.status_code == 303, Page(answer.text).text
        return answer.headers["location"].partition("#")[0].rsplit("/", 1)[1]

    def sign_in(self, account: str) -> Visitor:
        assert self.send("/sign-in", "/sign-in", account=account).status_code == 303
        return self


# --- the site -----------------------------------------------------------------------------------------------------------------


class _Server(uvicorn.Server):
    """Says when it has started, so that nobody needs to look again and again."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.is_up = Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.is_up.set()


@contextmanager
def serving(site: Site, port: int = 0) -> Iterator[int]:
    """Serve a site on loopback, and yield its port."""
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind(("127.0.0.1", port))
    server = _Server(
        uvicorn.Config(make_app(site), log_level="critical", ws="none", http="h11", loop="asyncio", timeout_graceful_shutdown=1)
    )
    thread = Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    try:
        assert server.is_up.wait(30)
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
        store = threadstore.open(path, policy=policy, now=clock, durability="normal", cache_bytes=512 << 20)
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
def base(site: Site) -> Iterator[str]:
    """Return the address of a site that is being served."""
    with serving(site) as port:
        yield f"http://127.0.0.1:{port}"


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
