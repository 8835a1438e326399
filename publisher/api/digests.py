"""The newsletters of a site, and the drafts of their next issues."""

from __future__ import annotations

from dataclasses import dataclass

from publisher.api.subject import Subject, use_case
from publisher.digests.run_preflight import force_issue
from publisher.pipeline.approve import Approval, ApprovalPlan, ApprovalTime, approve, plan_approval
from publisher.pipeline.note import set_note
from publisher.pipeline.preview import preview
from publisher.pipeline.undo_issue import discard, undo_discard


class Digests(Subject):
    """The newsletters of a site, and the drafts of their next issues."""

    plan_approval = use_case(plan_approval)
    approve = use_case(approve)
    note = use_case(set_note)
    preview = use_case(preview)
    discard = use_case(discard)
    undo_discard = use_case(undo_discard)
    force = use_case(force_issue)

    def draft(self, digest: str, *, time: ApprovalTime = ApprovalTime.SLOT) -> Draft:
        """Read articles/, bring the draft of a digest up to date, and return it.

        Args:
            digest: its name in publisher.toml.
            time: when its send opens once it is approved.

        Raises:
            SettingsError: there is no such digest, or nothing for its next issue.
        """
        return Draft(digests=self, time=time, plan=self.plan_approval(digest, time=time))


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """The next issue of a digest, as a person sees it before they approve it."""

    digests: Digests
    #: When its send opens once it is approved.
    time: ApprovalTime
    #: What its approval would do, and what stops it.
    plan: ApprovalPlan

    @property
    def hash(self) -> str:
        """The version: a hash of what an editor approves."""
        return self.plan.draft.hash

    def approve(self, *, expect: str | None = None) -> Approval:
        """Approve this version of the draft.

        Args:
            expect: the version that a person has seen; this one by default.

        Raises:
            SettingsError: the draft may not be approved, or is another version by now.
            SendingBlocked: it has placeholder values, and real recipients.
        """
        return self.digests.approve(self.plan.draft.digest, time=self.time, expect=expect or self.hash)
