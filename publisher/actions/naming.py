"""Which article, and which issue, a person means."""

from __future__ import annotations

from sqlalchemy import Connection

from publisher.config import Site
from publisher.errors import SettingsError
from publisher.model import Article
from publisher.store import articles as store
from publisher.store import corrections, drafts, issues
from publisher.store.articles import Stored
from publisher.store.corrections import Named
from publisher.store.issues import IssueRow

__all__ = ["named_article", "named_issue", "require_no_draft"]


def named_article(connection: Connection, site: Site, name: str) -> tuple[Stored, Article]:
    """Return the one article that a name means.

    Raises:
        SettingsError: the name means no article, or several.
    """
    found = corrections.find_articles(connection, name.strip(), site.base_url)
    if not found:
        _refuse_draft(connection, site, name.strip())
        raise SettingsError(
            f"no article is called {name!r}; name it by its id, its address, its file in "
            f"{site.paths.articles}/ or the last part of its path"
        )
    if len(found) > 1:
        raise SettingsError(f"{name!r} may be any of {len(found)} articles; name one by its id:\n" + _choices(found))
    seq = found[0].seq
    article = store.articles_by_seq(connection, [seq], site.base_url, site.tz)[seq]
    return store.stored(connection, [seq])[seq], article


def require_no_draft(one: Stored, article: Article) -> None:
    """Let an article pass whose record is no draft.

    Raises:
        SettingsError: it is one; the message names the file and what says so.
    """
    if one.draft is not None:
        raise SettingsError(f"{article.title!r} is a draft: {one.source}: {one.draft}. Publish it there first.")


def _refuse_draft(connection: Connection, site: Site, name: str) -> None:
    file = name.removeprefix("./").removeprefix(f"{site.paths.articles}/")
    for one in drafts.drafts(connection):
        if one.where == file or one.where.rpartition(".")[0] == file:
            raise SettingsError(f"{one.where} is a draft: {one.statement}. Publish it there first.")


def _choices(found: list[Named]) -> str:
    return "\n".join(f"  {one.id}  {one.path}  ({one.source})" for one in found)


def named_issue(connection: Connection, target: str) -> IssueRow:
    """Return the issue that ``DIGEST/NAME`` means; the newest one for ``DIGEST``.

    Raises:
        SettingsError: there is none.
    """
    digest, _, name = target.strip("/").partition("/")
    rows = issues.issues(connection)
    row = next((one for one in rows if one.digest == digest and name in ("", one.name)), None)
    if row is None:
        raise SettingsError(f"there is no issue {target}: 'publish outbox' lists them")
    return row
