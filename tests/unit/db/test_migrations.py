"""The schema's history as files: named, ordered, each fit for one transaction, and judged before it is applied."""

import re
from pathlib import Path

import pytest

from db.errors import ChangedMigration, DatabaseError, NewerSchema
from db.migrate import MIGRATIONS, Migration, pending, read_migrations

FIRST = Migration("20250101000000", "first", "select 1")
SECOND = Migration("20250102000000", "second", "select 2")
APPLIED = {migration.version: migration.checksum for migration in (FIRST, SECOND)}


def statements(sql: str) -> str:
    """The SQL without its comments and quoted bodies, in lower case."""
    without_bodies = re.sub(r"(\$\w*\$).*?\1", "", sql, flags=re.DOTALL)
    return re.sub(r"--[^\n]*|'[^']*'", "", without_bodies).lower()


def test_the_files_are_named_and_ordered_as_migrations() -> None:
    """Every file in the folder is one, and their versions rise."""
    found = read_migrations()
    assert len(found) == len(list(MIGRATIONS.iterdir()))
    assert [m.version for m in found] == sorted({m.version for m in found})


@pytest.mark.parametrize("migration", read_migrations(), ids=lambda m: m.name)
def test_a_file_leaves_its_transaction_to_the_program(migration: Migration) -> None:
    """Nothing in it begins or ends one, or can't be done inside one: it is applied whole or not at all."""
    sql = statements(migration.sql)
    assert not re.search(r"\b(begin|commit|rollback|savepoint|start\s+transaction|end)\s*;", sql)
    assert not re.search(r"\bconcurrently\b|\bvacuum\b|\balter\s+system\b|\bcreate\s+database\b", sql)


def test_a_file_that_is_not_named_as_one_is_refused(tmp_path: Path) -> None:
    """It would never be applied, so it is named."""
    (tmp_path / "2025_add_column.sql").write_text("select 1")
    with pytest.raises(DatabaseError, match=r"2025_add_column\.sql is not named as a migration, expected"):
        read_migrations(tmp_path)


def test_two_files_of_one_version_are_refused(tmp_path: Path) -> None:
    """One of them would be taken for done and never applied."""
    (tmp_path / "20250101000000_mine.sql").write_text("select 1")
    (tmp_path / "20250101000000_theirs.sql").write_text("select 1")
    with pytest.raises(DatabaseError, match=r"theirs\.sql has the version of 20250101000000_mine\.sql"):
        read_migrations(tmp_path)


def test_what_is_pending_is_what_was_not_applied_in_order() -> None:
    """A new database needs all, a current one none; one of an older program the rest."""
    known = (FIRST, SECOND)
    assert pending(known, {}) == [FIRST, SECOND]
    assert pending(known, {FIRST.version: FIRST.checksum}) == [SECOND]
    assert pending(known, APPLIED) == []


def test_what_supabases_own_tool_applied_has_no_checksum_and_is_believed() -> None:
    """Its table has no such column."""
    assert pending((FIRST, SECOND), {FIRST.version: None}) == [SECOND]


def test_an_edited_file_is_refused_by_name() -> None:
    """The line names the file, both checksums, and the way out."""
    edited = Migration(FIRST.version, FIRST.name, "select 1 -- edited")
    with pytest.raises(ChangedMigration) as refused:
        pending((edited, SECOND), APPLIED)
    said = str(refused.value)
    assert said.startswith("migration 20250101000000_first.sql was edited after it was applied")
    assert edited.checksum[:12] in said
    assert FIRST.checksum[:12] in said
    assert "write the change as a new migration" in said


def test_a_newer_database_is_refused() -> None:
    """The line names what it has and what is known."""
    with pytest.raises(
        NewerSchema, match="it has migration 20250102000000, the newest known is 20250101000000"
    ):
        pending((FIRST,), APPLIED)
