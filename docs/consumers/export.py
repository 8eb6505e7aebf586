"""Copy all drops to Parquet, exactly, and follow what came and what was erased since: `python export.py --help`.

Needs DuckDB, and boto3 for a bucket. Run it as often as the copy may lag, and one at a time. The copy is

    <target>/<table>/shard=<letter>/rows.parquet    for every view of views.sql and unread.sql

with amounts as DECIMAL(38, 10). A shard holds the connections whose id goes on with that letter after `con_`: 32
shards, of which a run rewrites those in which something changed. A connection that is no longer in the bucket is no
longer in the copy when the run ends; drops that were fetched lie on this machine only while their shard is written.
"""

import argparse
import re
import sys
import tempfile
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import duckdb

HERE = Path(__file__).parent
TABLES = ("accounts", "holders", "balances", "transactions", "closing_balances", "unread", "connections")
"""`connections` last: it says what a shard holds, so a run that is cut off is made good by the next."""

_KEY = re.compile(r"accounts/v1/(con_([a-z2-7])[a-z2-7]{25})/([0-9]{6})[.]json[.]gz")


class NothingThere(Exception):
    """The source holds no drop at all: sooner a mistake than a reason to erase the copy."""


class Source(Protocol):
    """Where the drops lie."""

    def keys(self) -> Iterable[str]: ...
    def fetch(self, key: str, into: Path) -> None:
        """Put the drop at `into`/`key`."""


@dataclass(frozen=True)
class Folder:
    """A folder in place of the bucket."""

    root: Path

    def keys(self) -> Iterator[str]:
        return (str(path.relative_to(self.root)) for path in self.root.glob("accounts/v1/*/*.json.gz"))

    def fetch(self, key: str, into: Path) -> None:
        (into / key).parent.mkdir(parents=True, exist_ok=True)
        (into / key).symlink_to((self.root / key).resolve())


@dataclass(frozen=True)
class Bucket:
    """The stack's output DropBucket. Lists `accounts/`, which DropReaderPolicyArn alone does not allow."""

    s3: Any
    name: str

    def keys(self) -> Iterator[str]:
        pages = self.s3.get_paginator("list_objects_v2").paginate(Bucket=self.name, Prefix="accounts/v1/")
        return (each["Key"] for page in pages for each in page.get("Contents", []))

    def fetch(self, key: str, into: Path) -> None:
        """A drop that was erased meanwhile is not there: the next run's listing says so too."""
        (into / key).parent.mkdir(parents=True, exist_ok=True)
        try:
            self.s3.download_file(self.name, key, str(into / key))
        except self.s3.exceptions.ClientError as error:
            if error.response["Error"]["Code"] not in {"404", "NoSuchKey"}:
                raise


def export(source: Source, target: Path, threads: int = 16) -> Counter[str]:
    """Bring the copy to what the source holds now, and count what was taken, erased and kept. Raises NothingThere."""
    latest = _latest(source.keys())
    if not latest:
        raise NothingThere("no drop is there")
    counts: Counter[str] = Counter()
    for shard in sorted({*latest, *_shards(target)}):
        there = latest.get(shard, {})
        held = _held(target, shard)
        news = {id_: key for id_, (generation, key) in there.items() if held.get(id_) != generation}
        erased = held.keys() - there.keys()
        counts += Counter(taken=len(news), erased=len(erased), kept=len(held.keys() & there.keys() - news.keys()))
        if news or erased:
            _rewrite(source, target, shard, news.values(), {*news, *erased}, threads)
    return counts


def _latest(keys: Iterable[str]) -> dict[str, dict[str, tuple[int, str]]]:
    """By shard and connection: the latest generation, and its key."""
    found: dict[str, dict[str, tuple[int, str]]] = defaultdict(dict)
    for key in keys:
        if match := _KEY.fullmatch(key):
            connection_id, shard, generation = match[1], match[2], int(match[3])
            found[shard][connection_id] = max(found[shard].get(connection_id, (0, "")), (generation, key))
    return found


def _shards(target: Path) -> set[str]:
    return {path.name.removeprefix("shard=") for path in target.glob("connections/shard=*")}


def _rows(target: Path, table: str, shard: str) -> Path:
    return target / table / f"shard={shard}" / "rows.parquet"


def _held(target: Path, shard: str) -> dict[str, int]:
    """The generation of each connection in the copy."""
    rows = _rows(target, "connections", shard)
    if not rows.exists():
        return {}
    with duckdb.connect() as engine:
        return dict(engine.read_parquet(str(rows)).project("connection_id, generation").fetchall())


def _rewrite(source: Source, target: Path, shard: str, keys: Iterable[str], leaving: set[str], threads: int) -> None:
    """Write the shard anew: what it held, less the connections that are leaving, and what lies at `keys`."""
    with tempfile.TemporaryDirectory() as folder, duckdb.connect() as engine:
        into = Path(folder)
        with ThreadPoolExecutor(threads) as pool:
            list(pool.map(lambda key: source.fetch(key, into), keys))
        has_news = any(into.glob("accounts/v1/*/*.json.gz"))
        if has_news:
            engine.execute(f"SET VARIABLE drops = '{into}/accounts/v1/*/*.json.gz'")
            for script in ("duckdb.sql", "views.sql", "unread.sql"):
                engine.execute((HERE / script).read_text())
        engine.execute("CREATE TABLE leaving AS SELECT unnest(?::varchar[]) AS connection_id", [sorted(leaving)])
        for table in TABLES:
            rows = _rows(target, table, shard)
            parts = [_NEW.format(table=table)] if has_news else []
            parts += [_STAYING.format(rows=rows)] if rows.exists() else []
            rows.parent.mkdir(parents=True, exist_ok=True)
            unfinished = rows.with_suffix(".unfinished")
            engine.execute(f"COPY ({' UNION ALL '.join(parts)}) TO '{unfinished}' (FORMAT parquet, COMPRESSION zstd)")
            unfinished.replace(rows)


_NEW = "SELECT * FROM {table}"
_STAYING = "SELECT * FROM read_parquet('{rows}', hive_partitioning = false) ANTI JOIN leaving USING (connection_id)"


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n\n")[0])
    parser.add_argument("source", help="s3://<DropBucket>, or a folder with accounts/v1/ in it")
    parser.add_argument("target", type=Path, help="a folder; sync it to where it is queried, deletions included")
    asked = parser.parse_args()
    try:
        counts = export(_source(asked.source), asked.target)
    except NothingThere as nothing:
        print(f"{nothing}: the copy stays as it is", file=sys.stderr)
        return 1
    print(f"{counts['taken']} taken, {counts['erased']} erased, {counts['kept']} as they were")
    return 0


def _source(named: str) -> Source:
    if not named.startswith("s3://"):
        return Folder(Path(named))
    import boto3  # noqa: PLC0415 - a folder needs none

    return Bucket(boto3.client("s3"), named.removeprefix("s3://").strip("/"))


if __name__ == "__main__":
    sys.exit(main())
