"""XML namespaces of feeds."""

from __future__ import annotations

from typing import Final

ATOM: Final = "http://www.w3.org/2005/Atom"
CONTENT: Final = "http://purl.org/rss/1.0/modules/content/"
DC: Final = "http://purl.org/dc/elements/1.1/"
#: RFC 5005.
HISTORY: Final = "http://purl.org/syndication/history/1.0"
MEDIA: Final = "http://search.yahoo.com/mrss/"
#: RFC 6721.
TOMBSTONES: Final = "http://purl.org/atompub/tombstones/1.0"
#: The attribute, in the notation of lxml.
XML_LANG: Final = "{http://www.w3.org/XML/1998/namespace}lang"
