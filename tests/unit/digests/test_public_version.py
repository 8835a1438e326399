"""The public version of an issue has links for every visitor and no personal ones."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from publisher.digests.public_version import PublicLink, public_html, public_links, public_text
from publisher.mail.placeholders import Placeholders
from publisher.model.digests import IssueVariant
from publisher.settings import Site, read_site

HASH = "0f1e2d3c4b5a"
OWN = Placeholders(hash=HASH)
LINKS = {
    "unsubscribe": PublicLink(label="Subscribe", url="https://a.example/join?digest=d&x"),
    "preferences": PublicLink(label="All issues", url="https://a.example/d/"),
    "web_view": PublicLink(label="View as text", url="https://a.example/d/1/message.txt"),
}


def variant(html: str = "", text: str = "") -> IssueVariant:
    return IssueVariant(articles=(), placeholder_hash=HASH, html=html.encode(), text=text.encode())


@pytest.mark.parametrize(
    ("source", "shown"),
    [
        (
            f'<a class="link muted" href="{OWN["unsubscribe"]}" style="color:#111">Unsubscribe from this list</a>.',
            '<a class="link muted" style="color:#111" href="https://a.example/join?digest=d&amp;x">Subscribe</a>.',
        ),
        (
            f'<a href="{OWN["preferences"]}"><img src="cog.png" alt="Settings"> <b>Choose</b></a>',
            '<a href="https://a.example/d/">All issues</a>',
        ),
        (
            f'<a aria-label="Your settings" href="{OWN["preferences"]}#zone" title="Yours">Zone</a >',
            '<a href="https://a.example/d/">All issues</a >',
        ),
        (
            f'<a\n href="{OWN["web_view"]}">View</a>, <a href="https://b.example">x</a>',
            '<a\n href="https://a.example/d/1/message.txt">View as text</a>, <a href="https://b.example">x</a>',
        ),
        # A placeholder outside of a link is filled.
        (f"<p>{OWN['unsubscribe']}</p>", "<p>https://a.example/join?digest=d&amp;x</p>"),
        (f'<a href="{OWN["unsubscribe"]}">cut', '<a href="https://a.example/join?digest=d&amp;x">cut'),
        # Links are not nested in valid HTML.
        (
            f'<a href="{OWN["unsubscribe"]}">x<a href="{OWN["preferences"]}">y</a></a>',
            '<a href="https://a.example/join?digest=d&amp;x">Subscribe</a></a>',
        ),
        # An article may write about placeholders.
        (
            '<a href="@@unsubscribe.aaaaaaaaaaaa@@">Unsubscribe</a>',
            '<a href="@@unsubscribe.aaaaaaaaaaaa@@">Unsubscribe</a>',
        ),
        (
            f"<p>This issue went to {OWN['address']}, because you subscribed to A &amp; B.</p>",
            "<p>This issue went to the subscribers of A &amp; B.</p>",
        ),
        (f"<p>Sent to {OWN['address']}.</p>", "<p>Sent to the subscribers of A &amp; B.</p>"),
    ],
)
def test_html_has_public_links_in_place_of_personal_ones(source: str, shown: str) -> None:
    """The link keeps its look and loses the words about the personal page."""
    assert public_html(variant(source), "A & B", LINKS)[0] == shown


def test_the_links_of_the_page_are_named() -> None:
    """The page adds what the template does not have."""
    source = f'<a href="{OWN["unsubscribe"]}">x</a> {OWN["preferences"]}'
    assert public_html(variant(source), "D", LINKS)[1] == {"unsubscribe"}
    assert public_html(variant("no links"), "D", LINKS)[1] == frozenset()


def test_plain_text_has_public_links_in_place_of_personal_ones() -> None:
    """A line with a personal link is replaced as a whole, because its words are about that page."""
    source = (
        f"View in browser: {OWN['web_view']}\nText, @@unsubscribe.aaaaaaaaaaaa@@\nThis issue went to {OWN['address']},\n"
        f"because you subscribed to A & B.\nStop it: {OWN['unsubscribe']}\nYours: {OWN['preferences']}\nEnd\n"
    )
    assert public_text(variant(text=source), "A & B", LINKS, "https://a.example/d/1/") == (
        "View in browser: https://a.example/d/1/\nText, @@unsubscribe.aaaaaaaaaaaa@@\n"
        "This issue went to the subscribers of A & B.\nSubscribe: https://a.example/join?digest=d&x\n"
        "All issues: https://a.example/d/\nEnd\n"
    )


@pytest.fixture
def site(tmp_path: Path) -> Callable[[str], Site]:
    def read(more: str) -> Site:
        (tmp_path / "publisher.toml").write_text(
            'title = "R"\nbase_url = "https://a.example/m"\n[mail]\nsender = "n@a.example"\n[digests.d]\ntitle = "D"\n'
            + more
        )
        return read_site(tmp_path)

    return read


def test_links_lead_to_pages_that_the_site_has(site: Callable[[str], Site]) -> None:
    """A site without a subscribe form offers its feeds."""
    below = "https://a.example/m/newsletters"
    with_form = public_links(site('[delivery]\ntransport = "maildir"\n'), "d", "2026-11-27T0700")
    assert {name: (link.label, link.url) for name, link in with_form.items()} == {
        "unsubscribe": ("Subscribe", f"{below}/join?digest=d"),
        "preferences": ("All issues", f"{below}/d/"),
        "web_view": ("View as text", f"{below}/d/2026-11-27T0700/message.txt"),
    }
    for more in ("", '[delivery]\ntransport = "maildir"\n[web]\njoin = false\n'):
        without = public_links(site(more), "d", "2026-11-27T0700")
        assert without["unsubscribe"] == PublicLink(label="Feeds", url="https://a.example/m/feeds/")
        assert without["preferences"] == with_form["preferences"]
