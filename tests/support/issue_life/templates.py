"""A short template for issues: the real preflight of a message is cheap, and finds errors of its articles only."""

from __future__ import annotations

from pathlib import Path
from typing import Final

_HTML: Final = """<!DOCTYPE html>
<html lang="en" dir="ltr"><head><meta name="color-scheme" content="light dark"><title>{{ subject }}</title></head>
<body lang="en" dir="ltr"><div style="display:none">{{ preheader }}</div>
<p><a href="{{ placeholders.unsubscribe }}">Unsubscribe</a> {{ placeholders.address }}</p>
<h1>{{ digest.title }} {{ number }}</h1>
{% if note %}{{ note }}{% endif %}
{% for story in [lead] + stories %}
<h2>{{ story.title }}</h2><p>{{ story.excerpt }}</p>
{% endfor %}
{% for notice in notices %}
<p>{{ notice.title }}: {{ notice.note }}</p>
{% endfor %}
<p><a href="{{ placeholders.unsubscribe }}">Unsubscribe from this list</a></p></body></html>
"""
_TEXT: Final = """{{ digest.title }} {{ number }}
{% for line in note_text or [] %}
{{ line | wrap }}
{% endfor %}
{% for story in [lead] + stories %}

{{ story.title }}
{{ story.excerpt | wrap }}
{% endfor %}
{% for notice in notices %}
{{ (notice.title ~ ": " ~ notice.note) | wrap }}
{% endfor %}

To {{ placeholders.address }}. Unsubscribe: {{ placeholders.unsubscribe }}
"""


def write_templates(root: Path) -> None:
    """Write the template ``short`` of a site."""
    folder = root / "templates" / "digest" / "short"
    folder.mkdir(parents=True)
    (folder / "message.html.j2").write_text(_HTML, "utf-8")
    (folder / "message.txt.j2").write_text(_TEXT, "utf-8")
