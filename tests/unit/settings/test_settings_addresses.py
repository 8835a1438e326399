"""Addresses and URLs of the settings: quoted names, international hosts."""

from __future__ import annotations

from pathlib import Path

import pytest

from publisher.errors import SettingsError
from publisher.settings import Site, read_site

TOP = 'title = "T"\nbase_url = "{base_url}"\n'
PUNY = "xn--mnchen-3ya.example"


def read(tmp_path: Path, text: str, base_url: str = "https://t.example") -> Site:
    (tmp_path / "publisher.toml").write_text(TOP.format(base_url=base_url) + text, "utf-8")
    return read_site(tmp_path)


@pytest.mark.parametrize("key", ["sender", "reply_to", "editors"])
@pytest.mark.parametrize(
    ("typed", "expected"),
    [
        ("The Review: Morning <news@t.example>", '"The Review: Morning" <news@t.example>'),
        ("Review, The <news@t.example>", '"Review, The" <news@t.example>'),
        ('The \\"Good\\" Review <news@t.example>', '"The \\"Good\\" Review" <news@t.example>'),
        ("Post <post@münchen.example>", f'"Post" <post@{PUNY}>'),
        ("post@MÜNCHEN.example", f"post@{PUNY}"),
    ],
)
def test_every_address_setting_accepts_any_name_and_an_international_host(
    tmp_path: Path, key: str, typed: str, expected: str
) -> None:
    """Names are quoted, and the domain becomes punycode."""
    lines = {"sender": "news@t.example", "reply_to": "news@t.example"} | ({key: typed} if key != "editors" else {})
    text = "[mail]\n" + "".join(f'{name} = "{value}"\n' for name, value in lines.items())
    if key == "editors":
        text += f'editors = ["{typed}"]\n'
    mail = read(tmp_path, text).mail
    assert mail is not None
    value = getattr(mail, key)
    assert (value[0] if key == "editors" else value) == expected


@pytest.mark.parametrize("key", ["sender", "reply_to", "bounces"])
def test_mail_is_not_sent_from_an_international_local_part(tmp_path: Path, key: str) -> None:
    """Most servers refuse such a sender (RFC 6531)."""
    lines = {"sender": "news@t.example"} | {key: "röaktion@t.example"}
    text = "[mail]\n" + "".join(f'{name} = "{value}"\n' for name, value in lines.items())
    with pytest.raises(SettingsError, match=f"mail.{key}: must have only ASCII characters before the @, as in"):
        read(tmp_path, text)


def test_every_url_setting_accepts_an_international_host(tmp_path: Path) -> None:
    """Only the host changes: placeholders and paths stay as they are typed."""
    site = read(
        tmp_path,
        '[mail]\nsender = "news@t.example"\nunsubscribe = "https://münchen.example/leave/{copy}"\n'
        'preferences = "mailto:abo@münchen.example?subject={copy}"\n'
        'web_view = "https://münchen.example/{digest}/{issue}/"\nbounces = "bounces+{copy}@münchen.example"\n'
        '[feeds]\nurl = "https://feeds.münchen.example/x"\nicon = "https://münchen.example/i.png"\n'
        '[announce]\nhubs = ["https://hub.münchen.example/"]\n[web]\nembed = ["https://www.münchen.example"]\n'
        '[delivery.domains."MÜNCHEN.example"]\nat_once = 2\n'
        '[[dkim]]\nselector = "a"\ndomain = "münchen.example"\nkey = { file = "k" }\n',
        base_url="https://münchen.example:8443/blatt/",
    )
    assert site.mail is not None
    assert site.base_url == f"https://{PUNY}:8443/blatt"
    assert site.host == PUNY
    assert site.newsletters_url == f"https://{PUNY}:8443/blatt/newsletters"
    assert site.feeds_url == f"https://feeds.{PUNY}/x"
    assert site.feeds.icon == f"https://{PUNY}/i.png"
    assert site.hubs == (f"https://hub.{PUNY}/",)
    assert site.web.embed == (f"https://www.{PUNY}",)
    assert site.mail.unsubscribe == f"https://{PUNY}/leave/{{copy}}"
    assert site.mail.preferences == f"mailto:abo@{PUNY}?subject={{copy}}"
    assert site.mail.web_view == f"https://{PUNY}/{{digest}}/{{issue}}/"
    assert site.mail.bounces == f"bounces+{{copy}}@{PUNY}"
    assert site.delivery.domain(PUNY).at_once == 2
    assert site.dkim[0].domain == PUNY
    assert "münchen" in (tmp_path / "publisher.toml").read_text("utf-8")


def test_a_mailto_url_without_an_address_stays_as_it_is(tmp_path: Path) -> None:
    """RFC 6068 allows the recipient in the query."""
    site = read(tmp_path, '[mail]\nsender = "news@t.example"\nunsubscribe = "mailto:?to=leave@t.example"\n')
    assert site.mail is not None and site.mail.unsubscribe == "mailto:?to=leave@t.example"


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        ('sender = "a@t.example, b@t.example"', "mail.sender: must be one email address"),
        ('sender = "x"\nbounces = "The Review <b@t.example>"', "mail.bounces: must be an address without a name"),
        ('sender = "news@☃.example"', "mail.sender: '☃.example' is not an international host name"),
        ('sender = "n@t.example"\nunsubscribe = "https://☃.example/"', "mail.unsubscribe: '☃.example' is not an"),
    ],
)
def test_an_invalid_address_is_rejected_with_its_key(tmp_path: Path, line: str, complaint: str) -> None:
    """The message names the setting and the fix."""
    with pytest.raises(SettingsError) as error:
        read(tmp_path, f"[mail]\n{line}\n")
    assert complaint in str(error.value)
