"""Reads an archive with a library of Python's, every body to its end: python.py warcio|fastwarc ARCHIVE.

Prints the CPU seconds of the reading alone, without Python's start, and how many records and bytes of bodies it saw.
"""

import sys
import time

library, archive = sys.argv[1:]
if library == "warcio":
    from warcio.archiveiterator import ArchiveIterator

    body = lambda record: record.raw_stream
else:
    from fastwarc.warc import ArchiveIterator

    body = lambda record: record.reader

begun = time.process_time()
records = size = 0
with open(archive, "rb") as file:
    for record in ArchiveIterator(file):
        records += 1
        stream = body(record)
        while piece := stream.read(65536):
            size += len(piece)
print(time.process_time() - begun, records, size)
