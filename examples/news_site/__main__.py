"""
Set up and serve the site.

    python -m news_site                     makes news_site.db with invented conversations, and serves it
    python -m news_site --large             adds a thread of 100,000 comments
    python -m news_site --db other.db --port 8080
"""

from __future__ import annotations

import argparse
import os
import secrets
import sys
import time
from pathlib import Path

import threadstore
from news_site import seed
from news_site.articles import ARTICLES, LARGE


def main() -> None:
    asked = _arguments()
    try:
        import uvicorn

        from news_site.app import POLICY, Site, make_app
        from news_site.once import Once
    except ModuleNotFoundError as missing:
        sys.exit(f"news_site needs {missing.name}: pip install 'threadstore[site]'")
    now = time.time_ns() // 1_000_000
    if not asked.db.exists():
        print(f"Making {asked.db} with invented conversations ...")
        seed.seed(asked.db, now)
    if asked.large:
        print("Adding the thread of 100,000 comments (once) ...")
        seed.large(asked.db, now)
    store = threadstore.open(asked.db, policy=POLICY)
    articles = (*ARTICLES, LARGE) if store.thread(LARGE.key).revision else ARTICLES
    once = Once(f"{asked.db}-forms", store.now)
    site = Site(store=store, once=once, secret=_secret(Path(f"{asked.db}-secret")), articles=articles, secure=asked.https)
    server = uvicorn.Server(
        uvicorn.Config(
            make_app(site),
            host="127.0.0.1",
            port=asked.port,
            log_level="warning",
            access_log=False,
            server_header=False,
            h11_max_incomplete_event_size=32 * 1024,
            timeout_graceful_shutdown=1,
        )
    )
    print(f"The site is at http://127.0.0.1:{asked.port}/  (Ctrl+C ends it)", flush=True)
    server.run()


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="news_site", description="A small news site with comment sections.")
    parser.add_argument("--db", type=Path, default=Path("news_site.db"), help="the SQLite file (default: %(default)s)")
    parser.add_argument("--port", type=int, default=8000, help="on loopback (default: %(default)s)")
    parser.add_argument("--large", action="store_true", help="add a thread of 100,000 comments")
    parser.add_argument("--https", action="store_true", help="a proxy serves the site over HTTPS: cookies are Secure")
    return parser.parse_args()


def _secret(path: Path) -> str:
    """Return what signs the cookies: kept beside the store, for its owner's eyes only, unless the environment names one."""
    if given := os.environ.get("NEWS_SITE_SECRET"):
        return given
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return path.read_text(encoding="ascii")
    with os.fdopen(descriptor, "w", encoding="ascii") as file:
        file.write(secret := secrets.token_urlsafe(32))
    return secret


if __name__ == "__main__":
    main()
