"""The sources of a build, ready to be scanned; what is missing is a question, not a deletion."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from vecsearch.errors import IndexFolderError, SourceError, UsageError
from vecsearch.images.sources.allowed_urls import is_named, name_source
from vecsearch.images.sources.exclude import IGNORE_FILE, given_patterns
from vecsearch.images.sources.kinds import source_at
from vecsearch.images.sources.list_file import ListSource, scan_lists
from vecsearch.images.sources.notes import KEPT, read_texts
from vecsearch.images.sources.scan import Region, Scan, after, is_found_in, region_of
from vecsearch.images.sources.tar import is_tar
from vecsearch.indexing.build_options import BuildOptions
from vecsearch.indexing.diff import Plan, add_known, add_scan, add_unchanged
from vecsearch.indexing.worklist import Worklist
from vecsearch.store.locate import all_indexes, has_index, index_of, only_index
from vecsearch.store.schema import CATALOG
from vecsearch.store.snapshot import Snapshot
from vecsearch.store.sqlite import damaged_catalog
from vecsearch.types import STANDARD_INPUT, ListName, SourceName, absolute_path, place_of
from vecsearch.types import wanted as fetchable
from vecsearch.wording import counted

_PAGES_BYTES: Final = 192 << 20


@dataclass(frozen=True, slots=True)
class Named:
    """The sources that a build was given; ``null`` tells that nulls end the lines of its lists."""

    roots: tuple[SourceName, ...]
    null: bool = False

    @classmethod
    def of(
        cls, sources: Iterable[str | Path], lists: Iterable[str | Path], *, null: bool = False
    ) -> Named:
        """Make them absolute, each once; raises UsageError for an empty one.

        URLs and lists count as named on this machine from now on.
        """
        sources, lists = list(sources), list(lists)
        if not all(map(os.fspath, named := [*sources, *lists])):
            raise UsageError(
                f"one of the {len(named)} sources is empty",
                hint="name a folder of pictures, a .tar, a URL, or --from-list FILE",
            )
        roots: list[SourceName] = [*map(absolute_path, sources), *map(ListName.of, lists)]
        for root in roots:
            name_source(root)
        return cls(tuple(dict.fromkeys(roots)), null)

    def index(self) -> Path:
        """Return the index that is meant if none is named; raises UsageError.

        Without a source it is the only one that there is; with one, that of its name, or the one
        that has it as a source.
        """
        if not self.roots and all_indexes():
            return only_index()
        root: SourceName = self.roots[0] if self.roots else Path("db")
        if root == STANDARD_INPUT:
            raise UsageError(
                "a list from standard input has no name", hint="name the index with -i INDEX"
            )
        place = place_of(root)
        is_file = isinstance(root, ListName) or is_tar(place)
        folder = index_of(place.with_suffix("") if is_file else place)
        if not has_index(folder):
            # As after the folder was renamed and the index was told: it keeps its own name.
            for index in all_indexes():
                with suppress(IndexFolderError), closing(Snapshot(index)) as snapshot:
                    if root in snapshot.sources():
                        return index
        return folder


def kept_patterns(snapshot: Snapshot) -> tuple[str, ...]:
    """Read the patterns that an index keeps; raises IndexDamagedError for what are none."""
    try:
        texts = read_texts(snapshot.stamp(KEPT))
        given_patterns(texts)
    except (ValueError, UsageError) as error:
        raise damaged_catalog(snapshot.folder / CATALOG, str(error)) from None
    return texts


def open_sources(named: Named, snapshot: Snapshot | None, options: BuildOptions) -> list[Scan]:
    """Prepare to scan what was named, or without anything the sources of the index.

    With one list all lists of the index are looked at, for it is not known which one an image is
    from. Raises SourceError if a source is missing or cannot be reached; one that the index has
    images of may be missing with ``allow_empty``.
    """
    known = snapshot.sources() if snapshot else []
    if snapshot and not (named.roots or known):
        raise SourceError(
            f"{snapshot.folder} has no sources",
            hint="name the folders of its pictures",
            path=snapshot.folder,
        )
    exclude = given_patterns(options.exclude or ())
    again = [one for one in known if one != STANDARD_INPUT]
    wanted = list(named.roots or again)
    if not wanted:
        raise SourceError(
            "the pictures of this index were listed on standard input",
            hint="give the list again: --from-list -",
        )
    if _lists_in(wanted):
        wanted.extend(one for one in _lists_in(again) if one not in wanted)
    owners = _Owners.of(wanted, known)
    scans, lists = [], []
    for root in wanted:
        try:
            if isinstance(root, ListName):
                lists.append(_list_of(root, named, snapshot, fetch=options.fetch))
            else:
                source = source_at(fetchable(root) if options.fetch else root)
                scans.append(source.scan(exclude, owners.scanned))
        except FileNotFoundError:
            if root not in known or snapshot is None:
                raise SourceError(
                    f"no such {'list' if _lists_in([root]) else 'folder'}: {place_of(root)}",
                    hint="give a folder of pictures, a .tar, a URL, or --from-list FILE",
                    path=place_of(root),
                ) from None
            if not options.allow_empty and _has_images(snapshot, root):
                raise _question(snapshot, root, "is gone") from None
            scans.append(Scan(root, _nothing, gone=True))
    if lists:
        # They are one region: what no list has is gone, not what one of them has not.
        for scan in scans:
            if isinstance(scan.root, ListName):
                scan.walk = lambda _: ()
        scans.extend(scan_lists(lists, exclude, owners.scanned))
    return scans


def _lists_in(sources: Iterable[SourceName]) -> list[ListName]:
    return [one for one in sources if isinstance(one, ListName)]


def _list_of(root: ListName, named: Named, snapshot: Snapshot | None, *, fetch: bool) -> ListSource:
    """Prepare a list; one that was not named now is as it was. Raises FileNotFoundError."""
    if root != STANDARD_INPUT:
        if not root.file.exists():
            raise FileNotFoundError(root.file)
        if not root.file.is_file():  # a pipe might never bring anything
            raise SourceError(
                f"the list {root.file} cannot be read: not a regular file",
                hint="give it on standard input: --from-list -",
                path=root.file,
            )
    if root in named.roots or snapshot is None:
        return ListSource(root, Path.cwd(), named.null, fetch=True)
    known = ListSource.of_stamp(root, snapshot.stamp(root))
    return replace(known, fetch=fetch or is_named(root))


def plan_build(
    scans: Sequence[Scan], snapshot: Snapshot | None, work: Worklist, options: BuildOptions
) -> Plan:
    """Scan, and compare with the index; *work* takes what may be much.

    Raises SourceError if a source is unreadable, or without pictures and not meant to be.
    """
    plan = Plan(work)
    known = snapshot.sources() if snapshot else []
    owners = _Owners.of([scan.root for scan in scans], known)
    if snapshot:
        snapshot.keep_pages(_PAGES_BYTES)
    for scan in scans:
        if snapshot and not options.retry_skipped and add_unchanged(plan, scan, snapshot):
            continue
        is_own = owners.owns(scan.root)
        add_scan(plan, scan, snapshot, is_own, retry_skipped=options.retry_skipped)
    for scan in scans:
        root = scan.root
        if scan.count:
            continue
        if snapshot and root in known:
            if options.allow_empty or not _has_images(snapshot, root):
                continue
            if what := _all_excluded(scan):
                raise SourceError(
                    f"{place_of(root)} {what}; nothing was changed",
                    hint=f"to drop {_has_of(snapshot, root)} from the index, say --allow-empty",
                    path=place_of(root),
                )
            raise _question(snapshot, root, "has no pictures any more")
        if what := _all_excluded(scan):
            place = place_of(root)
            raise SourceError(f"{place} {what}", hint="nothing was changed", path=place)
        raise SourceError(
            f"no images in {place_of(root)}",
            hint=f"nothing was changed; {_what_is_there(scan)}",
            path=place_of(root),
        )
    if snapshot:
        add_known(plan, snapshot)
    return plan


@dataclass(frozen=True, slots=True)
class _Owners:
    """Which source an image belongs to: by its path, for that is all that is kept.

    It is that of a folder, tar or URL if the scan of this would find it there, else that of the
    lists. An index with one source asks no further: what lies below it is its own.
    """

    scanned: tuple[bytes, ...]
    all: tuple[bytes, ...]
    lists_scanned: bool
    single: bool

    @classmethod
    def of(cls, wanted: Sequence[SourceName], known: Sequence[SourceName]) -> _Owners:
        every = {*wanted, *known}
        return cls(
            tuple(filter(None, map(region_of, wanted))),
            tuple(filter(None, map(region_of, every))),
            set(_lists_in(known)) <= set(wanted),
            len(every) == 1,
        )

    def owns(self, root: SourceName) -> Callable[[bytes], bool]:
        """Return the test whether a path is *root*'s own."""
        if isinstance(root, ListName):
            return lambda path: self.lists_scanned and not is_found_in(self.all, path)
        if self.single:
            return lambda path: True
        region = (region_of(root),)
        return lambda path: is_found_in(region, path)


def _nothing(scan: Scan) -> list[Region]:
    return [(region_of(scan.root), iter(()))]


def _what_is_there(scan: Scan) -> str:
    """Say what a source without pictures has instead, and what to do about it."""
    root = scan.root
    if isinstance(root, ListName):
        if not scan.unreadable:
            return "give a folder with .jpg, .png or other picture files"
        path, reason = min(scan.unreadable.items())
        names = counted(len(scan.unreadable), "file")
        first = f"{os.fsdecode(path)}: {reason}"
        return f"none of {names} that it names can be read; the first: {first}"
    tars = sorted(root.glob("*.tar")) if root.is_dir() else []
    if tars:
        have = counted(len(tars), "tar")
        return f"it has {have}; name them as sources: vecsearch build {root}/*.tar"
    return "give a folder with .jpg, .png or other picture files"


def _all_excluded(scan: Scan) -> str:
    """Say of a source without pictures that all are left out by patterns; nothing if not so."""
    counts = scan.excluded
    if not counts.total:
        return ""
    given = [repr(text) for text in scan.exclude.texts if text in scan.exclude.used]
    by = [f"--exclude {', '.join(given)}"] if counts.pictures or counts.folders else []
    if counts.ignored_pictures or counts.ignored_folders:
        by.append(f"{os.fsdecode(IGNORE_FILE)}")
    return f"has no pictures but what is excluded by {' and '.join(by)}"


def _has_images(snapshot: Snapshot, root: SourceName) -> bool:
    """Return whether images may be lost with a source; of a list it is not known which are its."""
    return isinstance(root, ListName) or _count(snapshot, root) > 0


def _count(snapshot: Snapshot, root: SourceName) -> int:
    start = region_of(root)
    return snapshot.count_between(start, after(start))


def _has_of(snapshot: Snapshot, root: SourceName) -> str:
    """Say how many images of a source an index has."""
    if isinstance(root, ListName):
        images = counted(snapshot.generation.image_count, "image")
        return f"{images}, some of them listed there"
    return f"{counted(_count(snapshot, root), 'image')} of it"


def _question(snapshot: Snapshot, root: SourceName, what: str) -> SourceError:
    place = place_of(root)
    return SourceError(
        f"{place} {what}, and the index has {_has_of(snapshot, root)}; nothing was changed",
        hint="is a disk not mounted? If it has another name now, say vecsearch relocate "
        f"{place} NEW -i {snapshot.folder}; to drop them, say --allow-empty",
        path=place,
    )
