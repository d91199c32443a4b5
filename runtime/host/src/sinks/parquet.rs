//! Rows as Parquet.
//!
//! Rows wait, as arrays, until they are a row group; then they are encoded and handed on at once. So a writer that waits
//! holds its rows and no encoder, and many may be open together. The bytes depend on the table and the rows alone.

use std::io::{self, Write};
use std::sync::Arc;

use arrow_array::builder::{
    ArrayBuilder, BooleanBuilder, Float64Builder, Int64Builder, ListBuilder, StringBuilder,
};
use arrow_array::{Array, ArrayRef, RecordBatch, StructArray};
use arrow_schema::{ArrowError, DataType, Field, FieldRef, Fields, Schema, SchemaRef};
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_writer::ArrowWriterOptions;
use parquet::basic::{Compression, ZstdLevel};
use parquet::errors::ParquetError;
use parquet::file::metadata::KeyValue;
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use parquet::schema::types::ColumnPath;

use super::SOFTWARE;
use super::row::{Cell, Holds, Row, Table, TableColumn, Usage, signed};
use crate::document::{Kind, Span};

/// As for lines of JSON.
const LEVEL: i32 = 3;
/// Rows that are held back; while a group is written they are in memory three times over, and two archives are read at
/// once. A row that is larger has a group for itself.
pub(super) const MAX_GROUP_BYTES: usize = 8 << 20;
/// Rows of a few bytes would have a group of millions, and what stands beside their bytes is not counted.
const MAX_GROUP_ROWS: usize = 128 << 10;
/// One text or list of texts; arrays count bytes in 31 bits, and no stage returns as much.
const MAX_ROW_BYTES: usize = 1 << 30;
/// A page is what a reader has to decompress to get at one text, and what a store has to take anew when a row is another.
/// Between these sizes the rows say where it ends, so that one that is gone or new changes the pages around it and no
/// more. The crate can find such places itself, but then writes pages of no values between them, at which pyarrow
/// silently ends the column (arrow-rs 10929).
const MIN_PAGE_BYTES: usize = 256 << 10;
const MAX_PAGE_BYTES: usize = 1 << 20;
/// How much more than the least a page has on average.
const MORE_PAGE_BYTES: u64 = 256 << 10;
/// Columns whose pages end there: most of the bytes. Never null, since the crate would give each null a page of its own.
const PAGED: [&str; 3] = ["text", "id", "url"];
/// What is longer has few repetitions to gain from, and a dictionary is held until its row group ends.
const DICTIONARY_BYTES: usize = 256 << 10;
/// Columns in which no value comes twice, or hardly any: a dictionary of them would be the column.
const DISTINCT: [&str; 7] =
    ["text", "id", "url", "date", "warc_offset", "warc_record_id", "prompt_ids.list.element"];
/// What the smallest and the largest value of a page or a group are cut at.
const STATISTIC_BYTES: usize = 64;

/// Writes rows to `W`, a row group at a time.
pub(super) struct Groups<W: Write + Send> {
    writer: ArrowWriter<Lent<W>>,
    schema: SchemaRef,
    columns: Vec<(TableColumn, Builder)>,
    rows: usize,
    /// Of the rows that are held back.
    buffered: usize,
    /// How many rows each of their pages has, but for the last one.
    pages: Vec<usize>,
    page_rows: usize,
    page_bytes: usize,
}

impl<W: Write + Send> std::fmt::Debug for Groups<W> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Groups")
            .field("rows", &self.rows)
            .field("buffered", &self.buffered)
            .field("bytes", &self.bytes())
            .finish_non_exhaustive()
    }
}

impl<W: Write + Send> Groups<W> {
    pub(super) fn new(to: W, table: &Table) -> io::Result<Self> {
        let fields: Vec<FieldRef> = table.columns().iter().map(field).collect();
        let schema = Arc::new(Schema::new(fields));
        // Arrow's own copy of the schema says nothing that Parquet's does not.
        let options = ArrowWriterOptions::new().with_properties(properties()).with_skip_arrow_metadata(true);
        let lent = Lent { to: Some(to), bytes: 0 };
        let writer = ArrowWriter::try_new_with_options(lent, Arc::clone(&schema), options);
        Ok(Self {
            writer: writer.map_err(io_error)?,
            schema,
            columns: table.columns().iter().map(|it| (it.clone(), Builder::new(it.holds))).collect(),
            rows: 0,
            buffered: 0,
            pages: Vec::new(),
            page_rows: 0,
            page_bytes: 0,
        })
    }

    pub(super) fn push(&mut self, row: &Row<'_>) -> io::Result<()> {
        let bytes: usize = self.columns.iter().map(|(column, _)| row.cell(column).bytes()).sum();
        if MAX_ROW_BYTES < bytes {
            let says = format!("the row `{}` takes {bytes} bytes, of {MAX_ROW_BYTES}", row.document.id);
            return Err(io::Error::new(io::ErrorKind::InvalidInput, says));
        }
        if MAX_GROUP_BYTES < self.buffered + bytes || self.rows == MAX_GROUP_ROWS {
            self.flush()?;
        }
        for (column, builder) in &mut self.columns {
            builder.push(&row.cell(column)).map_err(|Mismatch| {
                let says = format!(
                    "the column `{}` of the row `{}` is not what it declared",
                    column.name, row.document.id
                );
                io::Error::new(io::ErrorKind::InvalidData, says)
            })?;
        }
        self.rows += 1;
        self.buffered += bytes;
        self.page(&row.document.id, bytes);
        if MAX_GROUP_BYTES <= self.buffered { self.flush() } else { Ok(()) }
    }

    /// Ends the page with this row if it is full, or if the row's id says so: the more likely the longer the row is.
    fn page(&mut self, id: &str, bytes: usize) {
        self.page_rows += 1;
        self.page_bytes += bytes;
        let drawn =
            blake3::hash(id.as_bytes()).as_bytes().first_chunk().map_or(0, |it| u64::from_le_bytes(*it));
        let drawn = MIN_PAGE_BYTES <= self.page_bytes && drawn % MORE_PAGE_BYTES < bytes as u64;
        if drawn || MAX_PAGE_BYTES <= self.page_bytes {
            self.pages.push(self.page_rows);
            (self.page_rows, self.page_bytes) = (0, 0);
        }
    }

    pub(super) fn bytes(&self) -> u64 {
        self.writer.inner().bytes
    }

    pub(super) fn buffered(&self) -> usize {
        self.buffered
    }

    /// Ends the row group.
    pub(super) fn flush(&mut self) -> io::Result<()> {
        if self.rows == 0 {
            return Ok(());
        }
        let arrays = self.columns.iter_mut().map(|(_, builder)| builder.finish());
        let arrays: Result<Vec<ArrayRef>, ArrowError> = arrays.collect();
        let batch = arrays.and_then(|arrays| RecordBatch::try_new(Arc::clone(&self.schema), arrays));
        let batch = batch.map_err(io::Error::other)?;
        (self.rows, self.buffered, self.page_rows, self.page_bytes) = (0, 0, 0, 0);
        let mut start = 0;
        for rows in std::mem::take(&mut self.pages).into_iter().chain([usize::MAX]) {
            let rows = rows.min(batch.num_rows() - start);
            self.writer.write(&batch.slice(start, rows)).map_err(io_error)?;
            start += rows;
        }
        self.writer.flush().map_err(io_error)?;
        // Nothing says how long it is until there are rows again.
        self.writer.sync()
    }

    pub(super) fn finish(mut self) -> io::Result<(W, u64)> {
        self.flush()?;
        self.writer.finish().map_err(io_error)?;
        let lent = self.writer.inner_mut();
        let bytes = lent.bytes;
        let to = lent.to.take().ok_or_else(gone)?;
        Ok((to, bytes))
    }
}

fn properties() -> WriterProperties {
    let level = ZstdLevel::try_new(LEVEL).unwrap_or_default();
    let mut properties = WriterProperties::builder()
        .set_created_by(SOFTWARE.to_owned())
        .set_key_value_metadata(Some(vec![KeyValue::new(
            "palimpsest.version".to_owned(),
            env!("CARGO_PKG_VERSION").to_owned(),
        )]))
        .set_compression(Compression::ZSTD(level))
        .set_dictionary_enabled(true)
        .set_dictionary_page_size_limit(DICTIONARY_BYTES)
        // What is written at once is a page.
        .set_write_batch_size(MAX_GROUP_ROWS)
        .set_statistics_enabled(EnabledStatistics::Page)
        .set_statistics_truncate_length(Some(STATISTIC_BYTES))
        .set_column_index_truncate_length(Some(STATISTIC_BYTES))
        .set_max_row_group_row_count(None)
        .set_column_statistics_enabled(ColumnPath::from("text"), EnabledStatistics::None);
    for column in DISTINCT {
        let path = ColumnPath::from(column.split('.').map(str::to_owned).collect::<Vec<_>>());
        properties = properties.set_column_dictionary_enabled(path, false);
    }
    for column in PAGED {
        properties = properties
            .set_column_data_page_row_count_limit(ColumnPath::from(column), 1)
            .set_column_data_page_size_limit(ColumnPath::from(column), MAX_ROW_BYTES);
    }
    properties.build()
}

fn field(column: &TableColumn) -> FieldRef {
    Arc::new(Field::new(&column.name, data_type(column.holds), column.nullable))
}

fn data_type(holds: Holds) -> DataType {
    match holds {
        Holds::Value(Kind::Text) => DataType::Utf8,
        Holds::Value(Kind::Integer) => DataType::Int64,
        Holds::Value(Kind::Number) => DataType::Float64,
        Holds::Value(Kind::Flag) => DataType::Boolean,
        Holds::Value(Kind::Texts) => DataType::List(element()),
        Holds::Span => DataType::Struct(span_fields()),
        Holds::Usage => DataType::Struct(usage_fields()),
    }
}

/// Under Parquet's own name for it.
fn element() -> FieldRef {
    Arc::new(Field::new("element", DataType::Utf8, true))
}

fn span_fields() -> Fields {
    Fields::from(vec![
        Field::new("stage", DataType::Utf8, true),
        Field::new("start", DataType::Int64, true),
        Field::new("end", DataType::Int64, true),
    ])
}

fn usage_fields() -> Fields {
    Fields::from(vec![
        Field::new("prompt_tokens", DataType::Int64, true),
        Field::new("completion_tokens", DataType::Int64, true),
    ])
}

/// A cell that is not of its column's kind.
struct Mismatch;

/// The values of a column in the rows that are held back. Empty, it holds next to nothing.
enum Builder {
    Text(StringBuilder),
    Integer(Int64Builder),
    Number(Float64Builder),
    Flag(BooleanBuilder),
    Texts(ListBuilder<StringBuilder>),
    Span { there: BooleanBuilder, stage: StringBuilder, start: Int64Builder, end: Int64Builder },
    Usage { there: BooleanBuilder, prompt: Int64Builder, completion: Int64Builder },
}

impl Builder {
    fn new(holds: Holds) -> Self {
        let text = || StringBuilder::with_capacity(0, 0);
        let integer = || Int64Builder::with_capacity(0);
        let there = || BooleanBuilder::with_capacity(0);
        match holds {
            Holds::Value(Kind::Text) => Self::Text(text()),
            Holds::Value(Kind::Integer) => Self::Integer(integer()),
            Holds::Value(Kind::Number) => Self::Number(Float64Builder::with_capacity(0)),
            Holds::Value(Kind::Flag) => Self::Flag(there()),
            Holds::Value(Kind::Texts) => {
                Self::Texts(ListBuilder::with_capacity(text(), 0).with_field(element()))
            }
            Holds::Span => Self::Span { there: there(), stage: text(), start: integer(), end: integer() },
            Holds::Usage => Self::Usage { there: there(), prompt: integer(), completion: integer() },
        }
    }

    fn push(&mut self, cell: &Cell<'_>) -> Result<(), Mismatch> {
        match (self, cell) {
            (Self::Text(texts), Cell::Text(text)) => texts.append_value(text),
            (Self::Text(texts), Cell::Null) => texts.append_null(),
            (Self::Integer(integers), Cell::Integer(integer)) => integers.append_value(*integer),
            (Self::Integer(integers), Cell::Null) => integers.append_null(),
            (Self::Number(numbers), Cell::Number(number)) => numbers.append_value(*number),
            (Self::Number(numbers), Cell::Null) => numbers.append_null(),
            (Self::Flag(flags), Cell::Flag(flag)) => flags.append_value(*flag),
            (Self::Flag(flags), Cell::Null) => flags.append_null(),
            (Self::Texts(lists), Cell::Texts(texts)) => lists.append_value(texts.iter().map(Some)),
            (Self::Texts(lists), Cell::Null) => lists.append_null(),
            (Self::Span { there, stage, start, end }, Cell::Span(_) | Cell::Null) => {
                let span = if let Cell::Span(span) = cell { Some(*span) } else { None };
                there.append_value(span.is_some());
                stage.append_option(span.map(|span: &Span| span.stage.as_str()));
                start.append_option(span.map(|span| signed(span.start)));
                end.append_option(span.map(|span| signed(span.end)));
            }
            (Self::Usage { there, prompt, completion }, Cell::Usage(_) | Cell::Null) => {
                let usage: Option<Usage> = if let Cell::Usage(usage) = cell { Some(*usage) } else { None };
                there.append_value(usage.is_some());
                prompt.append_option(usage.map(|usage| usage.prompt_tokens));
                completion.append_option(usage.map(|usage| usage.completion_tokens));
            }
            _ => return Err(Mismatch),
        }
        Ok(())
    }

    fn finish(&mut self) -> Result<ArrayRef, ArrowError> {
        Ok(match self {
            Self::Text(texts) => ArrayBuilder::finish(texts),
            Self::Integer(integers) => ArrayBuilder::finish(integers),
            Self::Number(numbers) => ArrayBuilder::finish(numbers),
            Self::Flag(flags) => ArrayBuilder::finish(flags),
            Self::Texts(lists) => Arc::new(lists.finish()),
            Self::Span { there, stage, start, end } => {
                let parts: Vec<ArrayRef> =
                    vec![Arc::new(stage.finish()), Arc::new(start.finish()), Arc::new(end.finish())];
                whole(span_fields(), parts, there)?
            }
            Self::Usage { there, prompt, completion } => {
                let parts: Vec<ArrayRef> = vec![Arc::new(prompt.finish()), Arc::new(completion.finish())];
                whole(usage_fields(), parts, there)?
            }
        })
    }
}

fn whole(fields: Fields, parts: Vec<ArrayRef>, there: &mut BooleanBuilder) -> Result<ArrayRef, ArrowError> {
    let there = there.finish().values().clone();
    Ok(Arc::new(StructArray::try_new(fields, parts, Some(there.into()))?) as Arc<dyn Array>)
}

/// The file, for as long as it is written. Counts what passes.
#[derive(Debug)]
struct Lent<W> {
    to: Option<W>,
    bytes: u64,
}

impl<W: Write> Write for Lent<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.to.as_mut().ok_or_else(gone)?.write(bytes)?;
        self.bytes += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.to.as_mut().ok_or_else(gone)?.flush()
    }
}

fn gone() -> io::Error {
    io::Error::other("the file is finished")
}

/// The error of the file itself, where it is one: a full disk has to be known as such.
fn io_error(error: ParquetError) -> io::Error {
    if let ParquetError::External(source) = error {
        return source.downcast::<io::Error>().map_or_else(io::Error::other, |error| *error);
    }
    io::Error::other(error)
}

#[cfg(test)]
mod tests;
