"""docs/consumers/export.py: the copy in Parquet says what the views say, and forgets whom the bucket forgot."""

import resource
import shutil
import sys
import time
from collections import Counter
from decimal import Decimal
from pathlib import Path
from typing import Any

import boto3
import duckdb
import pytest
from moto import mock_aws

from docs.consumers import export
from docs.consumers.export import Bucket, Folder, NothingThere
from tests import kit, lake
from tests.engines import ENGINES, rows

MANY = 10_000


def copied(target: Path, table: str) -> list[tuple[Any, ...]]:
    with duckdb.connect() as engine:
        found = engine.read_parquet(f"{target}/{table}/shard=*/rows.parquet", hive_partitioning=False)
        return found.order("ALL").fetchall()


@pytest.fixture(scope="module")
def drops() -> dict[tuple[str, int], lake.Dropped]:
    return kit.drops()


@pytest.fixture
def bucket(drops: dict[tuple[str, int], lake.Dropped], tmp_path: Path) -> Path:
    """A folder with two connections of the kit; one has two generations."""
    for household, generation in (("joint", 1), ("joint", 2), ("on_credit", 1)):
        lake.put(tmp_path / "bucket", drops[household, generation])
    return tmp_path / "bucket"


@pytest.fixture
def target(tmp_path: Path) -> Path:
    return tmp_path / "copy"


def test_the_copy_says_what_the_views_say(bucket: Path, target: Path) -> None:
    counts = export.export(Folder(bucket), target)

    assert counts == Counter(taken=2)
    with ENGINES["duckdb"](bucket) as views:
        for table in export.TABLES:
            assert copied(target, table) == rows(views, table)
        assert len(copied(target, "transactions")) > 200


def test_amounts_are_exact_in_the_copy(bucket: Path, target: Path) -> None:
    export.export(Folder(bucket), target)

    with duckdb.connect() as engine:
        found = engine.read_parquet(f"{target}/transactions/shard=*/rows.parquet")
        kinds = dict(zip(found.columns, map(str, found.types), strict=True))

    assert {kinds[name] for name in ("debit", "credit", "balance")} == {"DECIMAL(38,10)"}


def test_whoever_was_erased_in_the_bucket_is_in_no_file_of_the_copy(bucket: Path, target: Path) -> None:
    export.export(Folder(bucket), target)
    gone = min((bucket / "accounts/v1").iterdir())
    shutil.rmtree(gone)

    counts = export.export(Folder(bucket), target)

    assert counts == Counter(erased=1, kept=1)
    for table in export.TABLES:
        assert gone.name not in {row[0] for row in copied(target, table)}
    for file in target.rglob("*"):
        assert file.is_dir() or file.name == "rows.parquet"
    assert len(copied(target, "connections")) == 1


def test_a_newer_generation_takes_the_place_of_the_older_one(bucket: Path, target: Path) -> None:
    (newer,) = bucket.glob("accounts/v1/*/000002.json.gz")
    shutil.move(newer, bucket / "later")
    export.export(Folder(bucket), target)
    shutil.move(bucket / "later", newer)

    counts = export.export(Folder(bucket), target)

    assert counts == Counter(taken=1, kept=1)
    with ENGINES["duckdb"](bucket) as views:
        for table in export.TABLES:
            assert copied(target, table) == rows(views, table)


def test_when_nothing_changed_nothing_is_written(bucket: Path, target: Path) -> None:
    export.export(Folder(bucket), target)
    before = {path: path.stat().st_mtime_ns for path in target.rglob("*.parquet")}

    counts = export.export(Folder(bucket), target)

    assert counts == Counter(kept=2)
    assert {path: path.stat().st_mtime_ns for path in target.rglob("*.parquet")} == before


@pytest.mark.parametrize("table", ["transactions", "connections"])
def test_a_run_that_was_cut_off_is_made_good_by_the_next(
    bucket: Path, target: Path, table: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    finish = Path.replace

    def cut_off(unfinished: Path, finished: Path) -> Path:
        if table in finished.parts:
            raise KeyboardInterrupt
        return finish(unfinished, finished)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", cut_off)
        with pytest.raises(KeyboardInterrupt):
            export.export(Folder(bucket), target)
    export.export(Folder(bucket), target)

    with ENGINES["duckdb"](bucket) as views:
        for each in export.TABLES:
            assert copied(target, each) == rows(views, each)


def test_an_empty_bucket_erases_no_copy(bucket: Path, target: Path, tmp_path: Path) -> None:
    export.export(Folder(bucket), target)

    with pytest.raises(NothingThere):
        export.export(Folder(tmp_path / "another"), target)

    assert len(copied(target, "connections")) == 2


@mock_aws
def test_it_reads_a_bucket_as_well(bucket: Path, target: Path, tmp_path: Path) -> None:
    s3 = boto3.client("s3", region_name="ca-central-1")
    s3.create_bucket(Bucket="drops", CreateBucketConfiguration={"LocationConstraint": "ca-central-1"})
    for key in Folder(bucket).keys():  # noqa: SIM118 - no mapping
        s3.upload_file(str(bucket / key), "drops", key)

    counts = export.export(Bucket(s3, "drops"), target)
    export.export(Folder(bucket), tmp_path / "another")

    assert counts == Counter(taken=2)
    for table in export.TABLES:
        assert copied(target, table) == copied(tmp_path / "another", table)


def test_a_person_at_a_terminal_is_told(
    bucket: Path, target: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["export.py", str(bucket), str(target)])

    assert export.main() == 0

    assert capsys.readouterr().out == "2 taken, 0 erased, 0 as they were\n"


# --- many


def peak() -> int:
    """MiB that this process ever held."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024


@pytest.mark.long
@pytest.mark.timeout(3600)
def test_ten_thousand_drops_are_copied_exactly_and_erased_exactly(tmp_path: Path) -> None:
    bucket, target = tmp_path / "bucket", tmp_path / "copy"
    debits: dict[str, Decimal] = {}
    owners: dict[str, str] = {}
    for drop in lake.crowd(lake.bank(), MANY):
        lake.put(bucket, drop)
        debits[drop.connection_id] = sum_of(drop, "Debit")
        owners[drop.connection_id] = drop.owner
    gone = set(list(debits)[::100])
    before, started = peak(), time.monotonic()

    first = export.export(Folder(bucket), target)
    took, grown = time.monotonic() - started, peak() - before
    for connection_id in gone:
        shutil.rmtree(bucket / "accounts/v1" / connection_id)
    second = export.export(Folder(bucket), target)

    print(f"\n{took * 1000 / MANY:.1f} s and {grown * 1000 / MANY:.1f} MiB more for each 1,000 drops")
    assert first == Counter(taken=MANY)
    assert second == Counter(erased=len(gone), kept=MANY - len(gone))
    sums = summed(target, "transactions", "sum(debit)")
    found = summed(target, "connections", "any_value(owner)")
    assert sums == {id_: amount for id_, amount in debits.items() if id_ not in gone}
    assert found == {id_: owner for id_, owner in owners.items() if id_ not in gone}


def summed(target: Path, table: str, what: str) -> dict[str, Any]:
    with duckdb.connect() as engine:
        copy = engine.read_parquet(f"{target}/{table}/shard=*/rows.parquet")
        return dict(copy.aggregate(f"connection_id, {what}").fetchall())


def sum_of(drop: lake.Dropped, member: str) -> Decimal:
    entries = (entry for account in drop.books["Accounts"] for entry in account["Transactions"])
    return sum((Decimal(str(entry[member] or 0)) for entry in entries), Decimal(0))


@pytest.mark.long
@pytest.mark.timeout(1800)
def test_sums_order_and_owners_of_two_thousand_drops_are_the_simulators(tmp_path: Path) -> None:
    books = {}
    for drop in lake.crowd(lake.bank(), 2_000):
        lake.put(tmp_path, drop)
        books[drop.connection_id] = drop
    before, started = peak(), time.monotonic()

    with ENGINES["duckdb"](tmp_path) as views:
        sums = views.execute(
            "SELECT connection_id, sum(debit), sum(credit), count(*) FROM transactions GROUP BY connection_id"
        ).fetchall()
        took, grown = time.monotonic() - started, peak() - before
        order = views.execute(
            "SELECT connection_id, transaction_id FROM transactions ORDER BY connection_id, account_position, position"
        ).fetchall()
        owners = dict(views.execute("SELECT connection_id, owner FROM connections").fetchall())

    print(f"\n{took / 2:.1f} s for each 1,000 drops, {grown} MiB more for 2,000")
    assert {row[0]: row[1:3] for row in sums} == {
        id_: (sum_of(drop, "Debit"), sum_of(drop, "Credit")) for id_, drop in books.items()
    }
    assert order == [
        (id_, entry["Id"])
        for id_, drop in sorted(books.items())
        for account in drop.books["Accounts"]
        for entry in account["Transactions"]
    ]
    assert owners == {id_: drop.owner for id_, drop in books.items()}
