"""The rules for messages, with their sources."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any, Final

from publisher.findings import Finding, Rule, Severity, make_finding, rules_by_id
from publisher.findings.rule_ids import current_id
from publisher.model.digests import MAX_HTML_KIB

#: Gmail drops larger style sheets.
MAX_STYLE_BYTES: Final = 16 * 1024

_WCAG: Final = "https://www.w3.org/TR/WCAG22/"
_RFC5322: Final = "https://www.rfc-editor.org/rfc/rfc5322"
_SENDERS: Final = "https://support.google.com/a/answer/81126"
_GMAIL_CSS: Final = "https://developers.google.com/workspace/gmail/design/css"

#: A rule whose violation does not block an issue.
_warning: Final = partial(Rule, severity=Severity.WARNING)

#: Rule ID → rule. docs/checks.md shows the same table.
MAIL_RULES: Final = rules_by_id(
    {
        # Size
        "html-size": Rule(
            requirement=f"the HTML is at most {MAX_HTML_KIB} KB: Gmail clips messages at 102 KB",
            fix="reduce at_most or size_limit of the digest, or shorten the template",
            source=_GMAIL_CSS,
        ),
        "style-size": Rule(
            requirement="style sheets are at most 16 KB: Gmail drops larger ones",
            fix="keep in <style> only rules that cannot be inlined: dark mode, phones",
            source=_GMAIL_CSS,
        ),
        "style-nesting": Rule(
            requirement="no @ rule is nested in another: Gmail drops the whole style sheet",
            fix="move the inner rule into a separate <style>",
            source="https://www.caniemail.com/features/css-at-media/",
        ),
        # The document
        "mail-doctype": Rule(
            requirement="the HTML begins with <!DOCTYPE html>: otherwise Outlook uses quirks mode",
            fix="begin the template with <!DOCTYPE html>",
            source="https://html.spec.whatwg.org/#the-doctype",
        ),
        "mail-language": Rule(
            requirement="html and body have a lang attribute: mail clients drop one of the elements",
            fix="set lang on both in the template",
            source=f"{_WCAG}#language-of-page",
        ),
        "mail-direction": Rule(
            requirement="html and body have a dir attribute, ltr or rtl",
            fix="set dir on both in the template",
            source="https://www.w3.org/International/questions/qa-html-dir",
        ),
        "mail-title": Rule(
            requirement="the document has a title",
            fix="put the subject into <title>",
            source=f"{_WCAG}#page-titled",
        ),
        "mail-heading": _warning(
            requirement="there are headings for screen readers, and no level is skipped",
            fix="use h1, h2, h3 in this order",
            source=f"{_WCAG}#headings-and-labels",
        ),
        "layout-role": Rule(
            requirement="a layout table has role=presentation; a data table has headers, or role=table",
            fix='write role="presentation" on the table',
            source=f"{_WCAG}#info-and-relationships",
        ),
        "color-scheme": _warning(
            requirement="the document declares support for light and dark colours",
            fix='write <meta name="color-scheme" content="light dark">',
            source="https://www.caniemail.com/features/html-meta-color-scheme/",
        ),
        "preheader": _warning(
            requirement="the body begins with a preheader: mail clients show it after the subject",
            fix="set preheader of the digest, and begin the body of the template with it",
            source="https://www.caniemail.com/features/css-display-none/",
        ),
        "scripted": Rule(
            requirement="there is no script, form, frame, event handler or external style sheet: mail clients remove them",
            fix="remove it from the template",
            source=_SENDERS,
            protects="subscribers must not get code or forms that mail clients warn about",
        ),
        # Appearance
        "image-alt": Rule(
            requirement="every image has an alt text, empty for a decorative image; that of a linked image describes the target",
            fix="set the image's alt in the record",
            source=f"{_WCAG}#non-text-content",
        ),
        "image-width": _warning(
            requirement="every image has a width in pixels: otherwise Outlook shows its original size",
            fix="set width on the image",
            source="https://www.caniemail.com/features/html-width/",
        ),
        "image-url": Rule(
            requirement="every image has an http or https URL: mail clients do not show data: or relative URLs",
            fix="put the image on a server, and set its absolute URL in the record",
            source="https://www.caniemail.com/features/image-base64/",
        ),
        "contrast": Rule(
            requirement="text has a contrast of 4.5 with its background, large text of 3",
            fix="change the colours of the theme in publisher.toml, or of the template",
            source=f"{_WCAG}#contrast-minimum",
        ),
        "contrast-dark": Rule(
            requirement="text has this contrast in dark mode too",
            fix="change theme.dark in publisher.toml, or the dark mode rules of the template",
            source=f"{_WCAG}#contrast-minimum",
        ),
        "overflow": Rule(
            requirement="nothing is wider than the screen of a phone: no fixed width over 600, no word that cannot be broken",
            fix="use max-width and width:100%, and overflow-wrap:break-word around text",
            source=f"{_WCAG}#reflow",
        ),
        "words-per-image": _warning(
            requirement="there are thirty words or more for each image: spam filters distrust images, and many subscribers block them",
            fix="add text that describes the images",
            source="https://cwiki.apache.org/confluence/display/spamassassin/Rules/HTML_IMAGE_ONLY",
        ),
        "client-support": _warning(
            requirement="features that Gmail, Outlook, Apple Mail, Yahoo or Thunderbird do not support have a fallback",
            fix="use tables and simple styles, or list the feature among those with a fallback",
            source="https://www.caniemail.com/",
        ),
        "accessibility": Rule(
            requirement="axe-core reports nothing serious or critical in a browser, in light and dark mode",
            fix="see the page that the finding links to",
            source="https://dequeuniversity.com/rules/axe/",
        ),
        "overflow-measured": Rule(
            requirement="a browser of 375 pixels shows the page without horizontal scrolling",
            fix="use max-width and width:100%, and overflow-wrap:break-word around text",
            source=f"{_WCAG}#reflow",
        ),
        # Links
        "link-empty": Rule(
            requirement="every link has a target, and a text or an image with an alt text",
            fix="give the link a URL and a text",
            source=f"{_WCAG}#link-purpose-in-context",
        ),
        "link-url": Rule(
            requirement="a link has an absolute URL: https, http, mailto or tel",
            fix="write the absolute URL",
            source="https://www.rfc-editor.org/rfc/rfc3986#section-4.3",
        ),
        "link-text": _warning(
            requirement="the text of a link describes the target: not 'here', not 'read more'",
            fix="use the title, or give the link an aria-label",
            source=f"{_WCAG}#link-purpose-in-context",
        ),
        "link-duplicate": _warning(
            requirement="links with the same text have the same target, and no link occurs twice",
            fix="use one link, or different texts",
            source="https://www.w3.org/WAI/WCAG22/Techniques/html/H2",
        ),
        "unsubscribe-link": Rule(
            requirement="there is an unsubscribe link near the top and in the footer",
            fix="put placeholders.unsubscribe into the template, twice",
            source=_SENDERS,
            protects="every subscriber must be able to unsubscribe",
        ),
        "postal-address": _warning(
            requirement="the sender's postal address is in an <address> element",
            fix="set mail.postal_address in publisher.toml",
            source="https://www.law.cornell.edu/uscode/text/15/7704",
            protects="laws require the sender's postal address in a newsletter",
        ),
        # Text
        "placeholder-left": Rule(
            requirement="no placeholder of a delivery is left unfilled",
            fix="stage the issue again with 'publish now'",
            source="docs/digests.md#tokens",
            protects="a subscriber would get an unfilled text in place of their own link",
        ),
        "placeholder-split": Rule(
            requirement="no placeholder of a delivery is split: it could not be filled",
            fix="do not use filters that wrap or truncate text on placeholders",
            source="docs/digests.md#tokens",
            protects="a subscriber would get an unfilled text in place of their own link",
        ),
        "template-code": Rule(
            requirement="no template code is visible: {{ … }} or {% … %}",
            fix="correct the template; if an article is about templates, silence template-code for it",
            source="docs/templates.md",
            protects="a faulty template would reach every subscriber",
            has_exceptions=True,
        ),
        "dummy-text": Rule(
            requirement="no dummy text is left: lorem ipsum, TK TK, FIXME, [headline here]",
            fix="finish the article; if it is about dummy texts, silence dummy-text for it",
            source="docs/digests.md#preflight",
            protects="unfinished text would reach every subscriber",
            has_exceptions=True,
        ),
        "text-part": Rule(
            requirement="there is a plain-text alternative before the HTML",
            fix="put message.txt.j2 into the folder of the template",
            source="https://www.rfc-editor.org/rfc/rfc2046#section-5.1.4",
            protects="subscribers whose mail client shows no HTML would get an empty message",
        ),
        "text-complete": Rule(
            requirement="every heading and every URL of the HTML is in the plain text too",
            fix="add it to message.txt.j2",
            source="https://www.rfc-editor.org/rfc/rfc2046#section-5.1.4",
        ),
        "text-width": _warning(
            requirement="lines of the plain text have at most 78 columns, except URLs",
            fix="use the filter wrap",
            source=f"{_RFC5322}#section-2.1.1",
        ),
        # Headers
        "header-missing": Rule(
            requirement="From, To, Subject, Date, Message-ID, List-Id, List-Unsubscribe and MIME-Version occur once",
            fix="stage the issue again with 'publish now'",
            source=f"{_RFC5322}#section-3.6",
            protects="without these headers subscribers cannot tell who sent the message, or unsubscribe",
        ),
        "header-line": Rule(
            requirement="lines are ASCII and at most 998 bytes long",
            fix="stage the issue again with 'publish now'",
            source=f"{_RFC5322}#section-2.1.1",
        ),
        "unsubscribe-header": Rule(
            requirement="List-Unsubscribe is not encoded, and has each URL in <…>, https or mailto",
            fix="set mail.unsubscribe in publisher.toml to an https URL",
            source="https://www.rfc-editor.org/rfc/rfc2369#section-3.2",
            protects="every subscriber must be able to unsubscribe",
        ),
        "one-click": _warning(
            requirement="List-Unsubscribe-Post is present, with an https URL: Gmail and Yahoo require it of bulk senders",
            fix="set mail.one_click once mail.unsubscribe accepts POST",
            source="https://www.rfc-editor.org/rfc/rfc8058",
            protects="Gmail and Yahoo require it, and subscribers without it use the spam button",
        ),
        "message-id": Rule(
            requirement="the domain of the Message-ID is the sender's",
            fix="stage the issue again with 'publish now'",
            source=f"{_RFC5322}#section-3.6.4",
        ),
        "bulk": _warning(
            requirement="Precedence: bulk and Auto-Submitted prevent automatic replies",
            fix="stage the issue again with 'publish now'",
            source="https://www.rfc-editor.org/rfc/rfc3834#section-5",
        ),
        "subject-empty": Rule(
            requirement="the subject is not empty",
            fix="set subject of the digest",
            source=f"{_RFC5322}#section-3.6.5",
        ),
        "subject-length": _warning(
            requirement="the subject has at most 78 characters: phones show forty",
            fix="shorten subject of the digest, as in {{ lead.title | truncate(60) }}",
            source=f"{_RFC5322}#section-2.1.1",
        ),
        "future-mail": Rule(
            requirement="the Date is not in the future: spam filters penalize it",
            fix="correct the clock of the machine, or the --at of the run",
            source=f"{_RFC5322}#section-3.6.1",
        ),
    }
)

#: Return a violation of the message rule with this ID.
finding: Final = partial(make_finding, MAIL_RULES)


def stored_finding(stored: Mapping[str, Any]) -> Finding:
    """Return a finding that was stored with ``as_dict``."""
    return finding(current_id(stored["rule"]), stored["message"], entry=stored["entry"], line=stored["line"])
