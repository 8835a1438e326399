"""Find the article that a name on the command line or in a form refers to."""

from __future__ import annotations

from sqlalchemy import Connection

from publisher.articles import drafts_store as drafts
from publisher.articles import sources_store as sources
from publisher.articles import store
from publisher.articles.store import ArticleRow
from publisher.errors import SettingsError
from publisher.html.urls import url_path
from publisher.model.articles import Article
from publisher.settings import Site


def find_article(connection: Connection, site: Site, name: str) -> tuple[ArticleRow, Article]:
    """Return the one article that a name matches.

    Raises:
        SettingsError: the name matches no article, several, a draft, or a file that was skipped.
    """
    matches = store.find_articles(connection, name.strip(), site.base_url)
    if not matches:
        _explain_file(connection, site, name.strip())
        raise SettingsError(
            f"no article matches {name!r}. Give its ID, its URL, its file in "
            f"{site.paths.articles}/ or the last part of its path"
        )
    if len(matches) > 1:
        choices = (f"  {match.id}  {url_path(match.path)}  ({match.source})" for match in matches)
        raise SettingsError(f"{name!r} matches {len(matches)} articles. Give the ID of one:\n" + "\n".join(choices))
    (row,) = matches
    return row, store.articles_by_seq(connection, [row.seq], site.base_url, site.tz)[row.seq]


def find_published_article(connection: Connection, site: Site, name: str) -> tuple[ArticleRow, Article]:
    """Return the one article that a name matches, which is neither a draft nor withdrawn.

    Raises:
        SettingsError: as for `find_article`, or the article is a draft or withdrawn.
    """
    row, article = find_article(connection, site, name)
    require_no_draft(row, article)
    if row.retracted_at is not None:
        raise SettingsError(f"{article.title!r} was withdrawn. To undo that, use 'publish retract ARTICLE --undo'.")
    return row, article


def require_no_draft(row: ArticleRow, article: Article) -> None:
    """Raise a SettingsError that names the file and the field if the record of an article is a draft."""
    if row.draft is not None:
        raise SettingsError(
            f"{article.title!r} is a draft: {row.source}: {row.draft}. Change that, then run the command again"
        )


def _explain_file(connection: Connection, site: Site, name: str) -> None:
    """Raise a SettingsError if the name is that of a draft, or of a file that was skipped."""
    for draft in drafts.list_drafts(connection):
        if _names_file(site, name, draft.where):
            raise SettingsError(f"{draft.where} is a draft: {draft.statement}. Change that, then run the command again")
    for problem in sources.list_problems(connection, rejected=True):
        if _names_file(site, name, problem.where):
            raise SettingsError(f"{problem.where} was skipped: {problem.reason}")


def _names_file(site: Site, name: str, where: str) -> bool:
    """Return whether a name is that of a file, with or without the folder of articles and the suffix."""
    file = name.removeprefix("./").removeprefix(f"{site.paths.articles}/")
    return file in (where, where.rpartition(".")[0])
