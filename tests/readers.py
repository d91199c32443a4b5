#!/usr/bin/env python3
"""Reads a folder of rows the way its users do, and says what they got.

    readers.py {pyarrow,duckdb,datasets,streaming,warcio,fastwarc,card} FOLDER

prints one line of JSON: how many rows there are, the names of the columns, and a SHA-256 over the pairs of id and text,
sorted. FOLDER is a sink's: a card, and rows below `data`. `card` runs every example of the card instead.
"""

import argparse
import glob
import hashlib
import json
import os
import re
import sys


def digest(pairs):
    """Each id and each text goes in as its length in bytes, a colon and its bytes, as UTF-8."""
    sha = hashlib.sha256()
    for pair in sorted(pairs, key=lambda pair: [part.encode() for part in pair]):
        for part in pair:
            data = part.encode()
            sha.update(b"%d:" % len(data) + data)
    return sha.hexdigest()


def answer(columns, pairs):
    pairs = list(pairs)
    return {"rows": len(pairs), "columns": sorted(columns), "sha256": digest(pairs)}


def files(folder, suffix):
    found = glob.glob(os.path.join(folder, "data", "**", "*" + suffix), recursive=True)
    return sorted(found)


def read_pyarrow(folder):
    import pyarrow
    import pyarrow.json
    import pyarrow.parquet

    data = os.path.join(folder, "data")
    if files(folder, ".parquet"):
        table = pyarrow.parquet.read_table(data)
    else:
        tables = []
        for path in files(folder, ".jsonl.zst"):
            with pyarrow.input_stream(path, compression="zstd") as stream:
                # A block has to hold the longest row; and what looks like a time is a text all the same.
                reading = pyarrow.json.ReadOptions(block_size=256 << 20)
                texts = [(name, pyarrow.string()) for name in ("id", "text", "date")]
                parsing = pyarrow.json.ParseOptions(explicit_schema=pyarrow.schema(texts))
                tables.append(pyarrow.json.read_json(stream, reading, parsing))
        table = pyarrow.concat_tables(tables, promote_options="permissive")
    pairs = zip(table["id"].to_pylist(), table["text"].to_pylist())
    return answer(table.column_names, pairs)


def read_duckdb(folder):
    import duckdb

    if files(folder, ".parquet"):
        source = "read_parquet(?, hive_partitioning=true)"
        path = os.path.join(folder, "data", "**", "*.parquet")
    else:
        source = "read_json(?, format='newline_delimited', hive_partitioning=true, maximum_object_size=268435456)"
        path = os.path.join(folder, "data", "**", "*.jsonl.zst")
    with duckdb.connect() as connection:
        columns = [row[0] for row in connection.execute(f"describe from {source}", [path]).fetchall()]
        return answer(columns, connection.execute(f"select id, text from {source}", [path]).fetchall())


def load(folder, streaming):
    import tempfile

    import datasets

    datasets.disable_progress_bars()
    with tempfile.TemporaryDirectory() as cache:
        rows = datasets.load_dataset(folder, split="train", streaming=streaming, cache_dir=cache)
        columns = rows.column_names
        return answer(columns, [(row["id"], row["text"]) for row in rows])


def read_datasets(folder):
    return load(folder, streaming=False)


def read_streaming(folder):
    return load(folder, streaming=True)


def of_archives(records):
    """A text is a `conversion`; what is no header of it is the `metadata` record that follows it."""
    columns, pairs, text = {"text"}, [], None
    for kind, metadata, block in records:
        if kind == "conversion":
            text = block.decode()
        elif kind == "metadata":
            metadata = block.decode()
        if metadata is not None and text is not None:
            row = json.loads(metadata)
            columns |= row.keys()
            pairs.append((row["id"], text))
            text = None
    return answer(columns, pairs)


def read_warcio(folder):
    from warcio.archiveiterator import ArchiveIterator

    def records():
        for path in files(folder, ".warc.gz"):
            with open(path, "rb") as archive:
                for record in ArchiveIterator(archive, check_digests="raise"):
                    metadata = record.rec_headers.get_header("WARC-JSON-Metadata")
                    yield record.rec_type, metadata, record.content_stream().read()

    return of_archives(records())


def read_fastwarc(folder):
    from fastwarc.warc import ArchiveIterator

    def records():
        for path in files(folder, ".warc.gz"):
            with open(path, "rb") as archive:
                for record in ArchiveIterator(archive, parse_http=False):
                    if not record.verify_block_digest():
                        raise ValueError(f"{path}: {record.record_id}: wrong digest")
                    metadata = record.headers.get("WARC-JSON-Metadata")
                    yield record.headers.get("WARC-Type"), metadata, record.reader.read()

    return of_archives(records())


def run_card(folder):
    """The examples of the card, each by itself and in the folder, as somebody who tries them would; and what they find."""
    with open(os.path.join(folder, "README.md"), encoding="utf-8") as card:
        examples = re.findall(r"```python\n(.*?)```", card.read(), re.DOTALL)
    os.chdir(folder)
    found = []
    for example in examples:
        names = {"__name__": "__main__"}
        exec(compile(example, "README.md", "exec"), names)
        rows = names.get("rows")
        if hasattr(rows, "fetchall"):
            found.append(len(rows.fetchall()))
        elif hasattr(rows, "num_rows"):
            found.append(rows.num_rows)
        elif rows is not None:
            found.append(sum(1 for _ in rows))
    return {"examples": len(examples), "rows": found}


READERS = {
    "pyarrow": read_pyarrow,
    "duckdb": read_duckdb,
    "datasets": read_datasets,
    "streaming": read_streaming,
    "warcio": read_warcio,
    "fastwarc": read_fastwarc,
    "card": run_card,
}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("reader", choices=READERS)
    parser.add_argument("folder")
    arguments = parser.parse_args()
    print(json.dumps(READERS[arguments.reader](os.path.abspath(arguments.folder))))
    return 0


if __name__ == "__main__":
    sys.exit(main())
