"""The rules for feeds."""

from __future__ import annotations

from typing import Final

from publisher.check.rule import Rule

__all__ = ["FEED_RULES"]

_RSS = "https://www.rssboard.org/rss-specification"
_PROFILE = "https://www.rssboard.org/rss-profile"
_ATOM = "https://www.rfc-editor.org/rfc/rfc4287"
_JSON = "https://www.jsonfeed.org/version/1.1/"
_W3C = "https://validator.w3.org/feed/docs/"
_MEDIA = "https://www.rssboard.org/media-rss"

#: Name of a rule → the rule. docs/checks.md shows the same table.
FEED_RULES: Final = {
    # Every document
    "well-formed": Rule(
        says="a feed is well-formed XML, or JSON",
        cure="mend the markup at the place named; nothing else of the feed can be checked before",
        source="https://www.w3.org/TR/xml/#sec-well-formed",
    ),
    "kind": Rule(
        says="the document is RSS 2.0, Atom 1.0 or JSON Feed 1.1",
        cure="name a feed, not a page about it",
        source=_RSS,
    ),
    "encoding": Rule(
        says="a feed is UTF-8, and says so",
        cure="write the feed in UTF-8",
        source="https://www.rfc-editor.org/rfc/rfc7303#section-3",
    ),
    "media-type": Rule(
        says="a feed is served under its own media type",
        cure="set the type in the web server; 'publish hosting' prints settings that do",
        source=f"{_ATOM}#section-7",
    ),
    "not-modified": Rule(
        says="a server answers 304 to who has the newest bytes already",
        cure="let the server send an ETag and look at If-None-Match; 'publish hosting' prints settings that do",
        source="https://www.rfc-editor.org/rfc/rfc9110#section-13.1.2",
    ),
    "namespace": Rule(
        says="no namespace is declared that reader programs do not know",
        cure="take the declaration out; what it is for goes into a feed of its own",
        source=f"{_W3C}warning/UnknownNamespace.html",
    ),
    "unknown-element": Rule(
        says="every element is one that the format has",
        cure="take the element out, or put it into its namespace",
        source=f"{_W3C}error/UndefinedElement.html",
    ),
    "repeated": Rule(
        says="what may stand once stands once",
        cure="leave one of them",
        source=f"{_W3C}error/DuplicateElement.html",
    ),
    "required": Rule(
        says="what must be there is there, and not empty",
        cure="give it a text",
        source=f"{_W3C}error/MissingElement.html",
    ),
    "self-link": Rule(
        says="a feed names its own address, with its type",
        cure="set feeds.url to the address at which the folder is served",
        source=f"{_W3C}warning/SelfDoesntMatchLocation.html",
    ),
    "link-relation": Rule(
        says="a link's relation is a registered one: previous, not prev; prev-archive, not archives",
        cure="write the registered name",
        source="https://www.iana.org/assignments/link-relations",
    ),
    "absolute-address": Rule(
        says="every address is absolute, #fn1 included",
        cure="write the whole address",
        source=f"{_W3C}warning/ContainsRelRef.html",
    ),
    "language": Rule(
        says="the language is said, as a BCP 47 tag",
        cure="set language in publisher.toml, or in the record",
        source=f"{_PROFILE}#element-channel-language",
    ),
    "date": Rule(
        says="a date is written as the format asks: RFC 822 with a numeric zone, or RFC 3339",
        cure="write the date with its zone as an offset",
        source=f"{_PROFILE}#data-types-datetime",
    ),
    "future-date": Rule(
        says="no date lies in the future",
        cure="mend the record's date, or the clock of the machine",
        source=f"{_W3C}warning/ImplausibleDate.html",
    ),
    "plain-title": Rule(
        says="a headline is plain text: what looks like markup stands as &#x3C;",
        cure="take the markup out of the headline",
        source=f"{_PROFILE}#data-types-characterdata",
    ),
    "unique-id": Rule(
        says="no two entries have the same id",
        cure="give the records ids of their own",
        source=f"{_ATOM}#section-4.2.6",
    ),
    "history": Rule(
        says="an archive page says so, and leads to the current feed; a current feed does not",
        cure="stage the feeds again with 'publish now'",
        source="https://www.rfc-editor.org/rfc/rfc5005#section-4",
    ),
    "history-link": Rule(
        says="the page that prev-archive leads to is there",
        cure="stage the feeds again with 'publish now'",
        source="https://www.rfc-editor.org/rfc/rfc5005#section-4",
    ),
    "tombstone": Rule(
        says="tombstones stand in a feed of their own",
        cure="take them out of this one",
        source="https://www.rfc-editor.org/rfc/rfc6721",
    ),
    # Text with markup
    "html-closed": Rule(
        says="every element of an article's text is closed, in its order",
        cure="close the element in the record",
        source=f"{_W3C}warning/NotHtml.html",
    ),
    "html-safe": Rule(
        says="an article's text carries nothing that reader programs take out: no script, frame, style, form, on…",
        cure="take it out of the record",
        source=f"{_W3C}warning/SecurityRisk.html",
    ),
    # Media RSS
    "media-group": Rule(
        says="a group is for two or more renditions of one thing",
        cure="let the one media:content stand alone",
        source=f"{_MEDIA}#media-group",
    ),
    "media-credit": Rule(
        says="the role of a credit is lower-case",
        cure="write photographer, not Photographer",
        source=f"{_MEDIA}#media-credit",
    ),
    "media-number": Rule(
        says="width, height and fileSize are whole numbers",
        cure="mend the record's image",
        source=f"{_MEDIA}#media-content",
    ),
    # RSS
    "rss-version": Rule(says="the version is 2.0", cure='write <rss version="2.0">', source=_RSS),
    "rss-order": Rule(
        says="what is said of the channel stands before its items",
        cure="move it up",
        source=f"{_PROFILE}#element-channel",
    ),
    "rss-image": Rule(
        says="the channel's image has its title and link, and is at most 144 by 400 pixels",
        cure="set feeds.logo to a smaller picture",
        source=f"{_RSS}#ltimagegtSubelementOfLtchannelgt",
    ),
    "rss-text-input": Rule(
        says="there is no textInput: nobody knows what it is for",
        cure="take it out",
        source=f"{_W3C}warning/AvoidTextInput.html",
    ),
    "rss-guid": Rule(
        says="an item has a guid, marked as no permalink unless it is one",
        cure='write isPermaLink="false"',
        source=f"{_PROFILE}#element-channel-item-guid",
    ),
    "rss-enclosure": Rule(
        says="an enclosure has an http address, a type and its true length in bytes",
        cure="put the file into the media folder, or say its length in the record",
        source=f"{_RSS}#ltenclosuregtSubelementOfLtitemgt",
    ),
    "rss-author": Rule(
        says="an item has dc:creator or author, never both, and author is an e-mail address",
        cure="name people in dc:creator",
        source=f"{_PROFILE}#element-channel-item-author",
    ),
    "rss-description-first": Rule(
        says="description stands before content:encoded",
        cure="move it up",
        source=f"{_PROFILE}#namespace-elements-content-encoded",
    ),
    # Atom
    "atom-id": Rule(
        says="an id is an absolute address, best tag: or urn:uuid:",
        cure="give the record a tag: or urn:uuid: id, or none",
        source=f"{_ATOM}#section-4.2.6",
    ),
    "atom-author": Rule(
        says="every entry has an author, its own or the feed's",
        cure="set author in publisher.toml",
        source=f"{_ATOM}#section-4.1.1",
    ),
    "atom-alternate": Rule(
        says="there is one alternate link of a type and language",
        cure="give the other links their relation: enclosure, related",
        source=f"{_ATOM}#section-4.1.1",
    ),
    "atom-content-type": Rule(
        says="the type of a text is text, html, xhtml or a media type",
        cure="write html",
        source=f"{_ATOM}#section-3.1.1",
    ),
    "atom-same-updated": Rule(
        says="no two entries have the same updated",
        cure="give the records times that differ by a second",
        source=f"{_W3C}warning/DuplicateUpdated.html",
    ),
    # JSON Feed
    "json-version": Rule(says="the version is that of JSON Feed 1.1", cure="name the version's address", source=_JSON),
    "json-type": Rule(
        says="every value is of its type: ids are strings, authors are objects",
        cure="write the value as the format asks",
        source=_JSON,
    ),
    "json-name": Rule(
        says="every name is one that the format has, or an extension with an underscore",
        cure="put an underscore before it",
        source=f"{_JSON}#extensions",
    ),
}
