"""The errors of vecsearch by the codes that they have over HTTP, which stay the same."""

from __future__ import annotations

from http import HTTPStatus
from typing import Final

from vecsearch.errors import (
    EncoderMismatchError,
    ImageError,
    IndexDamagedError,
    IndexFolderError,
    IndexFormatError,
    IndexLockedError,
    IndexOutdatedError,
    NotFetchedError,
    NotFoundError,
    SourceError,
    UnreadableError,
    UsageError,
    VecsearchError,
    WeightsError,
)

CODES: Final[tuple[tuple[type[VecsearchError], str, HTTPStatus], ...]] = (
    (UsageError, "usage", HTTPStatus.BAD_REQUEST),
    (NotFetchedError, "not_fetched", HTTPStatus.NOT_FOUND),
    (UnreadableError, "unreadable", HTTPStatus.NOT_FOUND),
    (ImageError, "not_a_picture", HTTPStatus.UNPROCESSABLE_ENTITY),
    (NotFoundError, "not_found", HTTPStatus.NOT_FOUND),
    (EncoderMismatchError, "encoder_mismatch", HTTPStatus.CONFLICT),
    (IndexLockedError, "index_locked", HTTPStatus.CONFLICT),
    (IndexDamagedError, "index_damaged", HTTPStatus.SERVICE_UNAVAILABLE),
    (IndexFormatError, "index_format", HTTPStatus.SERVICE_UNAVAILABLE),
    (IndexOutdatedError, "index_outdated", HTTPStatus.SERVICE_UNAVAILABLE),
    (IndexFolderError, "index_unavailable", HTTPStatus.SERVICE_UNAVAILABLE),
    (SourceError, "source", HTTPStatus.NOT_FOUND),
    (WeightsError, "weights", HTTPStatus.INTERNAL_SERVER_ERROR),
    (VecsearchError, "failed", HTTPStatus.INTERNAL_SERVER_ERROR),
)
"""The first that an error is of counts."""
