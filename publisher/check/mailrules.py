"""The rules for mail."""

from __future__ import annotations

from typing import Final

from publisher.check.rule import Rule, Severity

__all__ = ["LARGEST_HTML", "LARGEST_STYLE", "MAIL_RULES"]

#: Bytes. Gmail cuts off at 102 KB, and hides what stands below, the way off the list included.
LARGEST_HTML: Final = 90 * 1024
#: Bytes. Gmail drops a <style> that is larger.
LARGEST_STYLE: Final = 16 * 1024

_WARNING: Final = Severity.WARNING
_WCAG: Final = "https://www.w3.org/TR/WCAG22/"
_RFC5322: Final = "https://www.rfc-editor.org/rfc/rfc5322"
_SENDERS: Final = "https://support.google.com/a/answer/81126"
_GMAIL_CSS: Final = "https://developers.google.com/workspace/gmail/design/css"

#: Name of a rule → the rule. docs/checks.md shows the same table.
MAIL_RULES: Final = {
    # Size
    "html-size": Rule(
        says="the HTML is at most 90 KB: Gmail cuts a mail off at 102 KB",
        cure="set at_most or size_limit of the digest lower, or shorten the template",
        source=_GMAIL_CSS,
    ),
    "style-size": Rule(
        says="style sheets take at most 16 KB: Gmail drops larger ones",
        cure="leave in <style> only what cannot be inlined: dark mode, phones",
        source=_GMAIL_CSS,
    ),
    "style-nesting": Rule(
        says="no @ rule stands within another one: Gmail drops the whole style sheet",
        cure="take the inner rule out, into a <style> of its own",
        source="https://www.caniemail.com/features/css-at-media/",
    ),
    # The document
    "mail-doctype": Rule(
        says="the HTML begins with <!DOCTYPE html>, or Outlook falls into quirks mode",
        cure="begin the template with <!DOCTYPE html>",
        source="https://html.spec.whatwg.org/#the-doctype",
    ),
    "mail-language": Rule(
        says="html and body say their language: programs drop one of the two",
        cure="set lang on both in the template",
        source=f"{_WCAG}#language-of-page",
    ),
    "mail-direction": Rule(
        says="html and body say their direction, ltr or rtl",
        cure="set dir on both in the template",
        source="https://www.w3.org/International/questions/qa-html-dir",
    ),
    "mail-title": Rule(
        says="the document has a title",
        cure="put the subject into <title>",
        source=f"{_WCAG}#page-titled",
    ),
    "mail-heading": Rule(
        says="there is a heading for those who jump from heading to heading, and no level is skipped",
        cure="make headlines h1, h2, h3 in this order",
        source=f"{_WCAG}#headings-and-labels",
        severity=_WARNING,
    ),
    "layout-role": Rule(
        says="a table for the layout says role=presentation; one of data has headers, or role=table",
        cure='write role="presentation" on the table',
        source=f"{_WCAG}#info-and-relationships",
    ),
    "color-scheme": Rule(
        says="the document says that it has light and dark colours",
        cure='write <meta name="color-scheme" content="light dark">',
        source="https://www.caniemail.com/features/html-meta-color-scheme/",
        severity=_WARNING,
    ),
    "preheader": Rule(
        says="the first words are a preheader: mail programs show them after the subject",
        cure="set preheader of the digest; let the template begin with it",
        source="https://www.caniemail.com/features/css-display-none/",
        severity=_WARNING,
    ),
    "scripted": Rule(
        says="there is no script, form, frame, event handler or fetched style sheet: mail programs take them out",
        cure="take it out of the template",
        source=_SENDERS,
    ),
    # What is seen
    "image-alt": Rule(
        says="every picture has an alt, empty if it only decorates; a picture that is a link says where to",
        cure="set the image's alt in the record",
        source=f"{_WCAG}#non-text-content",
    ),
    "image-width": Rule(
        says="every picture says its width in pixels: Outlook shows it in its own size otherwise",
        cure="set width on the picture",
        source="https://www.caniemail.com/features/html-width/",
        severity=_WARNING,
    ),
    "image-address": Rule(
        says="a picture is fetched from an http or https address: data: and relative ones are not shown",
        cure="put the picture on a server, and name its whole address in the record",
        source="https://www.caniemail.com/features/image-base64/",
    ),
    "contrast": Rule(
        says="text has a contrast of 4.5 against its ground, large text of 3",
        cure="change the theme's colours in publisher.toml, or the template's",
        source=f"{_WCAG}#contrast-minimum",
    ),
    "contrast-dark": Rule(
        says="text has this contrast in dark mode too",
        cure="change theme.dark in publisher.toml, or the template's dark block",
        source=f"{_WCAG}#contrast-minimum",
    ),
    "overflow": Rule(
        says="nothing is wider than a phone's screen: no fixed width over 600, no word that cannot be broken",
        cure="use max-width and width:100%, and overflow-wrap:break-word around text",
        source=f"{_WCAG}#reflow",
    ),
    "words-per-image": Rule(
        says="there are thirty words or more for each picture: filters distrust pictures, and many readers see none",
        cure="say in words what the pictures say",
        source="https://cwiki.apache.org/confluence/display/spamassassin/Rules/HTML_IMAGE_ONLY",
        severity=_WARNING,
    ),
    "client-support": Rule(
        says="what Gmail, Outlook, Apple Mail, Yahoo or Thunderbird does not know has a fallback",
        cure="build it with tables and simple styles, or add the feature to what degrades well",
        source="https://www.caniemail.com/",
        severity=_WARNING,
    ),
    "accessibility": Rule(
        says="axe-core finds nothing serious or critical in a browser, light and dark",
        cure="see the page that the finding names",
        source="https://dequeuniversity.com/rules/axe/",
    ),
    "overflow-measured": Rule(
        says="in a browser of 375 pixels nothing has to be scrolled sideways",
        cure="use max-width and width:100%, and overflow-wrap:break-word around text",
        source=f"{_WCAG}#reflow",
    ),
    # Links
    "link-empty": Rule(
        says="every link leads somewhere and has words, or a picture with an alt",
        cure="give the link an address and words",
        source=f"{_WCAG}#link-purpose-in-context",
    ),
    "link-address": Rule(
        says="a link's address is https, http, mailto or tel, and absolute",
        cure="write the whole address",
        source="https://www.rfc-editor.org/rfc/rfc3986#section-4.3",
    ),
    "link-text": Rule(
        says="a link's words say where it leads: not 'here', not 'read more'",
        cure="use the headline, or give the link an aria-label",
        source=f"{_WCAG}#link-purpose-in-context",
        severity=_WARNING,
    ),
    "link-duplicate": Rule(
        says="the same words do not lead to two places, nor twice to the same",
        cure="link once, with words of its own",
        source="https://www.w3.org/WAI/WCAG22/Techniques/html/H2",
        severity=_WARNING,
    ),
    "unsubscribe-link": Rule(
        says="there is a link to leave the list, near the top and at the foot",
        cure="put tokens.unsubscribe into the template, twice",
        source=_SENDERS,
    ),
    "postal-address": Rule(
        says="the sender's postal address stands in an <address>",
        cure="set mail.postal_address in publisher.toml",
        source="https://www.law.cornell.edu/uscode/text/15/7704",
        severity=_WARNING,
    ),
    # Words
    "token-left": Rule(
        says="no token is left where a reader's own text belongs",
        cure="stage the issue again with 'publish now'",
        source="docs/digests.md#tokens",
    ),
    "token-split": Rule(
        says="no token is cut in two: it could not be filled",
        cure="keep tokens off filters that wrap or cut text",
        source="docs/digests.md#tokens",
    ),
    "template-code": Rule(
        says="no template code shows: {{ … }} or {% … %}",
        cure="mend the template; if an article speaks of templates, force the issue with that reason",
        source="docs/templates.md",
    ),
    "placeholder": Rule(
        says="no placeholder is left: lorem ipsum, TK TK, FIXME, [headline here]",
        cure="finish the article; if it speaks of placeholders, force the issue with that reason",
        source="docs/digests.md#preflight",
    ),
    "text-part": Rule(
        says="there is a plain text before the HTML, as its alternative",
        cure="put message.txt.j2 into the template's folder",
        source="https://www.rfc-editor.org/rfc/rfc2046#section-5.1.4",
    ),
    "text-complete": Rule(
        says="every headline and every address of the HTML is in the plain text too",
        cure="add it to message.txt.j2",
        source="https://www.rfc-editor.org/rfc/rfc2046#section-5.1.4",
    ),
    "text-width": Rule(
        says="lines of the plain text take at most 78 columns, addresses excepted",
        cure="use the filter wrap",
        source=f"{_RFC5322}#section-2.1.1",
        severity=_WARNING,
    ),
    # Headers
    "header-missing": Rule(
        says="From, To, Subject, Date, Message-ID, List-Id, List-Unsubscribe and MIME-Version are there, once",
        cure="stage the issue again with 'publish now'",
        source=f"{_RFC5322}#section-3.6",
    ),
    "header-line": Rule(
        says="lines are ASCII and at most 998 bytes long",
        cure="stage the issue again with 'publish now'",
        source=f"{_RFC5322}#section-2.1.1",
    ),
    "unsubscribe-header": Rule(
        says="List-Unsubscribe stands there literally, each address in <…>, https or mailto",
        cure="set mail.unsubscribe in publisher.toml to an https address",
        source="https://www.rfc-editor.org/rfc/rfc2369#section-3.2",
    ),
    "one-click": Rule(
        says="List-Unsubscribe-Post is there, with an https address: Gmail and Yahoo ask it of large senders",
        cure="set mail.one_click once mail.unsubscribe takes a POST",
        source="https://www.rfc-editor.org/rfc/rfc8058",
        severity=_WARNING,
    ),
    "message-id": Rule(
        says="the Message-ID's domain is the sender's",
        cure="stage the issue again with 'publish now'",
        source=f"{_RFC5322}#section-3.6.4",
    ),
    "bulk": Rule(
        says="Precedence: bulk and Auto-Submitted keep absence notes from answering",
        cure="stage the issue again with 'publish now'",
        source="https://www.rfc-editor.org/rfc/rfc3834#section-5",
        severity=_WARNING,
    ),
    "subject-empty": Rule(
        says="the subject says something",
        cure="set subject of the digest",
        source=f"{_RFC5322}#section-3.6.5",
    ),
    "subject-length": Rule(
        says="the subject has at most 78 characters: phones show forty",
        cure="set subject of the digest to something shorter, as in {{ lead.title | truncate(60) }}",
        source=f"{_RFC5322}#section-2.1.1",
        severity=_WARNING,
    ),
    "future-mail": Rule(
        says="the Date is not in the future: filters take it for spam",
        cure="mend the clock of the machine, or the --at of the run",
        source=f"{_RFC5322}#section-3.6.1",
    ),
}
