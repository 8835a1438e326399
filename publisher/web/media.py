"""Serve the site's own pictures and recordings, from descriptors that cannot lead out of their folder."""

from __future__ import annotations

import mimetypes
import os
from typing import BinaryIO, Final

from anyio import to_thread
from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.responses import FileResponse, Response
from starlette.staticfiles import NotModifiedResponse, StaticFiles
from starlette.types import Receive, Scope, Send

from publisher.staging.beneath import open_file_beneath

__all__ = ["MediaFiles"]

#: Opens what is open already: the file that was looked at, whatever stands at its path by now.
_DESCRIPTORS: Final = "/dev/fd"


class _OpenFile(FileResponse):
    """A file that is open, until it was sent."""

    def __init__(self, file: BinaryIO, name: str, status: os.stat_result) -> None:
        media_type = mimetypes.guess_type(name)[0] or "application/octet-stream"
        super().__init__(f"{_DESCRIPTORS}/{file.fileno()}", stat_result=status, media_type=media_type)
        self._file = file

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        with self._file:
            await super().__call__(scope, receive, send)


class MediaFiles(StaticFiles):
    """Files of a folder; links inside it are followed, and nothing outside is served."""

    async def get_response(self, path: str, scope: Scope) -> Response:
        """Return the file at a path.

        Raises:
            HTTPException: there is none, or it cannot be read.
        """
        if scope["method"] not in ("GET", "HEAD"):
            raise HTTPException(405, headers={"Allow": "GET, HEAD"})
        file = await to_thread.run_sync(self._open, path)
        if file is None:
            raise HTTPException(404)
        response = _OpenFile(file, path, os.fstat(file.fileno()))
        if self.is_not_modified(response.headers, Headers(scope=scope)):
            file.close()
            return NotModifiedResponse(response.headers)
        return response

    def _open(self, path: str) -> BinaryIO | None:
        assert self.directory is not None
        try:
            return open_file_beneath(self.directory, path)
        except (OSError, ValueError):
            return None
