"""An article as its page on the web has it: text, and what search engines and other sites read of it."""

from __future__ import annotations

import json
from typing import Any

from markupsafe import Markup

from publisher.html.dates import long_date, short_date
from publisher.html.direction import text_direction
from publisher.html.text import excerpt, plain_text
from publisher.html.urls import absolute_urls, safe_url
from publisher.model.articles import Article

__all__ = ["article_page_values", "article_summary"]

#: Words of a text that stand for it where there is no dek.
_SUMMARY_WORDS = 32


def article_summary(article: Article, language: str) -> dict[str, Any]:
    """Return an article as a list of articles has it: plain text."""
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


def article_page_values(article: Article, *, site_title: str, base_url: str, language: str) -> dict[str, Any]:
    """Return what the page's template asks for.

    Args:
        article: it.
        site_title, base_url, language: the site's.
    """
    image = article.image
    picture = safe_url(image.url, base_url + "/") if image is not None and image.url else None
    line = article_summary(article, language)
    return {
        **line,
        "heading": article.title,
        # What stands for a missing dek in lists would stand above the text that it is the beginning of.
        "standfirst": article.dek or "",
        "published": article.published.isoformat(),
        "changed": article.changed.isoformat() if article.changed != article.published else "",
        "authors": [
            {"name": one.name, "bio": one.bio or "", "url": safe_url(one.url) if one.url else None}
            for one in article.authors
        ],
        "body": Markup(absolute_urls(article.body, article.link)),  # noqa: S704 - sanitised when it came in
        "picture": picture,
        "picture_alt": (image.alt if image else None) or "",
        "picture_caption": " ".join(one for one in (image.caption, image.credit) if one) if image else "",
        "picture_size": (image.width, image.height) if image and image.width and image.height else None,
        "corrections": [
            {"day": long_date(one.at.astimezone(article.published.tzinfo), language), "note": one.note}
            for one in article.corrections
        ],
        "tags": article.tags,
        "linked_data": _linked_data(article, picture, site_title=site_title, base_url=base_url, language=language),
    }


def _linked_data(article: Article, picture: str | None, *, site_title: str, base_url: str, language: str) -> Markup:
    """Return the article as https://schema.org/NewsArticle, for a script element of data."""
    said = {
        "@context": "https://schema.org",
        "@type": "NewsArticle",
        "headline": article.title[:110],
        "description": article.dek,
        "url": article.link,
        "mainEntityOfPage": article.link,
        "datePublished": article.published.isoformat(),
        "dateModified": article.changed.isoformat(),
        "inLanguage": article.language or language,
        "articleSection": article.topic,
        "keywords": list(article.tags) or None,
        "image": [picture] if picture else None,
        "author": [
            {"@type": "Person", "name": one.name, **({"url": one.url} if one.url else {})} for one in article.authors
        ]
        or [{"@type": "Organization", "name": site_title}],
        "publisher": {"@type": "Organization", "name": site_title, "url": f"{base_url}/"},
        "correction": [one.note for one in article.corrections] or None,
    }
    text = json.dumps({key: value for key, value in said.items() if value}, ensure_ascii=False)
    # Nothing in it can end the element that it stands in.
    for character, escape in (("&", "\\u0026"), ("<", "\\u003c"), (">", "\\u003e")):
        text = text.replace(character, escape)
    return Markup(text)  # noqa: S704 - escaped above
