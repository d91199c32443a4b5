//! Rows read back from the files of a run, or from files of the same formats that others wrote: for what is learnt from
//! rows and said about them. One row at a time is in memory, and of a Parquet file one batch of the wanted columns.
//!
//! A row is a JSON object, whatever the format; folders named `column=value` give their rows that column. What a column
//! means is not known here.

use std::collections::HashSet;
use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

use arrow_array::cast::AsArray;
use arrow_array::types::{
    Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type, UInt8Type, UInt16Type, UInt32Type,
    UInt64Type,
};
use arrow_array::{Array, RecordBatch};
use arrow_schema::DataType;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use serde_json::{Map, Value};

use super::hive;

/// A row is a document's text and what was measured of it.
const MAX_LINE_BYTES: u64 = 256 << 20;
/// Rows of a batch: the texts of a few hundred pages.
const BATCH_ROWS: usize = 256;
/// Where a run puts its rows, beside its rejects and what it needs itself.
const DATA: &str = "data";
const ENDINGS: [&str; 4] = [".jsonl", ".jsonl.gz", ".jsonl.zst", ".parquet"];

/// Why rows cannot be read back.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    #[error("cannot read `{}`", path.display())]
    Io { path: PathBuf, source: io::Error },
    #[error("`{}` holds no rows; they are in files that end in {}", path.display(), ENDINGS.join(", "))]
    NoRows { path: PathBuf },
    #[error("line {line} of `{}` is no JSON object", path.display())]
    Line { path: PathBuf, line: u64, source: serde_json::Error },
    #[error("line {line} of `{}` has more than {MAX_LINE_BYTES} bytes", path.display())]
    TooLong { path: PathBuf, line: u64 },
    #[error("`{}` is no Parquet file that can be read: {says}", path.display())]
    Parquet { path: PathBuf, says: String },
    #[error("the column `{column}` of `{}` holds {holds}, which is none of a row's kinds of values", path.display())]
    Column { path: PathBuf, column: String, holds: String },
}

/// The files with rows below the paths, in the order of the paths and of the names: a file is itself, the folder of a
/// run, wherever it lies, is its rows, any other folder is all that is in it. A file that is named twice is there once.
pub fn files(paths: &[PathBuf]) -> Result<Vec<PathBuf>, ReadError> {
    let mut found = Vec::new();
    for path in paths {
        let before = found.len();
        walk(path, &mut found)?;
        if found.len() == before {
            return Err(ReadError::NoRows { path: path.clone() });
        }
    }
    let mut seen = HashSet::new();
    // What has no other name than its own is itself.
    found.retain(|file| seen.insert(std::fs::canonicalize(file).unwrap_or_else(|_| file.clone())));
    Ok(found)
}

fn walk(path: &Path, found: &mut Vec<PathBuf>) -> Result<(), ReadError> {
    let failed = |source| ReadError::Io { path: path.to_owned(), source };
    if !std::fs::metadata(path).map_err(failed)?.is_dir() {
        if ending(path).is_some() {
            found.push(path.to_owned());
        }
        return Ok(());
    }
    let data = path.join(DATA);
    let inside = std::fs::read_dir(if data.is_dir() { &data } else { path }).map_err(failed)?;
    let mut inside =
        inside.map(|entry| entry.map(|entry| entry.path())).collect::<Result<Vec<_>, _>>().map_err(failed)?;
    inside.sort_unstable();
    let is_hidden = |path: &PathBuf| {
        path.file_name().and_then(OsStr::to_str).is_none_or(|name| name.starts_with(['.', '_']))
    };
    inside.iter().filter(|path| !is_hidden(path)).try_for_each(|path| walk(path, found))
}

fn ending(path: &Path) -> Option<&'static str> {
    let name = path.file_name().and_then(OsStr::to_str)?;
    ENDINGS.into_iter().find(|ending| name.ends_with(ending))
}

/// Gives every row of a file to `each`, with those of the columns that it has; all columns if none are named.
pub fn rows<E: From<ReadError>>(
    file: &Path,
    columns: &[&str],
    each: &mut dyn FnMut(Map<String, Value>) -> Result<(), E>,
) -> Result<(), E> {
    let failed = |source| ReadError::Io { path: file.to_owned(), source };
    let folders = file.parent().and_then(Path::to_str).map(hive::parse).unwrap_or_default();
    let mut each = |mut row: Map<String, Value>| {
        row.retain(|name, _| columns.is_empty() || columns.contains(&name.as_str()));
        for (name, value) in &folders {
            if columns.is_empty() || columns.contains(&name.as_str()) {
                row.entry(name.clone()).or_insert_with(|| value.clone().map_or(Value::Null, Value::String));
            }
        }
        each(row)
    };
    let opened = File::open(file).map_err(failed)?;
    match ending(file) {
        Some(".jsonl") => lines(file, BufReader::new(opened), &mut each),
        Some(".jsonl.gz") => {
            let plain = flate2::bufread::MultiGzDecoder::new(BufReader::new(opened));
            lines(file, BufReader::new(plain), &mut each)
        }
        Some(".jsonl.zst") => {
            let plain = zstd::Decoder::new(opened).map_err(failed)?;
            lines(file, BufReader::new(plain), &mut each)
        }
        Some(_) => batches(file, opened, columns, &mut each),
        None => Err(ReadError::NoRows { path: file.to_owned() }.into()),
    }
}

fn lines<E: From<ReadError>>(
    file: &Path,
    mut from: impl BufRead,
    each: &mut dyn FnMut(Map<String, Value>) -> Result<(), E>,
) -> Result<(), E> {
    let path = || file.to_owned();
    let mut line = Vec::new();
    for number in 1.. {
        line.clear();
        let read = from.by_ref().take(MAX_LINE_BYTES + 1).read_until(b'\n', &mut line);
        if read.map_err(|source| ReadError::Io { path: path(), source })? == 0 {
            break;
        }
        if MAX_LINE_BYTES < line.len() as u64 {
            return Err(ReadError::TooLong { path: path(), line: number }.into());
        }
        if !line.trim_ascii().is_empty() {
            let row = serde_json::from_slice(&line);
            each(row.map_err(|source| ReadError::Line { path: path(), line: number, source })?)?;
        }
    }
    Ok(())
}

fn batches<E: From<ReadError>>(
    file: &Path,
    from: File,
    columns: &[&str],
    each: &mut dyn FnMut(Map<String, Value>) -> Result<(), E>,
) -> Result<(), E> {
    let says =
        |error: &dyn std::fmt::Display| ReadError::Parquet { path: file.to_owned(), says: error.to_string() };
    let builder = ParquetRecordBatchReaderBuilder::try_new(from).map_err(|error| says(&error))?;
    let wanted = builder.schema().fields().iter().enumerate();
    let wanted: Vec<usize> = wanted
        .filter(|(_, field)| columns.is_empty() || columns.contains(&field.name().as_str()))
        .map(|(index, _)| index)
        .collect();
    let mask = ProjectionMask::roots(builder.parquet_schema(), wanted);
    let reader =
        builder.with_projection(mask).with_batch_size(BATCH_ROWS).build().map_err(|error| says(&error))?;
    for batch in reader {
        let batch = batch.map_err(|error| says(&error))?;
        for row in objects(file, &batch)? {
            each(row)?;
        }
    }
    Ok(())
}

fn objects(file: &Path, batch: &RecordBatch) -> Result<Vec<Map<String, Value>>, ReadError> {
    let mut rows = vec![Map::new(); batch.num_rows()];
    for (field, array) in batch.schema().fields().iter().zip(batch.columns()) {
        for (index, row) in rows.iter_mut().enumerate() {
            let value = value(array, index).ok_or_else(|| ReadError::Column {
                path: file.to_owned(),
                column: field.name().clone(),
                holds: array.data_type().to_string(),
            })?;
            row.insert(field.name().clone(), value);
        }
    }
    Ok(rows)
}

/// A value as JSON; none where it is of no kind that rows have.
#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "no reader of rows can make anything of what stages do not write"
)]
fn value(array: &dyn Array, index: usize) -> Option<Value> {
    if array.is_null(index) {
        return Some(Value::Null);
    }
    Some(match array.data_type() {
        DataType::Utf8 => array.as_string::<i32>().value(index).into(),
        DataType::LargeUtf8 => array.as_string::<i64>().value(index).into(),
        DataType::Utf8View => array.as_string_view().value(index).into(),
        DataType::Boolean => array.as_boolean().value(index).into(),
        DataType::Int8 => array.as_primitive::<Int8Type>().value(index).into(),
        DataType::Int16 => array.as_primitive::<Int16Type>().value(index).into(),
        DataType::Int32 => array.as_primitive::<Int32Type>().value(index).into(),
        DataType::Int64 => array.as_primitive::<Int64Type>().value(index).into(),
        DataType::UInt8 => array.as_primitive::<UInt8Type>().value(index).into(),
        DataType::UInt16 => array.as_primitive::<UInt16Type>().value(index).into(),
        DataType::UInt32 => array.as_primitive::<UInt32Type>().value(index).into(),
        DataType::UInt64 => array.as_primitive::<UInt64Type>().value(index).into(),
        DataType::Float32 => array.as_primitive::<Float32Type>().value(index).into(),
        DataType::Float64 => array.as_primitive::<Float64Type>().value(index).into(),
        DataType::List(_) => list(&array.as_list::<i32>().value(index))?,
        DataType::LargeList(_) => list(&array.as_list::<i64>().value(index))?,
        DataType::Struct(fields) => {
            let parts = fields.iter().zip(array.as_struct().columns());
            let parts = parts.map(|(field, part)| Some((field.name().clone(), value(part, index)?)));
            Value::Object(parts.collect::<Option<_>>()?)
        }
        _ => return None,
    })
}

fn list(items: &dyn Array) -> Option<Value> {
    (0..items.len()).map(|index| value(items, index)).collect::<Option<Vec<_>>>().map(Value::Array)
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;
    use crate::document::{Document, Field, Kind, Value as Given};
    use crate::sinks::tests::{column, document, origin};
    use crate::sinks::{Format, Row, RowWriter, Table};

    fn read(file: &Path, columns: &[&str]) -> Result<Vec<String>, ReadError> {
        let mut read = Vec::new();
        rows(file, columns, &mut |row| {
            read.push(Value::Object(row).to_string());
            Ok::<_, ReadError>(())
        })?;
        Ok(read)
    }

    #[test]
    fn lines_are_read_in_every_packing() {
        let folder = tempfile::tempdir().unwrap();
        let text = "{\"a\":1,\"b\":\"x\"}\n\n{\"a\":null}\n";
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        gzip.write_all(text.as_bytes()).unwrap();
        for (name, bytes) in [
            ("r.jsonl", text.as_bytes().to_vec()),
            ("r.jsonl.gz", gzip.finish().unwrap()),
            ("r.jsonl.zst", zstd::encode_all(text.as_bytes(), 1).unwrap()),
        ] {
            let file = folder.path().join(name);
            std::fs::write(&file, bytes).unwrap();
            assert_eq!(read(&file, &[]).unwrap(), [r#"{"a":1,"b":"x"}"#, r#"{"a":null}"#], "{name}");
            assert_eq!(read(&file, &["b"]).unwrap(), [r#"{"b":"x"}"#, "{}"], "{name}");
        }
    }

    #[test]
    fn what_was_written_is_read_back_from_every_format_alike() {
        let folder = tempfile::tempdir().unwrap();
        let table = Table::new(&[column("score", Kind::Number), column("notes", Kind::Texts)], &[]);
        let field = |name: &str, value| Field { name: name.to_owned(), value };
        let mut both = Vec::new();
        for (format, name) in [(Format::JsonlZst, "r.jsonl.zst"), (Format::Parquet, "r.parquet")] {
            let file = folder.path().join(name);
            let mut writer = RowWriter::create(format, File::create(&file).unwrap(), &table).unwrap();
            for number in 0..600 {
                let fields = vec![
                    field("score", Given::Number(f64::from(number) / 4.0)),
                    field("notes", Given::Texts(vec!["a".to_owned(), "b".to_owned()])),
                ];
                let document = Document { fields, ..document() };
                writer.push(&Row { document: &document, origin: &origin(), token_count: 5 }).unwrap();
            }
            writer.finish().unwrap();
            let read = read(&file, &["score", "notes", "token_count", "text"]).unwrap();
            assert_eq!(read.len(), 600, "{name}");
            both.push(read);
        }
        assert_eq!(both[0], both[1]);
        assert!(both[0][3].contains(r#""score":0.75"#), "{}", both[0][3]);
    }

    #[test]
    fn files_are_found_in_the_folder_of_a_run_and_in_any_other() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().join("runs/one");
        let made = |name: &str| {
            let file = root.join(name);
            std::fs::create_dir_all(file.parent().unwrap()).unwrap();
            std::fs::write(&file, "{\"a\":1}\n").unwrap();
        };
        for name in
            ["data/kind=a%20b/1.jsonl", "data/2.jsonl", "rejects/1.jsonl", "data/_x/3.jsonl", "report.json"]
        {
            made(name);
        }
        let found = files(std::slice::from_ref(&root)).unwrap();
        assert_eq!(found, [root.join("data/2.jsonl"), root.join("data/kind=a%20b/1.jsonl")]);
        assert_eq!(read(&found[1], &[]).unwrap(), [r#"{"a":1,"kind":"a b"}"#]);
        assert_eq!(read(&found[1], &["a"]).unwrap(), [r#"{"a":1}"#]);
        assert_eq!(files(&[root.clone(), root.join("data"), root.join("data/2.jsonl")]).unwrap(), found);
        let above = root.parent().unwrap();
        assert!(
            files(&[above.to_owned()]).unwrap().iter().all(|file| !file.starts_with(root.join("rejects")))
        );
        assert!(matches!(files(&[root.join("report.json")]), Err(ReadError::NoRows { .. })));
        assert!(matches!(files(&[root.join("none")]), Err(ReadError::Io { .. })));
    }

    #[test]
    fn what_is_no_row_is_named_by_its_line() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("r.jsonl");
        std::fs::write(&file, "{}\n[]\n").unwrap();
        assert!(matches!(read(&file, &[]), Err(ReadError::Line { line: 2, .. })));
        let file = folder.path().join("r.parquet");
        std::fs::write(&file, "PAR1 and no more").unwrap();
        assert!(matches!(read(&file, &[]), Err(ReadError::Parquet { .. })));
    }
}
