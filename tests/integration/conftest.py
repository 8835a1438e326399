"""What tests of the web share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.conftest import MailKit
from tests.smtp import Server
from tests.town import Town


@pytest.fixture
def town(any_mail_kit: MailKit) -> Iterator[Town]:
    with Server() as server:
        made = Town(any_mail_kit, server)
        yield made
        made.web.close()
