"""Feed readers: how each of them is run, and how its entries are read."""

from __future__ import annotations

import email
import email.policy
import json
import os
import re
import shutil
import sqlite3
import subprocess
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

NODE = Path(__file__).parent / "node"


@dataclass(frozen=True)
class ShownEntry:
    """An entry as a feed reader stores it."""

    id: str
    title: str
    authors: str
    date: str
    content: str
    image: str = ""
    enclosure: str = ""
    categories: list[str] = field(default_factory=list)


#: Polls a feed at a URL, with a folder for the program's files, and returns all entries that it stores.
Poll = Callable[[str, Path], list[ShownEntry]]


def fetch(url: str) -> bytes:
    """Fetch a URL."""
    with urllib.request.urlopen(url, timeout=10) as response:
        return bytes(response.read())


def run_command(command: list[str], **environment: str) -> str:
    """Run a command with additions to its environment, and return its output."""
    result = subprocess.run(
        command,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env={**os.environ, "LC_ALL": "C.UTF-8", "http_proxy": "", "no_proxy": "*", **environment},
    )
    assert result.returncode == 0, f"{command[0]}: {result.stdout}{result.stderr}"
    return result.stdout


def merge_entries(folder: Path, polled: list[ShownEntry]) -> list[ShownEntry]:
    """Add the entries of a poll to those of earlier polls by ID, as programs that use a parser do; return all."""
    path = folder / "entries.json"
    known = json.loads(path.read_text()) if path.exists() else {}
    known.update({entry.id: entry.__dict__ for entry in polled})
    path.write_text(json.dumps(known))
    return [ShownEntry(**entry) for entry in known.values()]


def feedparser(url: str, folder: Path) -> list[ShownEntry]:
    """Poll a feed with feedparser."""
    import feedparser as library

    feed = library.parse(fetch(url))
    assert feed.bozo == 0
    return merge_entries(
        folder,
        [
            ShownEntry(
                id=entry.id,
                title=entry.title,
                authors=", ".join(author.get("name", "") for author in entry.get("authors", [])),
                date=entry.published,
                content=entry.content[0].value,
                image=entry.get("media_content", [{}])[0].get("url", ""),
                enclosure=entry.enclosures[0].href if entry.enclosures else "",
                categories=[tag.term for tag in entry.get("tags", [])],
            )
            for entry in feed.entries
        ],
    )


def reader(url: str, folder: Path) -> list[ShownEntry]:
    """Poll a feed with reader."""
    from reader import make_reader

    with make_reader(str(folder / "reader.sqlite")) as library:
        library.add_feed(url, exist_ok=True)
        # update_feeds() would skip a feed that was updated less than an hour ago.
        library.update_feed(url)
        feed = library.get_feed(url)
        assert feed.last_exception is None, feed.last_exception
        return [
            ShownEntry(
                id=entry.id,
                title=entry.title or "",
                authors=entry.authors_str or "",
                date=str(entry.published),
                content=entry.content[0].value if entry.content else "",
                enclosure=entry.enclosures[0].href if entry.enclosures else "",
            )
            for entry in library.get_entries()
        ]


def newsboat(url: str, folder: Path) -> list[ShownEntry]:
    """Poll a feed with newsboat."""
    (folder / "urls").write_text(f"{url}\n")
    (folder / "config").write_text("reload-time 1\n")
    # A HOME of its own, so that it does not read the settings of a user.
    command = ["newsboat", "-u", str(folder / "urls"), "-c", str(folder / "cache.db"), "-C", str(folder / "config")]
    run_command([*command, "-x", "reload"], HOME=str(folder))
    with sqlite3.connect(folder / "cache.db") as connection:
        rows = connection.execute(
            "SELECT guid, title, author, pubDate, content, enclosure_url FROM rss_item"
        ).fetchall()
    connection.close()
    return [
        ShownEntry(
            id=guid, title=title, authors=author, date=str(date or ""), content=content, enclosure=enclosure or ""
        )
        for guid, title, author, date, content, enclosure in rows
    ]


def sfeed(url: str, folder: Path) -> list[ShownEntry]:
    """Poll a feed with sfeed."""
    # By default sfeed treats an entry with a new title or link as a new entry; this merge compares IDs only.
    (folder / "sfeedrc").write_text(
        f'sfeedpath={folder}/feeds\nfeeds() {{ feed ours {url}; }}\nmerge() {{ sort -t \'\t\' -u -k6,6 "$3" "$2"; }}\n'
    )
    run_command(["sfeed_update", str(folder / "sfeedrc")])
    entries = []
    for line in (folder / "feeds/ours").read_text("utf-8").splitlines():
        date, title, _, content, _, entry_id, author, enclosure, categories = line.split("\t")[:9]
        text = content.replace("\\n", "\n").replace("\\t", "\t").replace("\\\\", "\\")
        entries.append(
            ShownEntry(
                id=entry_id,
                title=title,
                authors=author,
                date=date,
                content=text,
                enclosure=enclosure,
                categories=[name for name in categories.split("|") if name],
            )
        )
    return entries


def rss2email(url: str, folder: Path) -> list[ShownEntry]:
    """Poll a feed with rss2email."""
    base = ["r2e", "-c", str(folder / "r2e.cfg"), "-d", str(folder / "r2e.json")]
    if not (folder / "r2e.cfg").exists():
        run_command([*base, "new", "reader@example.org"])
        text = (folder / "r2e.cfg").read_text()
        for name, value in (
            ("email-protocol", "maildir"),
            ("maildir-path", str(folder / "Maildir")),
            ("html-mail", "True"),
            ("sendmail", "/bin/false"),
        ):
            text = re.sub(rf"(?m)^{name} = .*$", f"{name} = {value}", text)
        (folder / "r2e.cfg").write_text(text)
        for part in ("cur", "new", "tmp"):
            (folder / "Maildir" / "INBOX" / part).mkdir(parents=True, exist_ok=True)
        run_command([*base, "add", "ours", url])
    run_command([*base, "run"])
    entries = []
    for path in sorted((folder / "Maildir").rglob("*")):
        if not path.is_file() or path.parent.name not in ("new", "cur"):
            continue
        message = email.message_from_bytes(path.read_bytes(), policy=email.policy.default)
        body = message.get_body()
        text = body.get_content() if body is not None else ""
        entries.append(
            ShownEntry(
                id=str(message["X-RSS-ID"]),
                title=str(message["Subject"]),
                authors=str(message["From"]),
                date=str(message["Date"]),
                content=text,
                enclosure=next(iter(re.findall(r"https?://[^\"\s<>]+\.mp3", text)), ""),
                categories=[name.strip() for name in str(message["X-RSS-TAGS"] or "").split(",")],
            )
        )
    return entries


def node_parser(name: str) -> Poll:
    """Return the poll of a JavaScript parser."""

    def poll(url: str, folder: Path) -> list[ShownEntry]:
        (folder / "feed").write_bytes(fetch(url))
        entries = json.loads(run_command(["node", str(NODE / "read.mjs"), name, str(folder / "feed")]))
        return merge_entries(
            folder,
            [
                ShownEntry(
                    id=entry["id"],
                    title=entry["title"],
                    authors=", ".join(entry["authors"]),
                    date=entry["date"],
                    content=entry["content"] or "",
                    image=entry.get("image") or "",
                    enclosure=entry.get("enclosure") or "",
                    categories=entry["categories"],
                )
                for entry in entries
            ],
        )

    return poll


@dataclass(frozen=True)
class Client:
    """A feed reader: how to poll a feed with it, and which formats it supports."""

    name: str
    poll: Poll
    formats: tuple[str, ...]
    #: The command, or ``npm:PACKAGE``, that must be installed; empty for a Python package of the dev extra.
    needs: str

    def missing(self) -> str | None:
        """Return why it cannot be run here, or None."""
        if self.needs.startswith("npm:"):
            if not shutil.which("node"):
                return "node is not installed"
            is_installed = (NODE / "node_modules" / self.needs.removeprefix("npm:")).is_dir()
            return None if is_installed else f"run 'npm install' in {NODE.relative_to(NODE.parent.parent.parent)}"
        return None if not self.needs or shutil.which(self.needs) else f"{self.needs} is not installed"


CLIENTS = (
    Client("feedparser", feedparser, ("rss", "atom"), ""),
    Client("reader", reader, ("rss", "atom", "json"), ""),
    Client("newsboat", newsboat, ("rss", "atom"), "newsboat"),
    Client("sfeed", sfeed, ("rss", "atom"), "sfeed_update"),
    Client("rss2email", rss2email, ("rss", "atom"), "r2e"),
    Client("feedsmith", node_parser("feedsmith"), ("rss", "atom", "json"), "npm:feedsmith"),
    Client("rss-parser", node_parser("rss-parser"), ("rss", "atom"), "npm:rss-parser"),
)
