"""The rules for feeds."""

from __future__ import annotations

from typing import Final

from publisher.findings import Finding, Rule, rules_by_id

__all__ = ["FEED_RULES", "finding"]

_RSS = "https://www.rssboard.org/rss-specification"
_PROFILE = "https://www.rssboard.org/rss-profile"
_ATOM = "https://www.rfc-editor.org/rfc/rfc4287"
_JSON = "https://www.jsonfeed.org/version/1.1/"
_W3C = "https://validator.w3.org/feed/docs/"
_MEDIA = "https://www.rssboard.org/media-rss"

#: Rule ID → rule. docs/checks.md shows the same table.
FEED_RULES: Final = rules_by_id(
    [
        # Every document
        Rule(
            id="well-formed",
            requirement="a feed is well-formed XML, or JSON",
            fix="mend the markup at the place named; nothing else of the feed can be checked before",
            source="https://www.w3.org/TR/xml/#sec-well-formed",
        ),
        Rule(
            id="kind",
            requirement="the document is RSS 2.0, Atom 1.0 or JSON Feed 1.1",
            fix="name a feed, not a page about it",
            source=_RSS,
        ),
        Rule(
            id="encoding",
            requirement="a feed is UTF-8, and says so",
            fix="write the feed in UTF-8",
            source="https://www.rfc-editor.org/rfc/rfc7303#section-3",
        ),
        Rule(
            id="media-type",
            requirement="a feed is served under its own media type",
            fix="set the type in the web server; 'publish hosting' prints settings that do",
            source=f"{_ATOM}#section-7",
        ),
        Rule(
            id="not-modified",
            requirement="a server answers 304 to who has the newest bytes already",
            fix="let the server send an ETag and look at If-None-Match; 'publish hosting' prints settings that do",
            source="https://www.rfc-editor.org/rfc/rfc9110#section-13.1.2",
        ),
        Rule(
            id="namespace",
            requirement="no namespace is declared that reader programs do not know",
            fix="take the declaration out; what it is for goes into a feed of its own",
            source=f"{_W3C}warning/UnknownNamespace.html",
        ),
        Rule(
            id="unknown-element",
            requirement="every element is one that the format has",
            fix="take the element out, or put it into its namespace",
            source=f"{_W3C}error/UndefinedElement.html",
        ),
        Rule(
            id="repeated",
            requirement="what may stand once stands once",
            fix="leave one of them",
            source=f"{_W3C}error/DuplicateElement.html",
        ),
        Rule(
            id="required",
            requirement="what must be there is there, and not empty",
            fix="give it a text",
            source=f"{_W3C}error/MissingElement.html",
        ),
        Rule(
            id="self-link",
            requirement="a feed names its own address, with its type",
            fix="set feeds.url to the address at which the folder is served",
            source=f"{_W3C}warning/SelfDoesntMatchLocation.html",
        ),
        Rule(
            id="link-relation",
            requirement="a link's relation is a registered one: previous, not prev; prev-archive, not archives",
            fix="write the registered name",
            source="https://www.iana.org/assignments/link-relations",
        ),
        Rule(
            id="absolute-address",
            requirement="every address is absolute, #fn1 included",
            fix="write the whole address",
            source=f"{_W3C}warning/ContainsRelRef.html",
        ),
        Rule(
            id="language",
            requirement="the language is said, as a BCP 47 tag",
            fix="set language in publisher.toml, or in the record",
            source=f"{_PROFILE}#element-channel-language",
        ),
        Rule(
            id="date",
            requirement="a date is written as the format asks: RFC 822 with a numeric zone, or RFC 3339",
            fix="write the date with its zone as an offset",
            source=f"{_PROFILE}#data-types-datetime",
        ),
        Rule(
            id="future-date",
            requirement="no date lies in the future",
            fix="mend the record's date, or the clock of the machine",
            source=f"{_W3C}warning/ImplausibleDate.html",
        ),
        Rule(
            id="plain-title",
            requirement="a headline is plain text: what looks like markup stands as &#x3C;",
            fix="take the markup out of the headline",
            source=f"{_PROFILE}#data-types-characterdata",
        ),
        Rule(
            id="unique-id",
            requirement="no two entries have the same id",
            fix="give the records ids of their own",
            source=f"{_ATOM}#section-4.2.6",
        ),
        Rule(
            id="history",
            requirement="an archive page says so, and leads to the current feed; a current feed does not",
            fix="stage the feeds again with 'publish now'",
            source="https://www.rfc-editor.org/rfc/rfc5005#section-4",
        ),
        Rule(
            id="history-link",
            requirement="the page that prev-archive leads to is there",
            fix="stage the feeds again with 'publish now'",
            source="https://www.rfc-editor.org/rfc/rfc5005#section-4",
        ),
        Rule(
            id="tombstone",
            requirement="tombstones stand in a feed of their own",
            fix="take them out of this one",
            source="https://www.rfc-editor.org/rfc/rfc6721",
        ),
        # Text with markup
        Rule(
            id="html-closed",
            requirement="every element of an article's text is closed, in its order",
            fix="close the element in the record",
            source=f"{_W3C}warning/NotHtml.html",
        ),
        Rule(
            id="html-safe",
            requirement="an article's text carries nothing that reader programs take out: no script, frame, style, form, on…",
            fix="take it out of the record",
            source=f"{_W3C}warning/SecurityRisk.html",
        ),
        # Media RSS
        Rule(
            id="media-group",
            requirement="a group is for two or more renditions of one thing",
            fix="let the one media:content stand alone",
            source=f"{_MEDIA}#media-group",
        ),
        Rule(
            id="media-credit",
            requirement="the role of a credit is lower-case",
            fix="write photographer, not Photographer",
            source=f"{_MEDIA}#media-credit",
        ),
        Rule(
            id="media-number",
            requirement="width, height and fileSize are whole numbers",
            fix="mend the record's image",
            source=f"{_MEDIA}#media-content",
        ),
        # RSS
        Rule(id="rss-version", requirement="the version is 2.0", fix='write <rss version="2.0">', source=_RSS),
        Rule(
            id="rss-order",
            requirement="what is said of the channel stands before its items",
            fix="move it up",
            source=f"{_PROFILE}#element-channel",
        ),
        Rule(
            id="rss-image",
            requirement="the channel's image has its title and link, and is at most 144 by 400 pixels",
            fix="set feeds.logo to a smaller picture",
            source=f"{_RSS}#ltimagegtSubelementOfLtchannelgt",
        ),
        Rule(
            id="rss-text-input",
            requirement="there is no textInput: nobody knows what it is for",
            fix="take it out",
            source=f"{_W3C}warning/AvoidTextInput.html",
        ),
        Rule(
            id="rss-guid",
            requirement="an item has a guid, marked as no permalink unless it is one",
            fix='write isPermaLink="false"',
            source=f"{_PROFILE}#element-channel-item-guid",
        ),
        Rule(
            id="rss-enclosure",
            requirement="an enclosure has an http address, a type and its true length in bytes",
            fix="put the file into the media folder, or say its length in the record",
            source=f"{_RSS}#ltenclosuregtSubelementOfLtitemgt",
        ),
        Rule(
            id="rss-author",
            requirement="an item has dc:creator or author, never both, and author is an e-mail address",
            fix="name people in dc:creator",
            source=f"{_PROFILE}#element-channel-item-author",
        ),
        Rule(
            id="rss-description-first",
            requirement="description stands before content:encoded",
            fix="move it up",
            source=f"{_PROFILE}#namespace-elements-content-encoded",
        ),
        # Atom
        Rule(
            id="atom-id",
            requirement="an id is an absolute address, best tag: or urn:uuid:",
            fix="give the record a tag: or urn:uuid: id, or none",
            source=f"{_ATOM}#section-4.2.6",
        ),
        Rule(
            id="atom-author",
            requirement="every entry has an author, its own or the feed's",
            fix="set author in publisher.toml",
            source=f"{_ATOM}#section-4.1.1",
        ),
        Rule(
            id="atom-alternate",
            requirement="there is one alternate link of a type and language",
            fix="give the other links their relation: enclosure, related",
            source=f"{_ATOM}#section-4.1.1",
        ),
        Rule(
            id="atom-content-type",
            requirement="the type of a text is text, html, xhtml or a media type",
            fix="write html",
            source=f"{_ATOM}#section-3.1.1",
        ),
        Rule(
            id="atom-same-updated",
            requirement="no two entries have the same updated",
            fix="give the records times that differ by a second",
            source=f"{_W3C}warning/DuplicateUpdated.html",
        ),
        # JSON Feed
        Rule(
            id="json-version",
            requirement="the version is that of JSON Feed 1.1",
            fix="name the version's address",
            source=_JSON,
        ),
        Rule(
            id="json-type",
            requirement="every value is of its type: ids are strings, authors are objects",
            fix="write the value as the format asks",
            source=_JSON,
        ),
        Rule(
            id="json-name",
            requirement="every name is one that the format has, or an extension with an underscore",
            fix="put an underscore before it",
            source=f"{_JSON}#extensions",
        ),
    ]
)


def finding(rule_id: str, message: str, *, entry: str = "", line: int | None = None) -> Finding:
    """Return a violation of the feed rule with this ID."""
    return Finding(rule=FEED_RULES[rule_id], message=message, entry=entry, line=line)
