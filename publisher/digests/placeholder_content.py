"""The text whose hash is part of an issue's placeholders. Pure.

The hash is in the staged bytes of every issue. An issue that has not changed must keep it when a field gets another
name in the code, so this module writes names and notation itself: those that the first version hashed.
"""

from __future__ import annotations

from collections.abc import Sequence

from publisher.digests.story import Notice, Story


def placeholder_content(
    subject: str, preheader: str, note: str, notices: Sequence[Notice], stories: Sequence[Story]
) -> str:
    """Return the content of an issue as one text, which differs if anything that it shows differs."""
    return _in_parentheses(
        [
            repr(subject),
            repr(preheader),
            repr(note),
            f"[{', '.join(map(_notice, notices))}]",
            _in_parentheses([_story(story) for story in stories]),
        ]
    )


def _in_parentheses(parts: Sequence[str]) -> str:
    """Return texts in the notation of a tuple."""
    return f"({parts[0]},)" if len(parts) == 1 else f"({', '.join(parts)})"


def _record(name: str, fields: dict[str, object]) -> str:
    """Return fields in the notation of a record."""
    return f"{name}({', '.join(f'{field}={value!r}' for field, value in fields.items())})"


def _notice(notice: Notice) -> str:
    return _record(
        "Notice",
        {
            "title": notice.title,
            "link": notice.link,
            "date": notice.date,
            "note": notice.note,
            "direction": notice.direction,
        },
    )


def _story(story: Story) -> str:
    return _record(
        "Story",
        {
            "title": story.title,
            "link": story.link,
            "number": story.number,
            "kicker": story.kicker,
            "byline": story.byline,
            "date": story.date,
            "dek": story.dek,
            "excerpt": story.excerpt,
            "body": story.body,
            "body_text": story.body_text,
            "references": story.references,
            "minutes": story.minutes,
            "image": story.image,
            "image_alt": story.image_alt,
            "image_credit": story.image_credit,
            "image_width": story.image_width,
            "image_height": story.image_height,
            "language": story.language,
            "direction": story.direction,
            "is_brief": story.is_brief,
            "corrections": story.corrections,
        },
    )
