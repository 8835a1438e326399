"""The rules for feeds, with their sources."""

from __future__ import annotations

from functools import partial
from typing import Final

from publisher.findings import Rule, make_finding, rules_by_id

_RSS = "https://www.rssboard.org/rss-specification"
_PROFILE = "https://www.rssboard.org/rss-profile"
_ATOM = "https://www.rfc-editor.org/rfc/rfc4287"
_JSON = "https://www.jsonfeed.org/version/1.1/"
_W3C = "https://validator.w3.org/feed/docs/"
_MEDIA = "https://www.rssboard.org/media-rss"

#: Rule ID → rule. docs/checks.md shows the same table.
FEED_RULES: Final = rules_by_id(
    {
        # Every document
        "well-formed": Rule(
            requirement="the feed is well-formed XML, or valid JSON",
            fix="correct the markup at the given line; the other rules are checked afterwards",
            source="https://www.w3.org/TR/xml/#sec-well-formed",
            protects="feed readers show nothing of such a feed, and the other rules cannot be checked",
        ),
        "kind": Rule(
            requirement="the document is RSS 2.0, Atom 1.0 or JSON Feed 1.1",
            fix="give the URL or file of a feed, not of a web page",
            source=_RSS,
            protects="feed readers show nothing of such a document, and the other rules cannot be checked",
        ),
        "encoding": Rule(
            requirement="the encoding of the feed is UTF-8, and declared as such",
            fix="write the feed in UTF-8",
            source="https://www.rfc-editor.org/rfc/rfc7303#section-3",
        ),
        "media-type": Rule(
            requirement="the feed is served with its own media type",
            fix="set the media type in the web server; 'publish hosting' prints a configuration",
            source=f"{_ATOM}#section-7",
        ),
        "not-modified": Rule(
            requirement="the server answers 304 to a conditional request for unchanged bytes",
            fix="let the server send an ETag and evaluate If-None-Match; 'publish hosting' prints a configuration",
            source="https://www.rfc-editor.org/rfc/rfc9110#section-13.1.2",
        ),
        "namespace": Rule(
            requirement="only namespaces that feed readers support are declared",
            fix="remove the declaration; put such elements into a separate feed",
            source=f"{_W3C}warning/UnknownNamespace.html",
        ),
        "unknown-element": Rule(
            requirement="every element is defined by the format",
            fix="remove the element, or give it its namespace",
            source=f"{_W3C}error/UndefinedElement.html",
        ),
        "repeated": Rule(
            requirement="elements that may occur once occur once",
            fix="keep one of them",
            source=f"{_W3C}error/DuplicateElement.html",
        ),
        "required": Rule(
            requirement="required elements are present and not empty",
            fix="add the element with a text",
            source=f"{_W3C}error/MissingElement.html",
        ),
        "self-link": Rule(
            requirement="the feed contains its own URL, with its media type",
            fix="set feeds.url to the URL at which the folder is served",
            source=f"{_W3C}warning/SelfDoesntMatchLocation.html",
        ),
        "link-relation": Rule(
            requirement="every link relation is registered: previous, not prev; prev-archive, not archives",
            fix="use the registered name",
            source="https://www.iana.org/assignments/link-relations",
        ),
        "absolute-url": Rule(
            requirement="every URL is absolute, also fragments such as #fn1",
            fix="write the absolute URL",
            source=f"{_W3C}warning/ContainsRelRef.html",
        ),
        "language": Rule(
            requirement="the language is given as a BCP 47 tag",
            fix="set language in publisher.toml, or in the record",
            source=f"{_PROFILE}#element-channel-language",
        ),
        "date": Rule(
            requirement="dates have the format's syntax: RFC 822 with a numeric zone, or RFC 3339",
            fix="write the date with the offset of its zone",
            source=f"{_PROFILE}#data-types-datetime",
        ),
        "future-date": Rule(
            requirement="no date is in the future",
            fix="correct the date of the record, or the clock of the machine",
            source=f"{_W3C}warning/ImplausibleDate.html",
        ),
        "plain-title": Rule(
            requirement="a title is plain text: characters that look like markup are written as &#x3C;",
            fix="remove the markup from the title",
            source=f"{_PROFILE}#data-types-characterdata",
        ),
        "unique-id": Rule(
            requirement="every entry has its own ID",
            fix="give each record its own ID",
            source=f"{_ATOM}#section-4.2.6",
            protects="feed readers lose articles that share an ID",
        ),
        "history": Rule(
            requirement="an archive page is marked as one and links to the current feed; the current feed is not marked",
            fix="stage the feeds again with 'publish now'",
            source="https://www.rfc-editor.org/rfc/rfc5005#section-4",
        ),
        "history-link": Rule(
            requirement="the archive page that prev-archive links to exists",
            fix="stage the feeds again with 'publish now'",
            source="https://www.rfc-editor.org/rfc/rfc5005#section-4",
        ),
        "tombstone": Rule(
            requirement="tombstones are in a separate feed",
            fix="remove them from this feed",
            source="https://www.rfc-editor.org/rfc/rfc6721",
        ),
        # HTML of articles
        "html-closed": Rule(
            requirement="every element of an article's HTML is closed, in order",
            fix="close the element in the record",
            source=f"{_W3C}warning/NotHtml.html",
        ),
        "html-safe": Rule(
            requirement="an article's HTML has nothing that feed readers remove: no script, frame, style, form, on…",
            fix="remove it from the record",
            source=f"{_W3C}warning/SecurityRisk.html",
            protects="subscribers must not get code that feed readers remove",
        ),
        # Media RSS
        "media-group": Rule(
            requirement="a group has two or more versions of the same media",
            fix="use media:content without a group",
            source=f"{_MEDIA}#media-group",
        ),
        "media-credit": Rule(
            requirement="the role of a credit is lower-case",
            fix="write photographer, not Photographer",
            source=f"{_MEDIA}#media-credit",
        ),
        "media-number": Rule(
            requirement="width, height and fileSize are whole numbers",
            fix="correct the image of the record",
            source=f"{_MEDIA}#media-content",
        ),
        # RSS
        "rss-version": Rule(requirement="the version is 2.0", fix='write <rss version="2.0">', source=_RSS),
        "rss-order": Rule(
            requirement="the elements of the channel come before its items",
            fix="move the element up",
            source=f"{_PROFILE}#element-channel",
        ),
        "rss-image": Rule(
            requirement="the channel's image has the channel's title and link, and is at most 144 by 400 pixels",
            fix="set feeds.logo to a smaller image",
            source=f"{_RSS}#ltimagegtSubelementOfLtchannelgt",
        ),
        "rss-text-input": Rule(
            requirement="there is no textInput: feed readers ignore it",
            fix="remove it",
            source=f"{_W3C}warning/AvoidTextInput.html",
        ),
        "rss-guid": Rule(
            requirement='every item has a guid, with isPermaLink="false" unless it is a URL',
            fix='write isPermaLink="false"',
            source=f"{_PROFILE}#element-channel-item-guid",
        ),
        "rss-enclosure": Rule(
            requirement="an enclosure has an http or https URL, a media type and its length in bytes",
            fix="put the file into the media folder, or set its length in the record",
            source=f"{_RSS}#ltenclosuregtSubelementOfLtitemgt",
        ),
        "rss-author": Rule(
            requirement="an item has either dc:creator or author, and author is an email address",
            fix="put names into dc:creator",
            source=f"{_PROFILE}#element-channel-item-author",
        ),
        "rss-description-first": Rule(
            requirement="description comes before content:encoded",
            fix="move it up",
            source=f"{_PROFILE}#namespace-elements-content-encoded",
        ),
        # Atom
        "atom-id": Rule(
            requirement="an ID is an absolute URI, preferably tag: or urn:uuid:",
            fix="give the record a tag: or urn:uuid: ID, or none",
            source=f"{_ATOM}#section-4.2.6",
        ),
        "atom-author": Rule(
            requirement="every entry has an author, or the feed has one",
            fix="set author in publisher.toml",
            source=f"{_ATOM}#section-4.1.1",
        ),
        "atom-alternate": Rule(
            requirement="there is one alternate link for each media type and language",
            fix="give the other links their relation: enclosure, related",
            source=f"{_ATOM}#section-4.1.1",
        ),
        "atom-content-type": Rule(
            requirement="the type of a text is text, html, xhtml or a media type",
            fix="write html",
            source=f"{_ATOM}#section-3.1.1",
        ),
        "atom-same-updated": Rule(
            requirement="no two entries have the same time of update",
            fix="give the records times that differ by a second",
            source=f"{_W3C}warning/DuplicateUpdated.html",
        ),
        # JSON Feed
        "json-version": Rule(
            requirement="the version is the URL of JSON Feed 1.1",
            fix="set version to this URL",
            source=_JSON,
        ),
        "json-type": Rule(
            requirement="every value has the type that the format defines: IDs are strings, authors are objects",
            fix="write the value in this type",
            source=_JSON,
        ),
        "json-name": Rule(
            requirement="every name is defined by the format, or is an extension with an underscore",
            fix="prefix the name with an underscore",
            source=f"{_JSON}#extensions",
        ),
    }
)

#: Return a violation of the feed rule with this ID.
finding: Final = partial(make_finding, FEED_RULES)
