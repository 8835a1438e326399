"""Which article, and which issue, a person means."""

from __future__ import annotations

from sqlalchemy import Connection

from publisher.articles import corrections_store as corrections
from publisher.articles import drafts_store as drafts
from publisher.articles import store
from publisher.articles.corrections_store import ArticleMatch
from publisher.articles.store import ArticleRow
from publisher.errors import SettingsError
from publisher.model.articles import Article
from publisher.settings import Site

__all__ = ["find_article", "require_no_draft"]


def find_article(connection: Connection, site: Site, name: str) -> tuple[ArticleRow, Article]:
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
    return store.rows_by_seq(connection, [seq])[seq], article


def require_no_draft(one: ArticleRow, article: Article) -> None:
    """Let an article pass whose record is no draft.

    Raises:
        SettingsError: it is one; the message names the file and what says so.
    """
    if one.draft is not None:
        raise SettingsError(f"{article.title!r} is a draft: {one.source}: {one.draft}. Publish it there first.")


def _refuse_draft(connection: Connection, site: Site, name: str) -> None:
    file = name.removeprefix("./").removeprefix(f"{site.paths.articles}/")
    for one in drafts.list_drafts(connection):
        if one.where == file or one.where.rpartition(".")[0] == file:
            raise SettingsError(f"{one.where} is a draft: {one.statement}. Publish it there first.")


def _choices(found: list[ArticleMatch]) -> str:
    return "\n".join(f"  {one.id}  {one.path}  ({one.source})" for one in found)
