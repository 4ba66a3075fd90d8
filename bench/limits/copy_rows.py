"""The limit of an import: COPY a tidy file into a table that has neither keys nor checks. `copy_rows.py DSN FILE`."""

import asyncio
import sys

import asyncpg


async def main(dsn: str, file: str) -> None:
    """Copy the rows, and drop the table again."""
    connection = await asyncpg.connect(dsn)
    columns = ", ".join(f"{name} float8" for name in ("open", "high", "low", "close", "volume"))
    await connection.execute(f"create table public.bench_rows (ts int8, {columns})")
    try:
        await connection.copy_to_table(
            "bench_rows", schema_name="public", source=file, format="csv", header=True
        )
    finally:
        await connection.execute("drop table public.bench_rows")
        await connection.close()


asyncio.run(main(sys.argv[1], sys.argv[2]))
