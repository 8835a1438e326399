"""The page where a reader leaves, and the POST of her mail program's own button (RFC 8058).

A GET changes nothing: whoever looks at links in mails, a scanner or a preview, signs nobody off.
"""

from __future__ import annotations

from typing import Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from publisher.actions.leaving import Standing, come_back, leave, standing
from publisher.web.context import Context
from publisher.web.forms import Form, form_page
from publisher.web.links import PassLink

__all__ = ["Leave"]

#: Mail providers post once (RFC 8058) and do not try again, so an unsubscription waits for longer than other forms.
_WAIT_SECONDS: Final = 30.0


class Leave:
    """Answers at the address that ``mail.unsubscribe`` names."""

    def __init__(self, context: Context) -> None:
        self._context = context
        mail = context.site.mail
        self._link = PassLink((mail.unsubscribe if mail is not None else None) or "")

    def routes(self) -> list[Route]:
        """Return where it is; nowhere where readers leave by mail."""
        if not self._link.path:
            return []
        page = form_page(self._context, "leave", self._look, self._post, is_open=True, wait_seconds=_WAIT_SECONDS)
        return [Route(self._link.path, page, methods=["GET", "POST"])]

    def _look(self, request: Request) -> Response:
        found = standing(self._context.site, self._context.db, self._link.copy_of(request))
        return self._page(found, is_post=False)

    def _post(self, request: Request, form: Form) -> Response:
        site, db, copy = self._context.site, self._context.db, self._link.copy_of(request)
        if "back" in form:
            return self._page(come_back(site, db, copy), is_post=True)
        # Whatever else a mail program posts, she wants to be let go.
        return self._page(leave(site, db, copy, everything="all" in form), is_post=True)

    def _page(self, found: Standing | None, *, is_post: bool) -> Response:
        say = self._context.say
        if found is None:
            line = "It may have been cut off on its way: try the link in the mail itself, or answer that mail."
            return say("We do not know this link", line, status=404)
        whose = f" ({found.address})" if found.address else ""
        others = "one other newsletter" if found.others == 1 else f"{found.others} other newsletters"
        if found.follows:
            heading = "Welcome back" if is_post else f"Unsubscribe from {found.title}?"
            lines = [f"You get {found.title}{whose}."]
            buttons = [("leave", f"Unsubscribe from {found.title}")]
            if found.others:
                lines.append(f"You also get {others} of ours.")
                buttons.append(("all", "Unsubscribe from all"))
            return say(heading, *lines, buttons=tuple(buttons))
        lines = [f"{found.title} no longer comes to you{whose}."]
        if found.others:
            lines.append(f"You still get {others} of ours.")
        buttons = [("back", "That was a mistake: keep it coming")] if found.address else []
        if found.others:
            buttons.append(("all", "Unsubscribe from the others too"))
        return say(f"You have unsubscribed from {found.title}", *lines, buttons=tuple(buttons))
