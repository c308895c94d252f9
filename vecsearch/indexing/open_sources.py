"""The sources of a build, ready to be scanned."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from vecsearch.errors import SourceError, UsageError
from vecsearch.images.sources.allowed_urls import is_named
from vecsearch.images.sources.exclude import given_patterns
from vecsearch.images.sources.kinds import source_at
from vecsearch.images.sources.list_file import ListSource, scan_lists
from vecsearch.images.sources.notes import KEPT, read_texts
from vecsearch.images.sources.scan import Region, Scan, region_of
from vecsearch.indexing.build_options import BuildOptions
from vecsearch.indexing.lost_sources import has_images, lost_source
from vecsearch.indexing.named_sources import Named
from vecsearch.indexing.owners import Owners, lists_in
from vecsearch.store.schema import CATALOG
from vecsearch.store.snapshot import Snapshot
from vecsearch.store.sqlite import damaged_catalog
from vecsearch.types import STANDARD_INPUT, ListName, place_of
from vecsearch.types import wanted as fetchable


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
    if lists_in(wanted):
        wanted.extend(one for one in lists_in(again) if one not in wanted)
    owners = Owners.of(wanted, known)
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
                    f"no such {'list' if lists_in([root]) else 'folder'}: {place_of(root)}",
                    hint="give a folder of pictures, a .tar, a URL, or --from-list FILE",
                    path=place_of(root),
                ) from None
            if not options.allow_empty and has_images(snapshot, root):
                raise lost_source(snapshot, root, "is gone") from None
            scans.append(Scan(root, _nothing, gone=True))
    if lists:
        # They are one region: what no list has is gone, not what one of them has not.
        for scan in scans:
            if isinstance(scan.root, ListName):
                scan.walk = lambda _: ()
        scans.extend(scan_lists(lists, exclude, owners.scanned))
    return scans


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


def _nothing(scan: Scan) -> list[Region]:
    return [(region_of(scan.root), iter(()))]
