"""Dates that images are chosen by, as they are given: a year, a day, a time, or so long ago."""

from __future__ import annotations

import re
from calendar import monthrange
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Final, TypeAlias

from vecsearch.errors import UsageError

Moment: TypeAlias = str | date | datetime
"""A text in one of the forms of `FORMS`, a day, or a time: of no zone, or turned into local time.
"""

FORMS: Final = (
    "2026, 2026-08, 2026-08-01, 2026-08-01T12:30, today, yesterday, or so long ago: 30d, 2w, 6m, 1y"
)

_WRITTEN: Final = re.compile(
    r"(\d{4})(?:-(\d\d)(?:-(\d\d)(?:[T ](\d\d):(\d\d)(?::(\d\d))?)?)?)?", re.ASCII
)
_AGO: Final = re.compile(r"(\d{1,5})([dwmy])", re.ASCII)
_YEARS: Final = (1800, 2199)
"""Those that dates in metadata have."""

_BEFORE_ALL_NS: Final = -(1 << 63)
_AFTER_ALL_NS: Final = (1 << 63) - 1
_AFTER_ALL: Final = "~"


@dataclass(frozen=True, slots=True)
class Period:
    """From a local time to before another; None for no bound."""

    start: datetime | None
    end: datetime | None

    @property
    def texts(self) -> tuple[str, str]:
        """The bounds of dates in metadata, which compare as texts."""
        start = _text(self.start) if self.start else ""
        return start, _text(self.end) if self.end else _AFTER_ALL

    @property
    def times_ns(self) -> tuple[int, int]:
        """The bounds of files' times."""
        return (
            _ns(self.start) if self.start else _BEFORE_ALL_NS,
            _ns(self.end) if self.end else _AFTER_ALL_NS,
        )


def period_of(since: Moment | None, until: Moment | None) -> Period:
    """Turn what is given into a period, which has all of *until*: the day, the month, the year.

    Raises UsageError for what is no date, and for a period that ends before it begins.
    """
    start = _span(since)[0] if since is not None else None
    end = _span(until)[1] if until is not None else None
    if start and end and start >= end:
        raise UsageError(
            f"nothing is both since {since} and until {until}", hint="the earlier date is --since"
        )
    return Period(start, end)


def _span(given: Moment) -> tuple[datetime, datetime]:
    """Return the start of a date and its end, which is no part of it."""
    if isinstance(given, date):  # a datetime is one too
        try:
            return _of_python(given)
        except (OverflowError, ValueError):
            raise _no_date(given) from None
    if not isinstance(given, str):
        raise _no_date(given)
    text = given.strip()
    if text in ("today", "yesterday"):
        return _days(date.today() - timedelta(days=text == "yesterday"))
    if ago := _AGO.fullmatch(text):
        return _days(_before(int(ago[1]), ago[2], given))
    written = _WRITTEN.fullmatch(text)
    if written is None:
        raise _no_date(given)
    year, month, day, hour, minute, second = (int(one) if one else None for one in written.groups())
    assert year is not None
    if not _YEARS[0] <= year <= _YEARS[1]:
        raise _no_date(given)
    try:
        first = datetime(year, month or 1, day or 1, hour or 0, minute or 0, second or 0)
    except ValueError:
        raise _no_date(given) from None
    if month is None:
        return first, datetime(year + 1, 1, 1)
    if day is None:
        return first, datetime(year + month // 12, month % 12 + 1, 1)
    if hour is None:
        return _days(first.date())
    return first, first + (timedelta(minutes=1) if second is None else timedelta(seconds=1))


def _of_python(given: date) -> tuple[datetime, datetime]:
    if not isinstance(given, datetime):
        return _days(given)
    local = given.astimezone().replace(tzinfo=None) if given.tzinfo else given
    start = local.replace(microsecond=0)
    return start, start + timedelta(seconds=1)


def _before(count: int, unit: str, given: str) -> date:
    """Find the day so many days, weeks, months or years before today."""
    today = date.today()
    try:
        if unit in "dw":
            return today - timedelta(days=count * (7 if unit == "w" else 1))
        months = 12 * today.year + today.month - 1 - count * (12 if unit == "y" else 1)
        year, month = months // 12, months % 12 + 1
        return date(year, month, min(today.day, monthrange(year, month)[1]))
    except (OverflowError, ValueError):
        raise _no_date(given) from None


def _days(day: date) -> tuple[datetime, datetime]:
    start = datetime.combine(day, time())
    return start, start + timedelta(days=1)


def _no_date(given: object) -> UsageError:
    what = repr(given) if isinstance(given, str) else str(given)
    return UsageError(f"{what} is no date", hint=f"write it as one of {FORMS}")


def _text(moment: datetime) -> str:
    # Of some pictures only the day is known, which is before its midnight as a text.
    return moment.isoformat().removesuffix("T00:00:00")


def _ns(moment: datetime) -> int:
    try:
        seconds = moment.timestamp()
    except (OverflowError, OSError, ValueError):
        return _BEFORE_ALL_NS if moment.year < 2000 else _AFTER_ALL_NS
    return max(_BEFORE_ALL_NS, min(_AFTER_ALL_NS, round(seconds) * 1_000_000_000))
