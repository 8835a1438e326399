"""The rules for mail."""

from __future__ import annotations

from typing import Final

from publisher.findings import Finding, Rule, Severity, rules_by_id

__all__ = ["MAIL_RULES", "MAX_HTML_BYTES", "MAX_STYLE_BYTES", "finding"]

#: Bytes. Gmail cuts off at 102 KB, and hides what stands below, the way off the list included.
MAX_HTML_BYTES: Final = 90 * 1024
#: Bytes. Gmail drops a <style> that is larger.
MAX_STYLE_BYTES: Final = 16 * 1024

_WARNING: Final = Severity.WARNING
_WCAG: Final = "https://www.w3.org/TR/WCAG22/"
_RFC5322: Final = "https://www.rfc-editor.org/rfc/rfc5322"
_SENDERS: Final = "https://support.google.com/a/answer/81126"
_GMAIL_CSS: Final = "https://developers.google.com/workspace/gmail/design/css"

#: Rule ID → rule. docs/checks.md shows the same table.
MAIL_RULES: Final = rules_by_id(
    [
        # Size
        Rule(
            id="html-size",
            requirement="the HTML is at most 90 KB: Gmail cuts a mail off at 102 KB",
            fix="set at_most or size_limit of the digest lower, or shorten the template",
            source=_GMAIL_CSS,
        ),
        Rule(
            id="style-size",
            requirement="style sheets take at most 16 KB: Gmail drops larger ones",
            fix="leave in <style> only what cannot be inlined: dark mode, phones",
            source=_GMAIL_CSS,
        ),
        Rule(
            id="style-nesting",
            requirement="no @ rule stands within another one: Gmail drops the whole style sheet",
            fix="take the inner rule out, into a <style> of its own",
            source="https://www.caniemail.com/features/css-at-media/",
        ),
        # The document
        Rule(
            id="mail-doctype",
            requirement="the HTML begins with <!DOCTYPE html>, or Outlook falls into quirks mode",
            fix="begin the template with <!DOCTYPE html>",
            source="https://html.spec.whatwg.org/#the-doctype",
        ),
        Rule(
            id="mail-language",
            requirement="html and body say their language: programs drop one of the two",
            fix="set lang on both in the template",
            source=f"{_WCAG}#language-of-page",
        ),
        Rule(
            id="mail-direction",
            requirement="html and body say their direction, ltr or rtl",
            fix="set dir on both in the template",
            source="https://www.w3.org/International/questions/qa-html-dir",
        ),
        Rule(
            id="mail-title",
            requirement="the document has a title",
            fix="put the subject into <title>",
            source=f"{_WCAG}#page-titled",
        ),
        Rule(
            id="mail-heading",
            requirement="there is a heading for those who jump from heading to heading, and no level is skipped",
            fix="make headlines h1, h2, h3 in this order",
            source=f"{_WCAG}#headings-and-labels",
            severity=_WARNING,
        ),
        Rule(
            id="layout-role",
            requirement="a table for the layout says role=presentation; one of data has headers, or role=table",
            fix='write role="presentation" on the table',
            source=f"{_WCAG}#info-and-relationships",
        ),
        Rule(
            id="color-scheme",
            requirement="the document says that it has light and dark colours",
            fix='write <meta name="color-scheme" content="light dark">',
            source="https://www.caniemail.com/features/html-meta-color-scheme/",
            severity=_WARNING,
        ),
        Rule(
            id="preheader",
            requirement="the first words are a preheader: mail programs show them after the subject",
            fix="set preheader of the digest; let the template begin with it",
            source="https://www.caniemail.com/features/css-display-none/",
            severity=_WARNING,
        ),
        Rule(
            id="scripted",
            requirement="there is no script, form, frame, event handler or fetched style sheet: mail programs take them out",
            fix="take it out of the template",
            source=_SENDERS,
        ),
        # What is seen
        Rule(
            id="image-alt",
            requirement="every picture has an alt, empty if it only decorates; a picture that is a link says where to",
            fix="set the image's alt in the record",
            source=f"{_WCAG}#non-text-content",
        ),
        Rule(
            id="image-width",
            requirement="every picture says its width in pixels: Outlook shows it in its own size otherwise",
            fix="set width on the picture",
            source="https://www.caniemail.com/features/html-width/",
            severity=_WARNING,
        ),
        Rule(
            id="image-address",
            requirement="a picture is fetched from an http or https address: data: and relative ones are not shown",
            fix="put the picture on a server, and name its whole address in the record",
            source="https://www.caniemail.com/features/image-base64/",
        ),
        Rule(
            id="contrast",
            requirement="text has a contrast of 4.5 against its ground, large text of 3",
            fix="change the theme's colours in publisher.toml, or the template's",
            source=f"{_WCAG}#contrast-minimum",
        ),
        Rule(
            id="contrast-dark",
            requirement="text has this contrast in dark mode too",
            fix="change theme.dark in publisher.toml, or the template's dark block",
            source=f"{_WCAG}#contrast-minimum",
        ),
        Rule(
            id="overflow",
            requirement="nothing is wider than a phone's screen: no fixed width over 600, no word that cannot be broken",
            fix="use max-width and width:100%, and overflow-wrap:break-word around text",
            source=f"{_WCAG}#reflow",
        ),
        Rule(
            id="words-per-image",
            requirement="there are thirty words or more for each picture: filters distrust pictures, and many readers see none",
            fix="say in words what the pictures say",
            source="https://cwiki.apache.org/confluence/display/spamassassin/Rules/HTML_IMAGE_ONLY",
            severity=_WARNING,
        ),
        Rule(
            id="client-support",
            requirement="what Gmail, Outlook, Apple Mail, Yahoo or Thunderbird does not know has a fallback",
            fix="build it with tables and simple styles, or add the feature to what degrades well",
            source="https://www.caniemail.com/",
            severity=_WARNING,
        ),
        Rule(
            id="accessibility",
            requirement="axe-core finds nothing serious or critical in a browser, light and dark",
            fix="see the page that the finding names",
            source="https://dequeuniversity.com/rules/axe/",
        ),
        Rule(
            id="overflow-measured",
            requirement="in a browser of 375 pixels nothing has to be scrolled sideways",
            fix="use max-width and width:100%, and overflow-wrap:break-word around text",
            source=f"{_WCAG}#reflow",
        ),
        # Links
        Rule(
            id="link-empty",
            requirement="every link leads somewhere and has words, or a picture with an alt",
            fix="give the link an address and words",
            source=f"{_WCAG}#link-purpose-in-context",
        ),
        Rule(
            id="link-address",
            requirement="a link's address is https, http, mailto or tel, and absolute",
            fix="write the whole address",
            source="https://www.rfc-editor.org/rfc/rfc3986#section-4.3",
        ),
        Rule(
            id="link-text",
            requirement="a link's words say where it leads: not 'here', not 'read more'",
            fix="use the headline, or give the link an aria-label",
            source=f"{_WCAG}#link-purpose-in-context",
            severity=_WARNING,
        ),
        Rule(
            id="link-duplicate",
            requirement="the same words do not lead to two places, nor twice to the same",
            fix="link once, with words of its own",
            source="https://www.w3.org/WAI/WCAG22/Techniques/html/H2",
            severity=_WARNING,
        ),
        Rule(
            id="unsubscribe-link",
            requirement="there is a link to leave the list, near the top and at the foot",
            fix="put tokens.unsubscribe into the template, twice",
            source=_SENDERS,
        ),
        Rule(
            id="postal-address",
            requirement="the sender's postal address stands in an <address>",
            fix="set mail.postal_address in publisher.toml",
            source="https://www.law.cornell.edu/uscode/text/15/7704",
            severity=_WARNING,
        ),
        # Words
        Rule(
            id="token-left",
            requirement="no token is left where a reader's own text belongs",
            fix="stage the issue again with 'publish now'",
            source="docs/digests.md#tokens",
        ),
        Rule(
            id="token-split",
            requirement="no token is cut in two: it could not be filled",
            fix="keep tokens off filters that wrap or cut text",
            source="docs/digests.md#tokens",
        ),
        Rule(
            id="template-code",
            requirement="no template code shows: {{ … }} or {% … %}",
            fix="mend the template; if an article speaks of templates, force the issue with that reason",
            source="docs/templates.md",
        ),
        Rule(
            id="placeholder",
            requirement="no placeholder is left: lorem ipsum, TK TK, FIXME, [headline here]",
            fix="finish the article; if it speaks of placeholders, force the issue with that reason",
            source="docs/digests.md#preflight",
        ),
        Rule(
            id="text-part",
            requirement="there is a plain text before the HTML, as its alternative",
            fix="put message.txt.j2 into the template's folder",
            source="https://www.rfc-editor.org/rfc/rfc2046#section-5.1.4",
        ),
        Rule(
            id="text-complete",
            requirement="every headline and every address of the HTML is in the plain text too",
            fix="add it to message.txt.j2",
            source="https://www.rfc-editor.org/rfc/rfc2046#section-5.1.4",
        ),
        Rule(
            id="text-width",
            requirement="lines of the plain text take at most 78 columns, addresses excepted",
            fix="use the filter wrap",
            source=f"{_RFC5322}#section-2.1.1",
            severity=_WARNING,
        ),
        # Headers
        Rule(
            id="header-missing",
            requirement="From, To, Subject, Date, Message-ID, List-Id, List-Unsubscribe and MIME-Version are there, once",
            fix="stage the issue again with 'publish now'",
            source=f"{_RFC5322}#section-3.6",
        ),
        Rule(
            id="header-line",
            requirement="lines are ASCII and at most 998 bytes long",
            fix="stage the issue again with 'publish now'",
            source=f"{_RFC5322}#section-2.1.1",
        ),
        Rule(
            id="unsubscribe-header",
            requirement="List-Unsubscribe stands there literally, each address in <…>, https or mailto",
            fix="set mail.unsubscribe in publisher.toml to an https address",
            source="https://www.rfc-editor.org/rfc/rfc2369#section-3.2",
        ),
        Rule(
            id="one-click",
            requirement="List-Unsubscribe-Post is there, with an https address: Gmail and Yahoo ask it of large senders",
            fix="set mail.one_click once mail.unsubscribe takes a POST",
            source="https://www.rfc-editor.org/rfc/rfc8058",
            severity=_WARNING,
        ),
        Rule(
            id="message-id",
            requirement="the Message-ID's domain is the sender's",
            fix="stage the issue again with 'publish now'",
            source=f"{_RFC5322}#section-3.6.4",
        ),
        Rule(
            id="bulk",
            requirement="Precedence: bulk and Auto-Submitted keep absence notes from answering",
            fix="stage the issue again with 'publish now'",
            source="https://www.rfc-editor.org/rfc/rfc3834#section-5",
            severity=_WARNING,
        ),
        Rule(
            id="subject-empty",
            requirement="the subject says something",
            fix="set subject of the digest",
            source=f"{_RFC5322}#section-3.6.5",
        ),
        Rule(
            id="subject-length",
            requirement="the subject has at most 78 characters: phones show forty",
            fix="set subject of the digest to something shorter, as in {{ lead.title | truncate(60) }}",
            source=f"{_RFC5322}#section-2.1.1",
            severity=_WARNING,
        ),
        Rule(
            id="future-mail",
            requirement="the Date is not in the future: filters take it for spam",
            fix="mend the clock of the machine, or the --at of the run",
            source=f"{_RFC5322}#section-3.6.1",
        ),
    ]
)


def finding(rule_id: str, message: str, *, entry: str = "", line: int | None = None) -> Finding:
    """Return a violation of the message rule with this ID."""
    return Finding(rule=MAIL_RULES[rule_id], message=message, entry=entry, line=line)
