"""What goes over HTTP, as types: they decode requests, encode answers, and describe the API."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, Struct

from vecsearch.embed.spec import EncoderSpec
from vecsearch.search.query_options import MOST_EXPANDED, MOST_RERANKED
from vecsearch.server.request_limits import MOST_HITS, MOST_ID, MOST_PATHS, MOST_QUERIES
from vecsearch.types import Agreement, Reduction

Id = Annotated[int, Meta(ge=0, le=MOST_ID)]
Text = Annotated[str, Meta(min_length=1, max_length=4096)]
Texts = Annotated[tuple[Text, ...], Meta(max_length=64)]
Name = Annotated[str, Meta(max_length=65536)]
Box = tuple[int, int, int, int]


class Request(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What all that comes in is: an unknown field is an error rather than a wish not heard."""


class Answer(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What all that goes out is: a field that has its default is left out."""


class FilterParameters(Request, frozen=True, kw_only=True):
    """Which images are meant: those that match all of these.

    `under`: below any of these folders, tars or URLs. `glob`: like any of these patterns, without a
    slash by the file's name, else by its path. `since`, `until`: taken on these dates or between.
    """

    under: Texts = ()
    glob: Texts = ()
    since: Text | None = None
    until: Text | None = None


class QueryParameters(FilterParameters, frozen=True, kw_only=True):
    """The options of a query; `vecsearch query --help` has them all.

    `k`: how many hits. `threshold`: leave out hits with a lower score (cosine). `offset`: skip the
    nearest. `include_self`: an image may be its own hit. `expand`: lead the query towards its
    nearest first. `rerank`: order the first hits by the neighbours that they share with the query.
    `combine`: all pictures are one query. `box`: x,y,width,height of the part that is meant, in
    pixels of the picture as it is looked at.
    """

    k: Annotated[int, Meta(ge=1, le=MOST_HITS)] = 10
    threshold: Annotated[float, Meta(ge=-1, le=1)] = -1.0
    offset: Annotated[int, Meta(ge=0, le=1_000_000_000)] = 0
    include_self: bool = False
    expand: Annotated[int, Meta(ge=0, le=MOST_EXPANDED)] = 0
    rerank: Annotated[int, Meta(ge=0, le=MOST_RERANKED)] = 0
    combine: Literal["mean", "max"] | None = None
    box: Box | None = None


class Asked(Request, frozen=True, kw_only=True):
    """A query: exactly one of these.

    `id`: an image of the index. `picture`: one that was sent before, by the name that it was given
    then. `word`: a word of the index. `path`: an image of the index by its path, by `id:N`, or by
    its id in the import; with `size_bytes` and `mtime_ns` only if its file was the same when it was
    indexed. `name`: what it is called in the answer. `box`: the part that is meant.
    """

    id: Id | None = None
    picture: Annotated[str, Meta(pattern="^[0-9a-f]{32}$")] | None = None
    word: Text | None = None
    path: Text | None = None
    size_bytes: int | None = None
    mtime_ns: int | None = None
    name: Name | None = None
    box: Box | None = None


class LookRequest(Request, frozen=True, kw_only=True):
    """The pictures to tell of."""

    queries: Annotated[tuple[Asked, ...], Meta(min_length=1, max_length=MOST_QUERIES)]


class FindRequest(Request, frozen=True, kw_only=True):
    """The paths of images, letter by letter; with `words` each is answered with its likeliest."""

    paths: Annotated[tuple[Text, ...], Meta(max_length=MOST_PATHS)]
    words: bool = False


class SendParameters(Request, frozen=True, kw_only=True):
    """Without `look` a picture is kept as it came: what is wrong is told when it is asked with."""

    look: bool = True


class QueryRequest(QueryParameters, frozen=True, kw_only=True):
    """Queries, each with its own hits unless `combine` is given, and what hits are not like."""

    queries: Annotated[tuple[Asked, ...], Meta(min_length=1, max_length=MOST_QUERIES)]
    minus: Annotated[tuple[Asked, ...], Meta(max_length=MOST_QUERIES)] = ()


class VectorRequest(QueryParameters, frozen=True, kw_only=True):
    """Vectors, each of as many numbers as the index has dimensions, of any length but 0."""

    vectors: Annotated[tuple[tuple[float, ...], ...], Meta(min_length=1, max_length=MOST_QUERIES)]


class SortParameters(FilterParameters, frozen=True, kw_only=True):
    """Which images to list, and in which order; with `words` each has its likeliest words.

    Without `dates` none are read from files.
    """

    sort: Literal["id", "path", "taken", "size"] = "id"
    reverse: bool = False
    words: bool = False
    dates: bool = True


class LineParameters(SortParameters, frozen=True, kw_only=True):
    """All of these images, or the first `limit`."""

    limit: Annotated[int, Meta(ge=1, le=MOST_ID)] | None = None


class ListParameters(SortParameters, frozen=True, kw_only=True):
    """From where on: `after` is the `next` of the part before."""

    after: Annotated[int, Meta(ge=0, le=1_000_000_000)] = 0
    limit: Annotated[int, Meta(ge=1, le=1000)] = 100


class WordParameters(Request, frozen=True, kw_only=True):
    """Words that begin with `prefix`; with `count`, of how many images each is the first guess."""

    prefix: Annotated[str, Meta(max_length=200)] = ""
    count: bool = False


class Hit(Answer, frozen=True, kw_only=True):
    """A hit. `version` names the content of its file: it is part of the addresses of pictures."""

    rank: int
    id: int
    path: str
    score: float
    distance: float
    version: str
    order: float | None = None
    has_file: bool = True
    gone: bool = False


class AskedPicture(Answer, frozen=True, kw_only=True):
    """One of the pictures and words that a query was made of."""

    query: str
    path: str | None = None
    box: Box | None = None
    minus: bool = False
    word: str = ""


class Result(Answer, frozen=True, kw_only=True):
    """A query and its hits, best first. `error` says why there is no answer to this one."""

    query: str
    hits: tuple[Hit, ...]
    path: str | None = None
    asked: tuple[AskedPicture, ...] = ()
    expand: int = 0
    rerank: int = 0
    error: str = ""


class Results(Answer, frozen=True, kw_only=True):
    """Results in the order of the queries; `encoder` made the vectors."""

    encoder: str
    results: tuple[Result, ...]


class Guess(Answer, frozen=True, kw_only=True):
    """A word, and its share among all words."""

    word: str
    share: float | None


class ListedImage(Answer, frozen=True, kw_only=True):
    """An image of an index. `version` names the content of its file."""

    id: int
    path: str
    width: int
    height: int
    size_bytes: int
    mtime_ns: int
    version: str
    taken: str = ""
    has_file: bool = True
    gone: bool = False
    words: tuple[Guess, ...] = ()


class FoundImages(Answer, frozen=True, kw_only=True):
    """The images that were found."""

    images: tuple[ListedImage, ...]


class KnownPicture(Answer, frozen=True, kw_only=True):
    """What an index knows of a picture; one that it does not have has no `id`."""

    query: str
    id: int | None = None
    path: str | None = None
    width: int | None = None
    height: int | None = None
    size_bytes: int | None = None
    taken: str | None = None
    words: tuple[Guess, ...] = ()


class KnownPictures(Answer, frozen=True, kw_only=True):
    """Pictures in the order in which they were asked."""

    pictures: tuple[KnownPicture, ...]


class Listing(Answer, frozen=True, kw_only=True):
    """Some images; `next` is `after` for those that follow, none at the end."""

    images: tuple[ListedImage, ...]
    next: int | None = None


class Word(Answer, frozen=True, kw_only=True):
    """A word of the index, and of how many images it is the first guess if that was asked."""

    word: str
    images: int | None


class Words(Answer, frozen=True, kw_only=True):
    """The words of an index."""

    words: tuple[Word, ...]


class Picture(Answer, frozen=True, kw_only=True):
    """A picture that was sent: ask with its name while the server keeps it."""

    picture: str
    width: int
    height: int


class IndexFacts(Answer, frozen=True, kw_only=True):
    """An index that is served; `can_embed` says whether it takes pictures that it does not have.

    The vectors of an `imported` one are of another program: there is no network.
    """

    name: str
    images: int
    dim: int
    encoder: str
    can_embed: bool
    imported: bool
    has_words: bool
    has_edits: bool


class Indexes(Answer, frozen=True, kw_only=True):
    """The indexes that are served."""

    version: str
    indexes: tuple[IndexFacts, ...]


class Skipped(Answer, frozen=True, kw_only=True):
    """A file that could not be used, and why."""

    path: str
    reason: str


class IndexDescription(IndexFacts, frozen=True, kw_only=True):
    """An index in figures."""

    generation: int
    recipe: str
    size_bytes: int
    fingerprint: str
    sources: tuple[str, ...]
    skipped: tuple[Skipped, ...]
    words: int


class AddParameters(Request, frozen=True, kw_only=True):
    """The `name` of the file that a picture becomes."""

    name: Annotated[str, Meta(min_length=1, max_length=255)]


class UpdateRequest(Request, frozen=True, kw_only=True):
    """How to bring an index up to date with its sources, as `vecsearch build` does.

    With `allow_empty`, sources that are gone or empty are meant to be. With `retry_skipped`, what
    was skipped is tried again, removed images among it.
    """

    allow_empty: bool = False
    retry_skipped: bool = False


class Added(Answer, frozen=True, kw_only=True):
    """A picture that was added: its file and id, or why the index does not have it."""

    path: str
    id: int | None
    reason: str = ""


class Removed(Answer, frozen=True, kw_only=True):
    """The id that was removed, and how many images the index has now."""

    id: int
    images: int


class Updated(Answer, frozen=True, kw_only=True):
    """What an update did, in numbers of images, and how many the index has now."""

    images: int
    counts: dict[str, int]
    seconds: float


class SkippedFile(Skipped, frozen=True, kw_only=True):
    """A file that could not be used, as it was then."""

    size_bytes: int
    mtime_ns: int


class LeftOut(Answer, frozen=True, kw_only=True):
    """What patterns and ignore files left out."""

    pictures: int
    folders: int
    ignored_pictures: int
    ignored_folders: int
    ignore_files: int
    ignore_paths: tuple[str, ...]


class IndexRecord(Answer, frozen=True, kw_only=True):
    """All that `vecsearch info` tells of an index."""

    path: str
    images: int
    generation: int
    recipe: str
    size_bytes: int
    encoder: EncoderSpec
    reduction: Reduction | None = None
    agreement: Agreement | None = None
    sources: tuple[str, ...]
    skipped: tuple[SkippedFile, ...]
    left_out: dict[str, int]
    exclude: tuple[str, ...]
    excluded: LeftOut
    words: int
    why_no_words: str


class Problem(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What went wrong, as RFC 9457 has it; `code` stays the same in all releases."""

    type: str
    title: str
    status: int
    detail: str
    code: str
    hint: str = ""
