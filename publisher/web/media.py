"""Serve files of the media folder from descriptors that cannot lead out of the folder."""

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

#: Reopens an open descriptor, so that the checked file is served even if its path now leads elsewhere.
_DESCRIPTORS: Final = "/dev/fd"


class _OpenFile(FileResponse):
    """A response that sends an open file and closes it."""

    def __init__(self, file: BinaryIO, name: str, status: os.stat_result) -> None:
        media_type = mimetypes.guess_type(name)[0] or "application/octet-stream"
        super().__init__(f"{_DESCRIPTORS}/{file.fileno()}", stat_result=status, media_type=media_type)
        self._file = file

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        with self._file:
            await super().__call__(scope, receive, send)


class MediaFiles(StaticFiles):
    """The files of a folder. Symbolic links may lead to files inside it, never outside."""

    async def get_response(self, path: str, scope: Scope) -> Response:
        """Return the file at a path.

        Raises:
            HTTPException: there is no such file, or the method is not allowed.
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
