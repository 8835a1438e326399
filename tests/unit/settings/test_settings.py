"""publisher.toml → a site, or every mistake at once."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError

from publisher.errors import SettingsError
from publisher.model.digests import SendPolicy
from publisher.model.taxonomy import FacetKind
from publisher.settings import Secret, Site, read_site
from publisher.settings.schedules import format_timetable, parse_timetable

LEAST = 'title = "T"\nbase_url = "https://t.example/"\n'
MAIL = '[mail]\nsender = "T <news@t.example>"\n'


def site(tmp_path: Path, text: str = "") -> Site:
    (tmp_path / "publisher.toml").write_text(LEAST + text)
    return read_site(tmp_path)


def mistakes(tmp_path: Path, text: str) -> str:
    with pytest.raises(SettingsError) as error:
        site(tmp_path, text)
    return str(error.value)


def test_required_settings_are_sufficient(tmp_path: Path) -> None:
    """All others have defaults."""
    got = site(tmp_path)
    assert got.base_url == "https://t.example"
    assert got.feeds_url == "https://t.example/feeds"
    assert got.host == "t.example"
    assert got.default_author == "T"
    assert got.articles_dir == tmp_path / "articles"
    assert got.database_url == f"sqlite:///{tmp_path / 'publisher.db'}"
    assert got.limit(FacetKind.ALL, "all") == 50
    with pytest.raises(ValidationError):
        got.title = "other"  # type: ignore[misc]


def test_digests_and_custom_feeds_are_read(tmp_path: Path) -> None:
    """Their labels become queries."""
    got = site(
        tmp_path,
        MAIL
        + '[digests.a-b]\ntitle = "A"\ntopic = ["Water"]\ncadence = "0 7 * * mon"\nsend = "auto"\nat_most = 3\nat_least = 2\n'
        '[feeds.channels.c]\ntitle = "C"\nregion = ["Asia"]\nlimit = "all"\n',
    )
    (digest,) = got.all_digests()
    assert (digest.slug, digest.send, digest.at_most, digest.at_least) == ("a-b", SendPolicy.AUTO, 3, 2)
    assert digest.query.wanted == ((FacetKind.TOPIC, frozenset({"water"})),)
    assert got.limit(FacetKind.CUSTOM, "c") is None
    assert got.feeds.channels["c"].query.wanted == ((FacetKind.REGION, frozenset({"asia"})),)


def test_every_error_is_listed_with_its_key_and_the_allowed_values(tmp_path: Path) -> None:
    """An operator would have to run the command once for each mistake, or see a password in the error."""
    text = mistakes(
        tmp_path,
        'zone = "Mars/Base"\nlanguage = "English!"\narticle_url = "/{year}"\ntitel = "x"\n'
        '[feeds]\nlimit = 0\nformats = ["rdf"]\n[feeds.channels.all]\ntitle = "x"\n'
        '[mail]\nsender = "nobody"\nreply_to = "a@b.example\\nBcc: c@d.example"\nunsubscribe = "ftp://x"\n'
        '[digests.d]\ntitle = "D"\nat_most = 2\nat_least = 3\ncadence = "0 7 * * 9"\ncolour = "red"\n'
        '[smtp]\nhost = "h"\npassword = "hunter2"\n[database]\nurl = "mysql://x"\n[theme]\naccent = "red"\n',
    )
    for key in (
        "zone: must be a time zone",
        "language:",
        "article_url: must name {slug} or {id}",
        "titel: unknown key; did you mean title?",
        "feeds.limit:",
        "feeds.formats.0:",
        "feeds.channels: all: the publisher stages files of that name itself",
        "mail.sender: must be one email address",
        "mail.reply_to: must be one line",
        "mail.unsubscribe:",
        "digests.d.at_least: must not be more than at_most",
        "digests.d.cadence: '0 7 * * 9': day of the week: '9' is not 0 to 7 or sun to sat; write it as in",
        "digests.d.colour: unknown key (allowed here: at_least, at_most, author, blackout,",
        "smtp.password:",
        "database.url",
        "theme.accent:",
    ):
        assert key in text, key
    assert "hunter2" not in text
    assert text.splitlines()[0].endswith(" errors:")


@pytest.mark.parametrize(
    ("toml", "expected"),
    [
        ("rights = 3", "rights: must be text in quotation marks"),
        ('author = ""', "author: must not be empty"),
        ('[web]\njoin = "perhaps"', "web.join: must be true or false"),
        ('[smtp]\nhost = "h"\nport = "x"', "smtp.port: must be a whole number"),
        ('[smtp]\nhost = "h"\nport = 99999', "smtp.port: must be less than or equal to 65535"),
        ('[smtp]\nhost = "h"\nsecurity = "ssl"', "smtp.security: must be 'starttls', 'tls' or 'none'"),
        ('[feeds]\nby = "topic"', 'feeds.by: must be a list, as in ["a", "b"]'),
        ("[theme]\nlogo = 3", "theme.logo: must be a table of keys"),
        ('[web]\nform_limit = "20"', "web.form_limit: must be a number per second, minute, hour or day, as in 20/hour"),
        (
            '[announce.cloud]\nhost = "h.example"\nping_path = "ping"',
            "announce.cloud.ping_path: must be a path that begins with /, as in /ping",
        ),
        (
            '[mail]\nsender = "a@t.example"\n[digests.d]\ntitle = "D"\ntemplate = "../x"',
            "digests.d.template: must be the name of a folder below templates/digest: letters, digits, - and _",
        ),
    ],
)
def test_a_value_of_a_wrong_type_is_reported_in_plain_words(tmp_path: Path, toml: str, expected: str) -> None:
    """The message says what to write, and one error is not called "errors"."""
    assert mistakes(tmp_path, f"{toml}\n").splitlines()[0].endswith("publisher.toml has 1 error:")
    assert f"  {expected}" in mistakes(tmp_path, f"{toml}\n").splitlines()


def test_a_key_below_a_heading_that_is_a_comment_names_its_table(tmp_path: Path) -> None:
    """A new site has every key as a comment: removing the # of a key, but not of its heading, is the usual mistake."""
    text = mistakes(tmp_path, '[mail]\nsender = "a@b.example"\n# [web]\nform_limit = "1/hour"\n')
    assert "mail.form_limit: unknown key; it is a key of [web]: move it below that heading" in text
    assert "mail.colour: unknown key (allowed here:" in mistakes(tmp_path, '[mail]\ncolour = "red"\n')


def test_a_removed_key_is_rejected_with_the_fix(tmp_path: Path) -> None:
    """The message says that an earlier version had the key, and what to do with it."""
    assert "  web.deltas: was removed, because feed readers" in mistakes(tmp_path, "[web]\ndeltas = false\n")
    assert "delete the line" in mistakes(tmp_path, "[web]\ndeltas = true\n")


def test_a_missing_key_is_named(tmp_path: Path) -> None:
    """The message names the key and the fix."""
    (tmp_path / "publisher.toml").write_text('base_url = "example.org"\n')
    with pytest.raises(SettingsError) as error:
        read_site(tmp_path)
    assert "title: is missing" in str(error.value)
    assert "base_url: must be an absolute URL" in str(error.value)


def test_digests_need_a_sender(tmp_path: Path) -> None:
    """Issues could not be rendered, and the operator would learn it at the first slot."""
    assert "digests need a sender; add [mail] with sender" in mistakes(tmp_path, '[digests.d]\ntitle = "D"\n')


@pytest.mark.parametrize("pattern", ["year", "/{slug}/{month", "/{author}/{slug}"])
def test_address_patterns_are_checked(tmp_path: Path, pattern: str) -> None:
    """Two articles of a month would share an address."""
    assert "article_url: must begin with /" in mistakes(tmp_path, f'article_url = "{pattern}"\n')


def test_formats_are_named_once(tmp_path: Path) -> None:
    """A format that is named twice would be rendered twice."""
    assert "each once" in mistakes(tmp_path, '[feeds]\nformats = ["rss", "rss"]\n')


def test_missing_or_unreadable_settings_are_reported(tmp_path: Path) -> None:
    """The message names the file and the cause."""
    with pytest.raises(SettingsError, match="publish init"):
        read_site(tmp_path)
    (tmp_path / "publisher.toml").write_bytes(b"title = \n")
    with pytest.raises(SettingsError, match=r"is not TOML: .*line 1"):
        read_site(tmp_path)
    (tmp_path / "publisher.toml").write_bytes(b'title = "\xff"')
    with pytest.raises(SettingsError, match="cannot read"):
        read_site(tmp_path)


def test_settings_with_bom_and_crlf_are_read(tmp_path: Path) -> None:
    """Settings that were edited on Windows would be rejected."""
    (tmp_path / "publisher.toml").write_bytes(b"\xef\xbb\xbf" + LEAST.replace("\n", "\r\n").encode())
    assert read_site(tmp_path).title == "T"


def test_secrets_come_from_environment_or_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A missing secret would be found when mail is refused, and not when the settings are read."""
    monkeypatch.setenv("THE_SECRET", "s1")
    (tmp_path / "secret").write_text("s2\n")
    assert Secret(env="THE_SECRET").reveal(tmp_path) == "s1"
    assert Secret(file="secret").reveal(tmp_path) == "s2"
    with pytest.raises(SettingsError, match="NOT_SET is not set"):
        Secret(env="NOT_SET").reveal(tmp_path)
    with pytest.raises(SettingsError, match="cannot read the secret file"):
        Secret(file="nowhere").reveal(tmp_path)
    (tmp_path / "secret").write_bytes(b"\xff")
    with pytest.raises(SettingsError, match=r"secret is not UTF-8 text. Save it as UTF-8"):
        Secret(file="secret").reveal(tmp_path)
    assert "not both" in mistakes(tmp_path, '[smtp]\nhost = "h"\npassword = { env = "A", file = "b" }\n')


def test_the_database_address_may_be_a_secret(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The password of the database would have to be in the settings file."""
    monkeypatch.setenv("DATABASE_URL", "postgresql://u:p@h/d")
    got = site(tmp_path, '[database]\nurl = { env = "DATABASE_URL" }\n')
    assert got.database_url == "postgresql+psycopg://u:p@h/d"


def test_the_fingerprint_changes_with_settings_that_change_feeds(tmp_path: Path) -> None:
    """Other settings do not stage feeds again."""
    before = site(tmp_path).fingerprint()
    assert site(tmp_path, MAIL).fingerprint() == before
    assert site(tmp_path, 'rights = "R"\n').fingerprint() != before


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        ('cadence = "0 7 31 2 *"', "d.cadence: '0 7 31 2 *' never matches: no year has such a day; write it as in"),
        ('cadence = ["@daily", "0 25 * * *"]', "d.cadence: '0 25 * * *': hour: '25' is not 0 to 23; write it as in"),
        (
            'cadence = "* * * * * *"',
            "d.cadence: '* * * * * *' has 6 fields: a cadence has five, minute first, and nothing",
        ),
        ('cadence = "@every 1s"', "d.cadence: '@every 1s' is none of @yearly"),
        ("cadence = 7", 'd.cadence: must be crontab text, as in "0 7 * * mon-fri"'),
        (
            'cadence = "@daily"\nzone = "Mars/Base"',
            "d.zone: must be a time zone of the tz database, as in Europe/London",
        ),
        (
            'cadence = "0 7 1 1 *"\nstarts = 2026-02-01\nends = 2026-12-31',
            "d: cadence: 0 7 1 1 * has no slot between starts and ends",
        ),
        (
            'cadence = "@daily"\nstarts = 2026-12-01\nends = 2026-12-03\nblackout = ["2026-11-01/2026-12-24"]',
            "d: cadence: @daily has no slot between starts and ends outside blackout",
        ),
        ("starts = 2026-12-01\nends = 2026-11-01", "d: ends (2026-11-01) comes before starts (2026-12-01)"),
        ('blackout = ["Christmas"]', 'd.blackout.0: must be a day, as in 2026-12-25, or days, as in "2026-12-24/2027'),
        ('blackout = ["2027-01-02/2026-12-24"]', "d.blackout.0: 2027-01-02/2026-12-24 ends before it starts"),
        ('catch_up = "some"', "d.catch_up: must be 'latest', 'none' or 'all'"),
        ('deliver_at = "7 o\'clock"', 'd.deliver_at: must be a local time of the subscriber, as in "07:00 local"'),
        ('deliver_at = "25:00 local"', 'd.deliver_at: must be a local time of the subscriber, as in "07:00 local"'),
    ],
)
def test_an_invalid_cadence_is_rejected_with_its_key_and_an_example(tmp_path: Path, lines: str, said: str) -> None:
    """A newsletter would have no slots, and its operator would wait for the first issue."""
    text = mistakes(tmp_path, f'[mail]\nsender = "a@b.example"\n[digests.d]\ntitle = "D"\n{lines}\n')
    assert f"digests.{said}" in text


def test_a_stored_timetable_is_parsed_unchanged(tmp_path: Path) -> None:
    """A restart would look like an edited cadence, and missed slots would be lost."""
    got = site(
        tmp_path,
        'zone = "Europe/London"\n[mail]\nsender = "a@b.example"\n[digests.d]\ntitle = "D"\ncadence = ["@daily", "0 7 * * mon"]\n'
        'starts = 2026-12-01\nends = 2027-12-01\nblackout = [2026-12-25, "2026-12-31/2027-01-02"]\n',
    )
    timetable = got.schedules[1].timetable
    assert parse_timetable(format_timetable(timetable)) == timetable
    assert parse_timetable('{"cadence": ["0 7 31 2 *"], "zone": "UTC"}') is None
    assert parse_timetable("{}") is None


def test_the_cadence_of_feeds_does_not_change_the_fingerprint(tmp_path: Path) -> None:
    """A changed cadence would render the entries of the whole archive again."""
    plain, often = site(tmp_path), site(tmp_path, '[feeds]\ncadence = "@hourly"\nzone = "Asia/Tokyo"\n')
    assert plain.fingerprint() == often.fingerprint()
    assert site(tmp_path, "[feeds]\ncadence = []\n").schedules == ()


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ('[smtp]\nhost = "h"\nusername = "u"\n', "smtp: username and password are needed together"),
        ('[smtp]\nhost = "h"\npassword = { env = "P" }\n', "smtp: username and password are needed together"),
        (
            '[smtp]\nhost = "h"\nusername = "u"\npassword = { env = "P" }\nsecurity = "none"\n',
            'smtp: security = "none" sends the password in plain text; use starttls or tls',
        ),
        (
            '[bounces]\npath = "in"\n[bounces.imap]\nhost = "h"\nusername = "u"\npassword = { env = "P" }\n',
            "bounces: give path or imap, not both",
        ),
        (
            MAIL + '[digests.d]\ntitle = "D"\nsections = ["Water"]\n',
            "digests.d.sections: names groups without group_by; set group_by to topic, region or brand",
        ),
        (
            MAIL + 'web_view = "https://t.example/{digest}"\n',
            "mail.web_view: must name {issue}, and may name {digest}, as in https://example.org/",
        ),
        (
            MAIL + 'one_click = true\nunsubscribe = "mailto:a@b.example"\n',
            "mail.one_click: needs an https unsubscribe URL (RFC 8058, section 3.1)",
        ),
        (MAIL + "one_click = true\n", "mail.one_click: needs an https unsubscribe URL"),
        (
            MAIL + '[[dkim]]\nselector = "s"\nkey = { env = "A" }\n[[dkim]]\nselector = "s"\nkey = { env = "B" }\n',
            "dkim: two keys have the same selector; give each its own",
        ),
        ('[web]\nproxies = ["10.0.0.0/33"]\n', "web.proxies.0: must be an address or a network, as in 127.0.0.1"),
        (
            '[web]\nembed = ["https://www.t.example/path"]\n',
            "web.embed.0: must be an origin, as in https://www.example.org, without a path",
        ),
        (
            '[smtp]\nhost = "h"\n[[smtp.relays]]\nhost = "i"\nprot = 25\n',
            "smtp.relays.0.prot: unknown key; did you mean port?",
        ),
        (
            '[[dkim]]\nselector = "s"\nkey = { env = "A" }\nselecter = "t"\n',
            "dkim.0.selecter: unknown key; did you mean selector?",
        ),
        ("[unknown.table]\nkey = 1\n", "unknown: unknown key"),
    ],
)  # fmt: skip
def test_settings_that_contradict_each_other_are_rejected_with_the_fix(
    tmp_path: Path, lines: str, message: str
) -> None:
    """The message begins with the key."""
    assert message in mistakes(tmp_path, lines)


def test_an_article_url_may_name_its_parts(tmp_path: Path) -> None:
    """It begins with / and names {slug} or {id}."""
    assert site(tmp_path, 'article_url = "/{year}/{topic}/{slug}"\n').article_url == "/{year}/{topic}/{slug}"


def test_a_blackout_may_be_a_toml_time(tmp_path: Path) -> None:
    """A time is not a day, and is rejected as such."""
    text = mistakes(tmp_path, MAIL + '[digests.d]\ntitle = "D"\nblackout = [2026-12-25T00:00:00]\n')
    assert "digests.d.blackout.0: must be a day" in text
