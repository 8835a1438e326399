"""Reader programs that people use, each asked in its own way what it makes of a feed."""

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
class Seen:
    """An entry, as a reader program has it."""

    id: str
    title: str
    authors: str
    date: str
    content: str
    image: str = ""
    enclosure: str = ""
    categories: list[str] = field(default_factory=list)


Poll = Callable[[str, Path], list[Seen]]


def fetched(url: str) -> bytes:
    with urllib.request.urlopen(url, timeout=10) as response:
        return bytes(response.read())


def done(command: list[str], **environment: str) -> str:
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


def kept(folder: Path, now: list[Seen]) -> list[Seen]:
    """What a program has that keeps entries by id, as those do that build on a parser."""
    path = folder / "kept.json"
    known = json.loads(path.read_text()) if path.exists() else {}
    known.update({one.id: one.__dict__ for one in now})
    path.write_text(json.dumps(known))
    return [Seen(**one) for one in known.values()]


def feedparser(url: str, folder: Path) -> list[Seen]:
    import feedparser as library

    found = library.parse(fetched(url))
    assert found.bozo == 0
    return kept(
        folder,
        [
            Seen(
                id=one.id,
                title=one.title,
                authors=", ".join(who.get("name", "") for who in one.get("authors", [])),
                date=one.published,
                content=one.content[0].value,
                image=one.get("media_content", [{}])[0].get("url", ""),
                enclosure=one.enclosures[0].href if one.enclosures else "",
                categories=[tag.term for tag in one.get("tags", [])],
            )
            for one in found.entries
        ],
    )


def reader(url: str, folder: Path) -> list[Seen]:
    from reader import make_reader

    with make_reader(str(folder / "reader.sqlite")) as library:
        library.add_feed(url, exist_ok=True)
        # Not update_feeds(): that waits for an hour between two looks.
        library.update_feed(url)
        feed = library.get_feed(url)
        assert feed.last_exception is None, feed.last_exception
        return [
            Seen(
                id=one.id,
                title=one.title or "",
                authors=one.authors_str or "",
                date=str(one.published),
                content=one.content[0].value if one.content else "",
                enclosure=one.enclosures[0].href if one.enclosures else "",
            )
            for one in library.get_entries()
        ]


def newsboat(url: str, folder: Path) -> list[Seen]:
    (folder / "urls").write_text(f"{url}\n")
    (folder / "config").write_text("reload-time 1\n")
    # No HOME of a person's is looked into.
    command = ["newsboat", "-u", str(folder / "urls"), "-c", str(folder / "cache.db"), "-C", str(folder / "config")]
    done([*command, "-x", "reload"], HOME=str(folder))
    with sqlite3.connect(folder / "cache.db") as connection:
        rows = connection.execute(
            "SELECT guid, title, author, pubDate, content, enclosure_url FROM rss_item"
        ).fetchall()
    connection.close()
    return [
        Seen(id=guid, title=title, authors=author, date=str(date or ""), content=content, enclosure=enclosure or "")
        for guid, title, author, date, content, enclosure in rows
    ]


def sfeed(url: str, folder: Path) -> list[Seen]:
    # Its own merge takes an entry for another one when its title or link changes; by the id alone,
    # as the format means it, is a function in the settings.
    (folder / "sfeedrc").write_text(
        f'sfeedpath={folder}/feeds\nfeeds() {{ feed ours {url}; }}\nmerge() {{ sort -t \'\t\' -u -k6,6 "$3" "$2"; }}\n'
    )
    done(["sfeed_update", str(folder / "sfeedrc")])
    found = []
    for line in (folder / "feeds/ours").read_text("utf-8").splitlines():
        date, title, _, content, _, own, author, enclosure, categories = line.split("\t")[:9]
        text = content.replace("\\n", "\n").replace("\\t", "\t").replace("\\\\", "\\")
        found.append(
            Seen(
                id=own,
                title=title,
                authors=author,
                date=date,
                content=text,
                enclosure=enclosure,
                categories=[one for one in categories.split("|") if one],
            )
        )
    return found


def rss2email(url: str, folder: Path) -> list[Seen]:
    base = ["r2e", "-c", str(folder / "r2e.cfg"), "-d", str(folder / "r2e.json")]
    if not (folder / "r2e.cfg").exists():
        done([*base, "new", "reader@example.org"])
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
        done([*base, "add", "ours", url])
    done([*base, "run"])
    found = []
    for path in sorted((folder / "Maildir").rglob("*")):
        if not path.is_file() or path.parent.name not in ("new", "cur"):
            continue
        message = email.message_from_bytes(path.read_bytes(), policy=email.policy.default)
        body = message.get_body()
        text = body.get_content() if body is not None else ""
        found.append(
            Seen(
                id=str(message["X-RSS-ID"]),
                title=str(message["Subject"]),
                authors=str(message["From"]),
                date=str(message["Date"]),
                content=text,
                enclosure=next(iter(re.findall(r"https?://[^\"\s<>]+\.mp3", text)), ""),
                categories=[one.strip() for one in str(message["X-RSS-TAGS"] or "").split(",")],
            )
        )
    return found


def javascript(name: str) -> Poll:
    def poll(url: str, folder: Path) -> list[Seen]:
        (folder / "feed").write_bytes(fetched(url))
        entries = json.loads(done(["node", str(NODE / "read.mjs"), name, str(folder / "feed")]))
        return kept(
            folder,
            [
                Seen(
                    id=one["id"],
                    title=one["title"],
                    authors=", ".join(one["authors"]),
                    date=one["date"],
                    content=one["content"] or "",
                    image=one.get("image") or "",
                    enclosure=one.get("enclosure") or "",
                    categories=one["categories"],
                )
                for one in entries
            ],
        )

    return poll


@dataclass(frozen=True)
class Client:
    """A reader program: how it is asked, and which formats it reads."""

    name: str
    poll: Poll
    formats: tuple[str, ...]
    #: What has to be there: a command, a folder of npm's or a module of Python's.
    needs: str

    def missing(self) -> str | None:
        """Say why it cannot be asked here, or None."""
        if self.needs.startswith("npm:"):
            if not shutil.which("node"):
                return "node is not installed"
            there = (NODE / "node_modules" / self.needs.removeprefix("npm:")).is_dir()
            return None if there else f"run 'npm install' in {NODE.relative_to(NODE.parent.parent.parent)}"
        return None if not self.needs or shutil.which(self.needs) else f"{self.needs} is not installed"


CLIENTS = (
    Client("feedparser", feedparser, ("rss", "atom"), ""),
    Client("reader", reader, ("rss", "atom", "json"), ""),
    Client("newsboat", newsboat, ("rss", "atom"), "newsboat"),
    Client("sfeed", sfeed, ("rss", "atom"), "sfeed_update"),
    Client("rss2email", rss2email, ("rss", "atom"), "r2e"),
    Client("feedsmith", javascript("feedsmith"), ("rss", "atom", "json"), "npm:feedsmith"),
    Client("rss-parser", javascript("rss-parser"), ("rss", "atom"), "npm:rss-parser"),
)
