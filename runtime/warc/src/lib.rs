//! runtime/warc
