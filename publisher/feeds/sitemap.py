"""The news sitemap for search engines (https://www.sitemaps.org/protocol.html)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from lxml import etree

from publisher.model.articles import Article

_SITEMAP: Final = "http://www.sitemaps.org/schemas/sitemap/0.9"
#: https://developers.google.com/search/docs/crawling-indexing/sitemaps/news-sitemap
_NEWS: Final = "http://www.google.com/schemas/sitemap-news/0.9"
_PREFIXES: Final[Any] = {None: _SITEMAP, "news": _NEWS}


def render_news_sitemap(articles: Sequence[Article], title: str, language: str) -> bytes:
    """Return the news sitemap.

    Args:
        articles: of the last two days, at most 1,000, newest first.
        language: of the site, for articles without a language.
    """
    root = etree.Element(f"{{{_SITEMAP}}}urlset", nsmap=_PREFIXES)
    for article in articles:
        url = etree.SubElement(root, f"{{{_SITEMAP}}}url")
        etree.SubElement(url, f"{{{_SITEMAP}}}loc").text = article.link
        news = etree.SubElement(url, f"{{{_NEWS}}}news")
        publication = etree.SubElement(news, f"{{{_NEWS}}}publication")
        etree.SubElement(publication, f"{{{_NEWS}}}name").text = title
        etree.SubElement(publication, f"{{{_NEWS}}}language").text = _news_language(article.language or language)
        etree.SubElement(news, f"{{{_NEWS}}}publication_date").text = article.published.isoformat()
        etree.SubElement(news, f"{{{_NEWS}}}title").text = article.title
    data: bytes = etree.tostring(root, xml_declaration=True, encoding="UTF-8", pretty_print=True)
    return data


def _news_language(language: str) -> str:
    """Return the language code of news sitemaps: two or three letters, except for Chinese."""
    lowered = language.lower()
    if lowered.startswith("zh"):
        return "zh-tw" if "hant" in lowered or lowered.endswith(("tw", "hk")) else "zh-cn"
    return lowered.split("-")[0]
