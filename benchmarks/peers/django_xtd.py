"""django-comments-xtd, a tree of comments in SQL by Django's models, on SQLite. See common.py."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from common import LIMIT, REPLIES, Comment, Page, Peer, main

_APPS = ["auth", "contenttypes", "sites"]


def _set_up(path: Path) -> None:
    import django
    from django.conf import settings

    if settings.configured:
        return
    warnings.simplefilter("ignore")
    settings.configure(
        DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": str(path)}},
        INSTALLED_APPS=[f"django.contrib.{app}" for app in _APPS] + ["django_comments_xtd", "django_comments"],
        COMMENTS_APP="django_comments_xtd",
        COMMENTS_XTD_MAX_THREAD_LEVEL=1_000,
        SITE_ID=1,
        SECRET_KEY="benchmark",  # noqa: S106  # nothing is signed
        USE_TZ=True,
        DEFAULT_AUTO_FIELD="django.db.models.AutoField",
    )
    django.setup()
    from django.core.management import call_command

    call_command("migrate", verbosity=0)


class DjangoXtd(Peer):
    notes = "its tree is read whole, there is no page of it; bulk goes past its own code, which renumbers the tree for each"

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        _set_up(folder / "django.sqlite3")
        from django.contrib.auth.models import AnonymousUser
        from django.contrib.contenttypes.models import ContentType
        from django.contrib.sites.models import Site
        from django_comments.models import CommentFlag
        from django_comments_xtd.models import LIKEDIT_FLAG, XtdComment

        self._comments, self._flags, self._liked, self._reader = XtdComment, CommentFlag, LIKEDIT_FLAG, AnonymousUser()
        about = ContentType.objects.get_for_model(Site)
        self._fixed: dict[str, Any] = {"content_type": about, "object_pk": "1", "site_id": 1}

    def bulk(self, comments: Sequence[Comment]) -> None:
        from django.contrib.auth.models import User

        children: dict[int | None, list[Comment]] = {}
        for comment in comments:
            children.setdefault(comment.parent, []).append(comment)
        rows = []
        for root in children[None]:
            waiting, order = [(root, 0)], 0
            while waiting:
                comment, level = waiting.pop()
                order += 1
                below = children.get(comment.id, [])
                rows.append((comment.id, root.id, comment.parent or comment.id, level, order, False, len(below)))
                waiting.extend((reply, level + 1) for reply in reversed(below))
        self._write(comments, rows)
        people = {liker for comment in comments for liker in comment.likes}
        User.objects.bulk_create([User(username=name) for name in people])
        number = dict(User.objects.values_list("username", "id"))
        likes = [(comment.id, number[liker]) for comment in comments for liker in dict.fromkeys(comment.likes)]
        flag, now = self._liked, datetime.now(UTC)
        self._flags.objects.bulk_create([self._flags(comment_id=id, user_id=who, flag=flag, flag_date=now) for id, who in likes])

    def _write(self, comments: Sequence[Comment], rows: list[tuple[Any, ...]]) -> None:
        """Write both tables of a comment: a model that inherits another's table can not be created in bulk."""
        from django.db import connection, transaction
        from django_comments.models import Comment as Base

        names = "comment_ptr_id, thread_id, parent_id, level, 'order', followup, nested_count".replace("'", '"')
        with transaction.atomic(), connection.cursor() as cursor:
            Base.objects.bulk_create([Base(id=comment.id, **self._said(comment)) for comment in comments])
            table = self._comments._meta.db_table
            cursor.executemany(f"INSERT INTO {table} ({names}) VALUES (%s, %s, %s, %s, %s, %s, %s)", rows)

    def _said(self, comment: Comment) -> dict[str, Any]:
        at = datetime.fromtimestamp(comment.at / 1_000, UTC)
        return {"user_name": comment.name, "comment": comment.body, "submit_date": at, **self._fixed}

    def append(self, comment: Comment) -> None:
        self._comments(parent_id=comment.parent or 0, **self._said(comment)).save()

    def load(self) -> None:
        self.page("oldest")

    def page(self, order: str) -> Page:
        if order == "top":
            from django.db.models import Count, Q

            liked = Count("flags", filter=Q(flags__flag=self._liked))
            roots = self._comments.objects.filter(level=0, **self._fixed).annotate(likes=liked).order_by("-likes", "id")[:LIMIT]
            below = [self._comments.objects.filter(parent_id=root.id, level=1).order_by("id")[:REPLIES] for root in roots]
            return [(root.id, [reply.id for reply in replies]) for root, replies in zip(roots, below, strict=True)]
        queryset = self._comments.objects.filter(**self._fixed).order_by("thread_id", "order")
        tree = self._comments.tree_from_queryset(queryset.prefetch_related("flags"), with_feedback=False, user=self._reader)
        return [(one["comment"].id, [reply["comment"].id for reply in one["children"][:REPLIES]]) for one in tree[:LIMIT]]

    def close(self) -> None:
        from django.db import connections

        connections.close_all()


if __name__ == "__main__":
    main(DjangoXtd)
