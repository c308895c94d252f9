"""Find similar images in your own collection, by transfer learning.

Names are imported when they are first used, so that ``import vecsearch`` costs nothing.
"""

from __future__ import annotations

TYPE_CHECKING = False  # as typing has it, which takes 8 ms to import
if TYPE_CHECKING:
    from typing import Final

    from vecsearch.cluster.change_shards import add_shards, create_collection, drop_shards
    from vecsearch.cluster.collection_index import Collection
    from vecsearch.cluster.list_shards import CollectionReport, ShardInfo, list_shards
    from vecsearch.cluster.move_shard import move_shard
    from vecsearch.cluster.open_index import open_index
    from vecsearch.deduplication.find import duplicates
    from vecsearch.deduplication.move_aside import move_aside
    from vecsearch.deduplication.move_back import move_back
    from vecsearch.deduplication.move_reports import AsideReport, BackReport, Left, MovedFile
    from vecsearch.deduplication.not_copies import NotCopiesReport, not_copies
    from vecsearch.deduplication.report import DuplicateCopy, DuplicateGroup, DuplicatesReport
    from vecsearch.embed.encoder import EncoderConfig
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
        UsageError,
        VecsearchError,
        WeightsError,
    )
    from vecsearch.evaluation.classes import ClassQuality, LabelShare
    from vecsearch.evaluation.evaluate import EvaluateReport, evaluate
    from vecsearch.evaluation.quality import evaluate_labels
    from vecsearch.evaluation.quality_report import FiguresAtK, MeanFigure, QualityReport
    from vecsearch.indexing.build import BuildReport, build
    from vecsearch.indexing.build_options import BuildOptions
    from vecsearch.indexing.renamed import RelocateReport
    from vecsearch.layout.collection import CollectionMap, MapOptions, map_collection
    from vecsearch.maintenance.compact import CompactReport, compact
    from vecsearch.maintenance.reindex import TunedBase, TuneReport, reindex, tune
    from vecsearch.maintenance.relocate import relocate
    from vecsearch.maintenance.remove import RemoveReport, remove
    from vecsearch.maintenance.repair import RepairReport, repair
    from vecsearch.maintenance.verify import VerifyReport, verify
    from vecsearch.planning.budget import PlannedBases, PlanOptions
    from vecsearch.planning.plan import PlanReport, plan
    from vecsearch.search.copy_hits import CopyReport, LeftHit, PlacedHit
    from vecsearch.search.index import Index
    from vecsearch.search.info import IndexInfo, PictureInfo
    from vecsearch.search.list import ListOptions
    from vecsearch.search.query_options import ImageFilter, QueryOptions
    from vecsearch.server.client import RemoteIndex, connect
    from vecsearch.server.limits import Limits
    from vecsearch.server.serve import serve
    from vecsearch.server.serve_options import EditOptions, ServeOptions
    from vecsearch.transfer.export import ExportReport, export_vectors
    from vecsearch.transfer.import_ import ImportReport, import_vectors
    from vecsearch.transfer.inputs import ImportOptions
    from vecsearch.transfer.merge import MergeReport, merge
    from vecsearch.types import (
        Guess,
        Hit,
        Image,
        JudgedQuery,
        ListedImage,
        QueryImage,
        Result,
        Skipped,
        Word,
        WordCount,
    )
    from vecsearch.view.map import draw_map
    from vecsearch.view.opener import open_hits

__all__ = [
    "AsideReport",
    "BackReport",
    "BuildOptions",
    "BuildReport",
    "ClassQuality",
    "Collection",
    "CollectionMap",
    "CollectionReport",
    "CompactReport",
    "CopyReport",
    "DuplicateCopy",
    "DuplicateGroup",
    "DuplicatesReport",
    "EditOptions",
    "EncoderConfig",
    "EncoderMismatchError",
    "EvaluateReport",
    "ExportReport",
    "FiguresAtK",
    "Guess",
    "Hit",
    "Image",
    "ImageError",
    "ImageFilter",
    "ImportOptions",
    "ImportReport",
    "Index",
    "IndexDamagedError",
    "IndexFolderError",
    "IndexFormatError",
    "IndexInfo",
    "IndexLockedError",
    "IndexOutdatedError",
    "JudgedQuery",
    "LabelShare",
    "Left",
    "LeftHit",
    "Limits",
    "ListOptions",
    "ListedImage",
    "MapOptions",
    "MeanFigure",
    "MergeReport",
    "MovedFile",
    "NotCopiesReport",
    "NotFetchedError",
    "NotFoundError",
    "PictureInfo",
    "PlacedHit",
    "PlanOptions",
    "PlanReport",
    "PlannedBases",
    "QualityReport",
    "QueryImage",
    "QueryOptions",
    "RelocateReport",
    "RemoteIndex",
    "RemoveReport",
    "RepairReport",
    "Result",
    "ServeOptions",
    "ShardInfo",
    "Skipped",
    "SourceError",
    "TuneReport",
    "TunedBase",
    "UsageError",
    "VecsearchError",
    "VerifyReport",
    "WeightsError",
    "Word",
    "WordCount",
    "add_shards",
    "build",
    "compact",
    "connect",
    "create_collection",
    "draw_map",
    "drop_shards",
    "duplicates",
    "evaluate",
    "evaluate_labels",
    "export_vectors",
    "import_vectors",
    "list_shards",
    "map_collection",
    "merge",
    "move_aside",
    "move_back",
    "move_shard",
    "not_copies",
    "open_hits",
    "open_index",
    "plan",
    "reindex",
    "relocate",
    "remove",
    "repair",
    "serve",
    "tune",
    "verify",
]

_HOMES: Final = {
    "AsideReport": "deduplication.move_reports",
    "QueryImage": "types",
    "BackReport": "deduplication.move_reports",
    "BuildOptions": "indexing.build_options",
    "BuildReport": "indexing.build",
    "ClassQuality": "evaluation.classes",
    "CollectionMap": "layout.collection",
    "CompactReport": "maintenance.compact",
    "CopyReport": "search.copy_hits",
    "DuplicateCopy": "deduplication.report",
    "DuplicateGroup": "deduplication.report",
    "DuplicatesReport": "deduplication.report",
    "EditOptions": "server.serve_options",
    "EncoderConfig": "embed.encoder",
    "EvaluateReport": "evaluation.evaluate",
    "ExportReport": "transfer.export",
    "FiguresAtK": "evaluation.quality_report",
    "Guess": "types",
    "Hit": "types",
    "Image": "types",
    "ImageFilter": "search.query_options",
    "ImportOptions": "transfer.inputs",
    "ImportReport": "transfer.import_",
    "Index": "search.index",
    "IndexInfo": "search.info",
    "JudgedQuery": "types",
    "LabelShare": "evaluation.classes",
    "Left": "deduplication.move_reports",
    "LeftHit": "search.copy_hits",
    "Limits": "server.limits",
    "ListOptions": "search.list",
    "ListedImage": "types",
    "MapOptions": "layout.collection",
    "MeanFigure": "evaluation.quality_report",
    "MergeReport": "transfer.merge",
    "MovedFile": "deduplication.move_reports",
    "NotCopiesReport": "deduplication.not_copies",
    "PictureInfo": "search.info",
    "PlacedHit": "search.copy_hits",
    "PlanOptions": "planning.budget",
    "PlanReport": "planning.plan",
    "PlannedBases": "planning.budget",
    "QualityReport": "evaluation.quality_report",
    "QueryOptions": "search.query_options",
    "RelocateReport": "indexing.renamed",
    "RemoteIndex": "server.client",
    "RemoveReport": "maintenance.remove",
    "RepairReport": "maintenance.repair",
    "Result": "types",
    "ServeOptions": "server.serve_options",
    "Skipped": "types",
    "TuneReport": "maintenance.reindex",
    "TunedBase": "maintenance.reindex",
    "VerifyReport": "maintenance.verify",
    "Word": "types",
    "WordCount": "types",
    "build": "indexing.build",
    "compact": "maintenance.compact",
    "connect": "server.client",
    "draw_map": "view.map",
    "duplicates": "deduplication.find",
    "evaluate": "evaluation.evaluate",
    "evaluate_labels": "evaluation.quality",
    "export_vectors": "transfer.export",
    "import_vectors": "transfer.import_",
    "map_collection": "layout.collection",
    "merge": "transfer.merge",
    "move_aside": "deduplication.move_aside",
    "move_back": "deduplication.move_back",
    "not_copies": "deduplication.not_copies",
    "open_hits": "view.opener",
    "open_index": "cluster.open_index",
    "Collection": "cluster.collection_index",
    "CollectionReport": "cluster.list_shards",
    "ShardInfo": "cluster.list_shards",
    "create_collection": "cluster.change_shards",
    "add_shards": "cluster.change_shards",
    "drop_shards": "cluster.change_shards",
    "move_shard": "cluster.move_shard",
    "list_shards": "cluster.list_shards",
    "plan": "planning.plan",
    "reindex": "maintenance.reindex",
    "relocate": "maintenance.relocate",
    "remove": "maintenance.remove",
    "repair": "maintenance.repair",
    "serve": "server.serve",
    "tune": "maintenance.reindex",
    "verify": "maintenance.verify",
}


def __dir__() -> list[str]:
    """List the public names, imported or not."""
    return [*__all__, "__version__"]


def __getattr__(name: str) -> object:
    """Import a public name from the module that defines it."""
    if name == "__version__":
        from importlib.metadata import version

        return version("vecsearch")
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    home = _HOMES.get(name, "errors")
    return getattr(import_module(f"{__name__}.{home}"), name)
