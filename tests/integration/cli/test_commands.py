"""Commands in one process: output as JSON, and errors of their options."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from publisher.cli import publish
from publisher.errors import PublisherError, SettingsError
from tests.conftest import NOW, MailKit, SiteKit
from tests.support.deliveries import at, states, transport
from tests.support.smtp import Server
from tests.support.use_cases import import_list, list_subscribers


def run(kit: SiteKit, command: str, *arguments: str) -> Result:
    """Run a command for a site. Errors of the program are raised."""
    return CliRunner().invoke(
        publish, [*command.split(), *arguments, "--site", str(kit.root)], catch_exceptions=False, standalone_mode=False
    )


def output(kit: SiteKit, command: str, *arguments: str) -> object:
    return json.loads(run(kit, command, *arguments, "--json").stdout)


def test_an_empty_site_has_no_draft_and_no_issue_yet(kit: SiteKit) -> None:
    """The command that makes one is named."""
    kit.open().close()
    assert run(kit, "outbox").stdout == "No draft and no issue yet. 'publish now' reads articles/ and makes drafts.\n"
    assert output(kit, "outbox") == {"drafts": [], "issues": []}


def test_older_issues_are_counted_and_shown_with_all(mail_kit: MailKit, monkeypatch: pytest.MonkeyPatch) -> None:
    """The newest ones are enough most of the time."""
    from publisher.cli import outbox

    monkeypatch.setattr(outbox, "LISTED_ISSUES", 0)
    mail_kit.issue("one")
    assert run(mail_kit, "outbox").stdout.splitlines()[-1] == "… and 1 older issues; --all shows them"
    assert "older" not in run(mail_kit, "outbox", "--all").stdout


def test_deferred_and_uncertain_deliveries_are_listed(mail_kit: MailKit) -> None:
    """In the outbox and in the trace, with the next attempt; the status of the command is 1."""
    from tests.support.use_cases import deliver

    kit = mail_kit
    kit.add_subscribers(1)
    kit.issue("one")
    with Server(at("rcpt", "450 4.2.1 later", times=9)) as server:
        kit.mail(server.port)
        deliver(kit.site, "daily", transport=transport(kit))
    assert states(kit) == {"deferred": 1}
    assert "  next attempt at 20" in run(kit, "outbox").stdout
    name = "reader0@mail.example.org"
    traced = output(kit, "trace", "daily", name)
    assert isinstance(traced, dict) and traced["state"] == "deferred" and traced["due"]
    with kit.open() as db, db.write() as connection:
        connection.exec_driver_sql("UPDATE delivery SET state = 'uncertain'")
    shown = run(kit, "outbox")
    assert shown.return_value == 1
    assert "  uncertain deliveries; to settle them, use --uncertain of 'publish send':\n    reader0@" in shown.stdout


def test_refused_deliveries_are_queued_again(mail_kit: MailKit) -> None:
    """Once the operator has found that the refusals were not about the addresses."""
    from tests.integration.delivery.test_suppression_brake import prepared, refusing, send

    with Server(refusing(lambda address: True)) as server:
        prepared(mail_kit, server, 30)
        send(mail_kit, server)
        failed = states(mail_kit)["failed"]
        (issue,) = output(mail_kit, "outbox")["issues"]  # type: ignore[index]
        assert 0 < issue["stopped"][0]["refused"] <= failed
        shown = run(mail_kit, "resume", "daily", "--retry").stdout
        assert shown.startswith(f"Queued {failed} refused deliver") and "no address is suppressed" in shown
        assert states(mail_kit)["failed"] == 0


def test_bounces_of_a_mailbox_are_printed_as_json(mail_kit: MailKit) -> None:
    """A mailbox without reports changes nothing."""
    for name in ("new", "cur", "tmp"):
        (mail_kit.root / "box" / name).mkdir(parents=True)
    (mail_kit.root / "box/new/1").write_text("Subject: hello\n\nNo report.\n")
    mail_kit.add_subscribers(1)
    shown = output(mail_kit, "bounces", str(mail_kit.root / "box"))
    assert isinstance(shown, dict) and (shown["messages"], shown["left"]) == (1, 1)
    assert "1 message read" in run(mail_kit, "bounces", str(mail_kit.root / "box")).stdout


def test_tick_prints_what_it_did_as_json(kit: SiteKit) -> None:
    """With the slots of the run."""
    kit.article()
    shown = output(kit, "tick")
    assert isinstance(shown, dict) and shown["records"]["new"] == 1 and shown["scheduled_runs"] == []


def test_an_import_prints_json_and_writes_rejected_rows(mail_kit: MailKit) -> None:
    """A file that cannot be written is an error before anything is imported."""
    kit = mail_kit
    kit.prepare_store()
    (kit.root / "list.csv").write_text("address\nann@mail.example\nno address\n")
    arguments = ("subscribers import", str(kit.root / "list.csv"), "--digest", "daily")
    with pytest.raises(SettingsError, match=r"cannot write .*nowhere/bad.csv: No such file"):
        run(kit, *arguments, "--rejected", str(kit.root / "nowhere/bad.csv"))
    assert list(list_subscribers(kit.site)) == []
    shown = output(kit, *arguments, "--rejected", str(kit.root / "bad.csv"))
    assert isinstance(shown, dict) and (shown["added"], shown["rejected"]) == (1, 1)
    assert (kit.root / "bad.csv").read_text().startswith("row,reason\n3,the address contains SPACE")


def test_an_import_of_a_file_that_cannot_be_read_names_it(mail_kit: MailKit) -> None:
    """As in a folder that has the name of a file."""
    path = mail_kit.root / "list.csv"
    path.mkdir()
    with pytest.raises(SettingsError, match=r"cannot read .*list\.csv: Is a directory"):
        import_list(mail_kit.site, path, NOW)


def test_an_export_can_be_limited_to_a_newsletter(mail_kit: MailKit) -> None:
    """A misspelt name and a file that cannot be written are errors."""
    kit = mail_kit
    kit.add_subscribers(2)
    path = kit.root / "list.csv"
    assert run(kit, "subscribers export", str(path), "--digest", "daily").stdout.startswith("2 subscribers written")
    assert len(path.read_text().splitlines()) == 3
    listed = run(kit, "subscribers list", "--digest", "daily", "--json").stdout.splitlines()
    assert [json.loads(line)["address"] for line in listed] == ["reader0@mail.example.org", "reader1@mail.example.org"]
    with pytest.raises(SettingsError, match=r"there is no digest 'dialy'\. publisher.toml has: daily"):
        run(kit, "subscribers export", "-", "--digest", "dialy")
    with pytest.raises(SettingsError, match="there is no digest 'dialy'"):
        run(kit, "subscribers list", "--digest", "dialy")
    with pytest.raises(SettingsError, match=r"cannot write .*: No such file"):
        run(kit, "subscribers export", str(kit.root / "nowhere/list.csv"))


def test_a_dkim_key_needs_a_sender_and_a_folder(kit: SiteKit) -> None:
    """Each error says what to set first."""
    with pytest.raises(SettingsError, match=r"cannot write .*nowhere/key.pem"):
        run(kit, "dkim-key", "2026a", "--file", str(kit.root / "nowhere/key.pem"))
    kit.settings('title = "T"\nbase_url = "https://t.example"\n')
    with pytest.raises(SettingsError, match=r"mail.sender is missing in publisher.toml: DKIM signs with its domain"):
        run(kit, "dkim-key", "2026a")


def test_a_note_in_another_encoding_is_an_error(kit: SiteKit, tmp_path: Path) -> None:
    """A note with only a lead shows no text."""
    (tmp_path / "note.md").write_bytes("Größe".encode("latin-1"))
    with pytest.raises(SettingsError, match=r"cannot read .*note\.md: 'utf-8' codec"):
        run(kit, "note", "daily", "--file", str(tmp_path / "note.md"))
    kit.article()
    assert run(kit, "note", "daily", "--lead", "one.md").stdout == (
        "The next issue of daily: No. 1, Fri 2026-11-20 00:00\n  lead: One\n"
    )


def test_a_preview_names_records_that_are_skipped(kit: SiteKit, monkeypatch: pytest.MonkeyPatch) -> None:
    """And an article of a note that is not among the newest."""
    monkeypatch.setenv("CHROMIUM", "/nowhere/chromium")
    kit.article()
    kit.write("bad.md", "---\ntitle: [\n---\n")
    shown = run(kit, "preview", "daily")
    assert "  skipped: bad.md: " in shown.stdout


def test_a_metrics_address_needs_a_port(kit: SiteKit) -> None:
    """The usage error has an example."""
    import click

    with pytest.raises(click.BadParameter, match=r"write it as HOST:PORT, as in 127.0.0.1:9100"):
        run(kit, "serve", "--metrics", "9100")


def test_an_old_name_of_a_command_still_works(mail_kit: MailKit) -> None:
    """With a note on standard error, except for the completion of a shell."""
    mail_kit.add_subscribers(1)
    mail_kit.issue("one")
    shown = run(mail_kit, "who", "daily", "reader0@mail.example.org")
    assert shown.stderr == "publish: 'publish who' is deprecated. Use 'publish trace'.\n"
    assert publish.list_commands(None)[0] == "init"  # type: ignore[arg-type]
    assert CliRunner().invoke(publish, ["nothing"]).exit_code == 2


def test_a_settings_error_of_a_command_ends_the_program_with_status_2(
    kit: SiteKit, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """As a usage error does; an interrupted command ends with 130."""
    from publisher.cli import main

    def status(*arguments: str) -> object:
        monkeypatch.setattr("sys.argv", ["publish", *arguments])
        with pytest.raises(SystemExit) as ended:
            main()
        return ended.value.code

    assert status("outbox", "--site", str(kit.root / "nowhere")) == 2
    assert status("outbox", "--unknown") == 2
    assert status("--version") == 0
    capsys.readouterr()

    def interrupt(folder: Path, **options: bool) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("publisher.cli.outbox.open_site", interrupt)
    assert status("outbox", "--site", str(kit.root)) == 130
    assert capsys.readouterr().err.lstrip() == "publish: interrupted; run the command again to continue\n"

    def fail(folder: Path, **options: bool) -> None:
        raise PublisherError("it failed")

    monkeypatch.setattr("publisher.cli.outbox.open_site", fail)
    assert status("outbox", "--site", str(kit.root)) == 3
    assert capsys.readouterr().err == "publish: it failed\n"

    def break_down(folder: Path, **options: bool) -> None:
        raise ZeroDivisionError("division by zero")

    # Not 1, which would mean that the work is done.
    monkeypatch.setattr("publisher.cli.outbox.open_site", break_down)
    assert status("outbox", "--site", str(kit.root)) == 3
    shown = capsys.readouterr().err
    assert "in break_down" in shown
    assert "publish: unexpected error: ZeroDivisionError: division by zero\nThis is a fault of publisher." in shown
