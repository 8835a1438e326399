"""``publish next``: cadences in words, and the next slots."""

from __future__ import annotations

import json

from tests.conftest import SiteKit
from tests.support.processes import publish_output, run_publish


def test_next_describes_the_cadence_and_lists_slots(kit: SiteKit) -> None:
    """The output has the cadence in words, and the next slots without blackout days."""
    kit.settings(
        """
        title = "The Test Review"
        base_url = "https://review.example"
        zone = "Europe/London"
        [mail]
        sender = "news@review.example"
        [digests.daily]
        title = "The Daily"
        cadence = ["0 7 * * mon-fri", "0 9 * * sat"]
        zone = "America/New_York"
        blackout = [2026-12-25, "2026-12-31/2027-01-02"]
        starts = 2026-12-01
        ends = 2027-06-30
        deliver_at = "07:00 local"
        """
    )
    shown = publish_output(kit.root, "next", "--at", "2026-12-23T08:00", "-n", "4").splitlines()
    assert shown == [
        "  feeds  every 15 minutes",
        (
            "  daily  weekdays at 07:00; every Saturday at 09:00, from 2026-12-01, until 2027-06-30, not on 2026-12-25,"
            " 2026-12-31 to 2027-01-02 (America/New_York); delivered at 07:00 local time"
        ),
        "",
        "  Europe/London         UTC",
        "  Wed 2026-12-23 08:15  2026-12-23 08:15  in 15 min  feeds",
        "  Wed 2026-12-23 12:00  2026-12-23 12:00     in 4 h  daily",
        "  Thu 2026-12-24 12:00  2026-12-24 12:00    in 28 h  daily",
        "  Sat 2026-12-26 14:00  2026-12-26 14:00     in 3 d  daily",
    ]
    output = json.loads(publish_output(kit.root, "next", "daily", "--at", "2026-12-28T00:00", "-n", "5", "--json"))
    assert [one["slot"][:16] for one in output["slots"]] == [
        "2026-12-28T12:00",
        "2026-12-29T12:00",
        "2026-12-30T12:00",
        "2027-01-04T12:00",
        "2027-01-05T12:00",
    ]
    assert output["cadences"][0]["deliver_at"] == "07:00"
    over = publish_output(kit.root, "next", "daily", "--at", "2027-07-01T00:00").splitlines()
    assert over[-1] == "No more slots."


def test_next_lists_digests_without_a_cadence(kit: SiteKit) -> None:
    """They have no slots, and the output says which command makes their issues."""
    kit.add_settings('[digests.occasional]\ntitle = "O"\n[digests.weekly]\ntitle = "W"\ncadence = "0 7 * * mon"\n')
    shown = publish_output(kit.root, "next", "--at", "2026-12-23T08:00", "-n", "1").splitlines()
    assert shown[:4] == [
        "  feeds       every 15 minutes",
        "  weekly      every Monday at 07:00",
        "  daily       no cadence: an issue is sent once you approve it (publish approve daily)",
        "  occasional  no cadence: an issue is sent once you approve it (publish approve occasional)",
    ]
    assert json.loads(publish_output(kit.root, "next", "--json"))["without_cadence"] == ["daily", "occasional"]
    # One digest is asked for.
    assert "no cadence" not in publish_output(kit.root, "next", "weekly")
    assert json.loads(publish_output(kit.root, "next", "weekly", "--json"))["without_cadence"] == []


def test_next_names_the_digests_with_a_cadence(kit: SiteKit) -> None:
    """A digest without a cadence is an error that names the table to add one to."""
    done = run_publish("next", "daily", "--site", str(kit.root))
    assert done.returncode == 2
    assert "digest 'daily' has no cadence. Add one under [digests.daily]" in done.stderr
    kit.add_settings("\n[feeds]\ncadence = []\n")
    assert "No digest has a cadence" in publish_output(kit.root, "next")
