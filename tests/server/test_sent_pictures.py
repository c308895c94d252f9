"""Pictures that were sent are kept by what is in them, the last ones."""

from __future__ import annotations

import pytest

from vecsearch.server.problems import RequestError
from vecsearch.server.sent_pictures import SentPictures


def test_the_last_that_fit_are_kept() -> None:
    sent = SentPictures(25)
    first, second = sent.keep(b"1" * 10), sent.keep(b"2" * 10)
    assert sent.keep(b"1" * 10) == first  # it is used again, and so the other goes
    third = sent.keep(b"3" * 10)
    assert (sent.get(first), sent.get(third)) == (b"1" * 10, b"3" * 10)
    with pytest.raises(RequestError, match="not kept any more"):
        sent.get(second)
    large = sent.keep(b"4" * 100)
    assert sent.get(large) == b"4" * 100
    with pytest.raises(RequestError):
        sent.get(third)
