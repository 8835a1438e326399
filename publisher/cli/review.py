"""``publish subscribers review``: list suppressions and states that need a second look."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from publisher import DoubtfulSuppression, UnclearState
from publisher.cli.common import open_site, print_result, site_option
from publisher.errors import SettingsError
from publisher.html.text import count_phrase


@click.command("review")
@site_option
@click.option("--lift", is_flag=True, help="Lift the listed suppressions.")
@click.option("--yes", is_flag=True, help="Lift without asking, for scripts.")
@click.option("--json", "as_json", is_flag=True, help="Print the list as JSON.")
def command(folder: Path, lift: bool, yes: bool, as_json: bool) -> None:
    """List subscribers whose state needs a second look.

    Suppressions to review: earlier versions suppressed an address for nearly every refusal with code
    550. Those whose words are not about the address are listed with the words. --lift lifts them in
    one step, after a question on a terminal; each subscriber has the state from before the
    suppression again. Complaints and suppressions without a server's words are never listed.

    Unclear states: an earlier version did not store whether these people unsubscribed. They count as
    unsubscribed and get no mail until they confirm, or you use 'add --resubscribe REASON'.

    Exit status: 0 success; 2 usage or settings, or the question was not answered with yes; 3 failed.
    """
    with open_site(folder) as publisher:
        doubtful = publisher.subscribers.doubtful_suppressions()
        unclear = publisher.subscribers.unclear_states()
        if not as_json:
            for line in [*review_lines(doubtful, is_lifting=lift), *unclear_lines(unclear)]:
                click.echo(line)
        lifted: list[str] = []
        if lift and doubtful:
            if not yes and not _confirms(doubtful):
                raise SettingsError("nothing was lifted. Answer the question with yes, or use --yes in a script")
            lifted = publisher.subscribers.lift_suppressions(doubtful)
    fields = {
        "suppressed": [suppression.as_dict() for suppression in doubtful],
        "unclear": [state.as_dict() for state in unclear],
        "lifted": lifted,
    }
    done = [f"Lifted {count_phrase(len(lifted), 'suppression')}."] if lifted else []
    print_result(fields, done, as_json=as_json)


def _confirms(doubtful: list[DoubtfulSuppression]) -> bool:
    if not sys.stdin.isatty():
        return False
    return click.confirm(f"Lift {count_phrase(len(doubtful), 'suppression')}?", err=True)


def review_lines(doubtful: list[DoubtfulSuppression], *, is_lifting: bool) -> list[str]:
    """Return doubtful suppressions as lines of text."""
    if not doubtful:
        return ["No suppressions to review."]
    lines = [f"{count_phrase(len(doubtful), 'suppression')} to review:"]
    lines += [
        f"  {suppression.address}  {suppression.suppressed_at:%Y-%m-%d}  {suppression.reason}: {suppression.words}"
        for suppression in doubtful
    ]
    if not is_lifting:
        lines.append("'publish subscribers review --lift' lifts these suppressions.")
    return lines


def unclear_lines(unclear: list[UnclearState]) -> list[str]:
    """Return unclear states as lines of text; [] for none."""
    if not unclear:
        return []
    return [
        f"{count_phrase(len(unclear), 'unclear state')}: these people count as unsubscribed",
        *(
            f"  {state.address}  {state.digest or 'everything'} since {state.since:%Y-%m-%d}  {state.reason}"
            for state in unclear
        ),
        "If you know that they want it: 'publish subscribers add ADDRESS --resubscribe REASON'.",
    ]
