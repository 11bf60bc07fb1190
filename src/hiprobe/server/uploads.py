"""Uploads: streamed to a temporary file, held to a size, and taken only if they decode."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator
from pathlib import Path

from starlette.concurrency import run_in_threadpool

from hiprobe.errors import OutputError, TooLargeError, VideoError
from hiprobe.server.library import Library
from hiprobe.server.project import Settings
from hiprobe.server.records import VideoRecord
from hiprobe.server.safety import check_video, safe_name


class Uploads:
    """Takes videos that come over HTTP.

    Parameters
    ----------
    settings : Settings
    library : Library
    """

    def __init__(self, settings: Settings, library: Library) -> None:
        self._folder, self._most, self._library = settings.uploads, settings.max_upload, library
        for left in self._folder.glob(".upload-*.part"):  # by a server that was killed
            left.unlink(missing_ok=True)

    async def receive(self, name: str, chunks: AsyncIterator[bytes]) -> VideoRecord:
        """Take a video, and add it to the library. Whatever goes wrong, nothing is left of it.

        Parameters
        ----------
        name : str
            Of the file, as the sender calls it; what is unsafe in it is replaced.
        chunks : async iterator of bytes
            Its content.

        Raises
        ------
        TooLargeError
            If it is larger than an upload may be.
        VideoError
            If it is no video.
        OutputError
            If it cannot be written.
        """
        safe = safe_name(name)
        temporary = self._folder / f".upload-{uuid.uuid4().hex}.part"
        try:
            with temporary.open("xb") as file:
                size = 0
                async for chunk in chunks:
                    size += len(chunk)
                    if size > self._most:
                        raise TooLargeError(f"{safe}: is larger than the {self._most} bytes that an upload may have.")
                    await run_in_threadpool(file.write, chunk)
            return await run_in_threadpool(self._take, temporary, safe)
        except OSError as error:
            raise OutputError(f"{safe}: cannot be stored ({error.strerror or error}); free space.") from error
        finally:
            temporary.unlink(missing_ok=True)

    def _take(self, temporary: Path, name: str) -> VideoRecord:
        try:
            check_video(temporary)
        except VideoError as error:  # it knows the file by the name that it has for now
            raise VideoError(str(error).replace(str(temporary), name).replace(temporary.name, name)) from error
        place = self._free(name)
        temporary.replace(place)
        return self._library.add(place, uploaded=True)

    def _free(self, name: str) -> Path:
        """Return a path of this name, or of one with a number in it, and hold it with an empty file."""
        stem, suffix = Path(name).stem, Path(name).suffix
        number = 1
        while True:
            place = self._folder / (name if number == 1 else f"{stem}-{number}{suffix}")
            try:
                place.touch(exist_ok=False)
                return place
            except FileExistsError:
                number += 1
