"""Field names and values about publication, in lower case; names without hyphens and underscores."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Literal

#: How the value of a field is interpreted:
#:
#: - draft, published, status: an unknown value means draft;
#: - flag: true, a date or a word for an unpublished state means draft; an empty value is ignored;
#: - visible: false means draft; other values are ignored;
#: - workflow, state: a word for an unpublished state means draft; other values are ignored;
#: - moment: the time of publication; an empty value means draft;
#: - release: the record is not published before this date.
Kind = Literal["draft", "published", "status", "flag", "visible", "workflow", "state", "moment", "release"]

_NAMES: Final[Mapping[Kind, str]] = {
    "draft": "draft isdraft unpublished isunpublished private isprivate unlisted donotpublish dontpublish nopublish "
    "notpublished",
    "published": "published ispublished publish",
    "status": "status articlestatus contentstatus poststatus publicationstatus publishingstatus publishstatus "
    "publishedstatus wpstatus visibility postvisibility",
    "flag": "archived borrador bozza brouillon deleted deletedat entwurf expired hidden isarchived isdeleted ishidden "
    "istrashed iswip kladde rascunho retracted trashed unpublishedat wip withdrawn",
    "visible": "active approved enabled isactive isapproved isenabled islive isonline ispublic isready isvisible live "
    "online public ready readytopublish visible",
    "workflow": "approval approvalstatus editorialstate editorialstatus reviewstatus statuscode workflow workflowstate "
    "workflowstatus",
    "state": "kind posttype stage state type",
    "moment": "datepublished firstpublishedat publishedat publishedon",
    "release": "embargo embargodate embargoed embargoeduntil embargountil golive goliveat notbefore publishafter publishat "
    "publishdate publishon releaseat releasedate scheduled scheduledat scheduledfor",
}
#: Field → how its value is interpreted.
KINDS: Final[Mapping[str, Kind]] = {name: kind for kind, names in _NAMES.items() for name in names.split()}
#: Fields that name the time at which a published record expires.
EXPIRY: Final = frozenset(
    [
        "dateexpires",
        "expiration",
        "expirationdate",
        "expires",
        "expiresat",
        "expireson",
        "expiry",
        "expirydate",
        "unpublishat",
        "unpublishdate",
        "unpublishon",
        "validuntil",
    ]
)
#: Tables in which generators and content management systems keep the fields of a record.
CONTAINERS: Final = frozenset(
    [
        "acf",
        "attributes",
        "attrs",
        "custom",
        "customfields",
        "data",
        "entry",
        "extra",
        "fields",
        "frontmatter",
        "item",
        "meta",
        "metadata",
        "node",
        "page",
        "params",
        "post",
        "properties",
        "publication",
        "publishing",
        "record",
        "sys",
        "system",
        "workflow",
    ]
)
#: Fields of a record whose own value is a table.
OWN_FIELDS: Final = frozenset(["attachments", "author", "authors", "body", "enclosure", "enclosures", "image", "tags"])
#: Fields that restrict the access to a published article. They do not contradict ``published: true``.
LIMITS: Final = frozenset(["private", "isprivate", "unlisted", "visibility", "postvisibility"])
TRUE: Final = frozenset(["true", "t", "yes", "y", "on", "1"])
FALSE: Final = frozenset(["false", "f", "no", "n", "off", "0"])
#: Values that mean "no value" in YAML and exports.
EMPTY: Final = frozenset(["", "~", "null"])
PUBLISHED: Final = frozenset(["live", "online", "posted", "public", "publish", "published", "released"])
#: Words that mean unpublished in a field about publication and in any other field.
_DRAFTS: Final = frozenset(
    [
        "auto draft",
        "draft",
        "drafts",
        "in review",
        "needs review",
        "not published",
        "pending review",
        "trash",
        "trashed",
        "unpublished",
        "wip",
    ]
)
UNPUBLISHED: Final = _DRAFTS | frozenset(
    [
        "archived",
        "deleted",
        "disabled",
        "embargo",
        "embargoed",
        "expired",
        "future",
        "hidden",
        "idea",
        "in progress",
        "inactive",
        "inherit",
        "never",
        "offline",
        "on hold",
        "password",
        "pending",
        "planned",
        "private",
        "protected",
        "queued",
        "rejected",
        "removed",
        "retracted",
        "review",
        "scheduled",
        "spiked",
        "unlisted",
        "withdrawn",
    ]
)
#: Words that mean unpublished in any field.
PLAIN_DRAFTS: Final = _DRAFTS | {"borrador", "brouillon", "entwurf"}
