"""Template values of an article's web page, with metadata for search engines and other sites."""

from __future__ import annotations

import json
from typing import Any

from markupsafe import Markup

from publisher.html.dates import long_date, short_date
from publisher.html.direction import text_direction
from publisher.html.text import excerpt, plain_text
from publisher.html.urls import absolute_urls, safe_url
from publisher.model.articles import Article
from publisher.settings import Site

#: Words of the body that replace a missing dek.
_SUMMARY_WORDS = 32


def article_summary(article: Article, language: str) -> dict[str, Any]:
    """Return the template values of an article in a list of articles: plain text."""
    return {
        "title": article.title,
        "link": article.link,
        "dek": article.dek or excerpt(plain_text(article.body), _SUMMARY_WORDS),
        "kicker": " · ".join(label for label in (article.topic, article.region) if label),
        "byline": ", ".join(author.name for author in article.authors),
        "day": short_date(article.published, language),
        "direction": text_direction(article.title),
        "language": article.language or language,
    }


def article_page_values(article: Article, site: Site) -> dict[str, Any]:
    """Return the template values of an article's page."""
    image = article.image
    picture = safe_url(image.url, site.base_url + "/") if image is not None and image.url else None
    return {
        **article_summary(article, site.language),
        "heading": article.title,
        # Not the excerpt that replaces a missing dek: the body below begins with the same words.
        "standfirst": article.dek or "",
        "published": article.published.isoformat(),
        "changed": article.changed.isoformat() if article.changed != article.published else "",
        "authors": [
            {"name": author.name, "bio": author.bio or "", "url": safe_url(author.url) if author.url else None}
            for author in article.authors
        ],
        "body": Markup(absolute_urls(article.body, article.link)),  # noqa: S704 - sanitized by the parser
        "picture": picture,
        "picture_alt": (image.alt if image else None) or "",
        "picture_caption": " ".join(text for text in (image.caption, image.credit) if text) if image else "",
        "picture_size": (image.width, image.height) if image and image.width and image.height else None,
        "corrections": [
            {
                "day": long_date(correction.at.astimezone(article.published.tzinfo), site.language),
                "note": correction.note,
            }
            for correction in article.corrections
        ],
        "tags": article.tags,
        "linked_data": _linked_data(article, picture, site),
    }


def _linked_data(article: Article, picture: str | None, site: Site) -> Markup:
    """Return the article as https://schema.org/NewsArticle, for a JSON-LD script element."""
    data = {
        "@context": "https://schema.org",
        "@type": "NewsArticle",
        "headline": article.title[:110],
        "description": article.dek,
        "url": article.link,
        "mainEntityOfPage": article.link,
        "datePublished": article.published.isoformat(),
        "dateModified": article.changed.isoformat(),
        "inLanguage": article.language or site.language,
        "articleSection": article.topic,
        "keywords": list(article.tags) or None,
        "image": [picture] if picture else None,
        "author": [
            {"@type": "Person", "name": author.name, **({"url": author.url} if author.url else {})}
            for author in article.authors
        ]
        or [{"@type": "Organization", "name": site.title}],
        "publisher": {"@type": "Organization", "name": site.title, "url": f"{site.base_url}/"},
        "correction": [correction.note for correction in article.corrections] or None,
    }
    text = json.dumps({key: value for key, value in data.items() if value}, ensure_ascii=False)
    # No text can end the script element.
    for character, escape in (("&", "\\u0026"), ("<", "\\u003c"), (">", "\\u003e")):
        text = text.replace(character, escape)
    return Markup(text)  # noqa: S704 - escaped above
