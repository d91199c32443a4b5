use bytes::Bytes;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{ArrowReaderOptions, ParquetRecordBatchReaderBuilder};
use parquet::file::metadata::{PageIndexPolicy, ParquetMetaData};

use arrow_array::cast::AsArray;
use arrow_array::types::{Float64Type, Int64Type};

use super::*;
use crate::document::{Column, Document, Field as DocumentField, Value};
use crate::sinks::tests::{column, document, origin};

fn columns() -> Vec<Column> {
    vec![
        column("score", Kind::Number),
        column("tags", Kind::Texts),
        column("even", Kind::Flag),
        column("paragraphs", Kind::Integer),
        column("never", Kind::Text),
    ]
}

fn numbered(number: usize, text: String) -> Document {
    Document { id: format!("<urn:{number}>"), text, fields: Vec::new(), replies: Vec::new(), ..document() }
}

fn push(groups: &mut Groups<Vec<u8>>, document: &Document) {
    groups.push(&Row { document, origin: &origin(), token_count: 5 }).unwrap();
}

fn written(documents: &[Document]) -> Bytes {
    let mut groups = Groups::new(Vec::new(), &Table::new(&columns(), &[])).unwrap();
    for document in documents {
        push(&mut groups, document);
    }
    let (file, bytes) = groups.finish().unwrap();
    assert_eq!(file.len() as u64, bytes);
    file.into()
}

fn metadata(file: &Bytes) -> ParquetMetaData {
    let options = ArrowReaderOptions::new().with_page_index_policy(PageIndexPolicy::Required);
    let reader = ParquetRecordBatchReaderBuilder::try_new_with_options(file.clone(), options).unwrap();
    reader.metadata().as_ref().clone()
}

fn batches(file: &Bytes, columns: &[&str]) -> Vec<RecordBatch> {
    let reader = ParquetRecordBatchReaderBuilder::try_new(file.clone()).unwrap();
    let mask = ProjectionMask::columns(reader.parquet_schema(), columns.iter().copied());
    reader.with_projection(mask).build().unwrap().map(Result::unwrap).collect()
}

fn texts(file: &Bytes) -> Vec<String> {
    let of = |batch: &RecordBatch| -> Vec<String> {
        let texts = batch.column(0).as_string::<i32>();
        texts.iter().map(|text| text.unwrap().to_owned()).collect()
    };
    batches(file, &["text"]).iter().flat_map(of).collect()
}

/// Where the pages of a column are in the file, and how many rows each has.
fn pages(file: &Bytes, column: usize) -> Vec<(usize, usize, i64)> {
    let metadata = metadata(file);
    let mut found = Vec::new();
    for (number, group) in metadata.row_groups().iter().enumerate() {
        let index = metadata.page_index_for_row_group(number);
        let pages = index.page_locations(column).unwrap();
        let ends = pages.iter().skip(1).map(|page| page.first_row_index).chain([group.num_rows()]);
        found.extend(pages.iter().zip(ends).map(|(page, end)| {
            (page.offset as usize, page.compressed_page_size as usize, end - page.first_row_index)
        }));
    }
    found
}

/// Letters that no compressor makes much of.
fn noise(seed: usize, bytes: usize) -> String {
    let mut reader = blake3::Hasher::new().update(&seed.to_le_bytes()).finalize_xof();
    let mut noise = vec![0; bytes];
    reader.fill(&mut noise);
    noise.iter().map(|byte| char::from(b'!' + byte % 90)).collect()
}

#[test]
fn any_text_comes_back() {
    let mut wanted: Vec<String> =
        ["", "\n", "\r\n\u{2028}\u{85}", "\0\u{1}\u{7f}", "🦀 für 漢字", "\u{feff}\u{ffff}\u{10ffff}"]
            .map(str::to_owned)
            .to_vec();
    wanted.extend((0_u32..0x3000).filter_map(char::from_u32).map(String::from));
    let documents: Vec<_> =
        wanted.iter().cloned().enumerate().map(|(number, text)| numbered(number, text)).collect();
    assert_eq!(texts(&written(&documents)), wanted);
}

#[test]
fn every_kind_comes_back() {
    let mut full = document();
    full.fields.push(DocumentField { name: "even".to_owned(), value: Value::Flag(true) });
    full.fields.push(DocumentField { name: "paragraphs".to_owned(), value: Value::Integer(-7) });
    let file = written(&[numbered(1, String::new()), full]);
    let all = batches(&file, &[]);
    assert!(all.iter().all(|batch| batch.num_columns() == 0));
    let reader = ParquetRecordBatchReaderBuilder::try_new(file).unwrap().build().unwrap();
    let batch = reader.map(Result::unwrap).next().unwrap();
    let cell = |name: &str| Arc::clone(batch.column_by_name(name).unwrap());
    for name in ["score", "tags", "even", "paragraphs", "never", "usage", "models", "language"] {
        assert!(cell(name).is_null(0), "{name}");
    }
    assert_eq!(cell("score").as_primitive::<Float64Type>().value(1), 0.1);
    assert_eq!(cell("token_count").as_primitive::<Int64Type>().value(1), 5);
    assert_eq!(cell("paragraphs").as_primitive::<Int64Type>().value(1), -7);
    assert!(cell("even").as_boolean().value(1));
    assert_eq!(cell("language").as_string::<i32>().value(1), "en");
    for (name, wanted) in [("tags", vec!["a", "b"]), ("models", vec!["writer", "judge"])] {
        let list = cell(name).as_list::<i32>().value(1);
        let list: Vec<_> = list.as_string::<i32>().iter().map(|it| it.unwrap().to_owned()).collect();
        assert_eq!(list, wanted);
    }
    let (span, usage) = (cell("span"), cell("usage"));
    assert_eq!(span.as_struct().column(0).as_string::<i32>().value(1), "rephrase");
    assert_eq!(span.as_struct().column(2).as_primitive::<Int64Type>().value(1), 9);
    assert_eq!(usage.as_struct().column(0).as_primitive::<Int64Type>().value(1), 3 * i64::from(u32::MAX));
    assert!(cell("never").is_null(1));
}

#[test]
fn the_schema_is_the_tables() {
    let table = Table::new(&columns(), &["kind".to_owned()]);
    let (file, _) = Groups::new(Vec::new(), &table).unwrap().finish().unwrap();
    let reader = ParquetRecordBatchReaderBuilder::try_new(Bytes::from(file)).unwrap();
    let found: Vec<_> =
        reader.schema().fields().iter().map(|it| (it.name().clone(), it.is_nullable())).collect();
    let wanted: Vec<_> = table.columns().iter().map(|it| (it.name.clone(), it.nullable)).collect();
    assert_eq!(found, wanted);
    assert_eq!(reader.metadata().file_metadata().num_rows(), 0, "a file without rows is one all the same");
}

#[test]
fn the_same_rows_are_the_same_bytes() {
    let documents: Vec<_> = (0..3000).map(|number| numbered(number, noise(number, 900))).collect();
    assert_eq!(written(&documents), written(&documents));
}

#[test]
fn what_is_held_back_is_bounded() {
    let mut groups = Groups::new(Vec::new(), &Table::new(&columns(), &[])).unwrap();
    let mut most = 0;
    for number in 0..2000 {
        // Up to 2 MB each, in some order.
        let length = number * number * 7919 % 2_000_000;
        push(&mut groups, &numbered(number, "a".repeat(length)));
        assert!(groups.buffered() <= MAX_GROUP_BYTES);
        let held: usize = groups.columns.iter().map(|(_, builder)| held_by(builder)).sum();
        assert!(held <= groups.buffered(), "{held} bytes, {} are said", groups.buffered());
        assert_eq!(groups.writer.memory_size(), 0, "no encoder waits");
        most = most.max(groups.buffered());
    }
    assert!(MAX_GROUP_BYTES / 2 < most, "{most}");
    groups.flush().unwrap();
    assert_eq!(groups.buffered(), 0);
}

/// Bytes of texts, which are nearly everything.
fn held_by(builder: &Builder) -> usize {
    match builder {
        Builder::Text(texts) | Builder::Span { stage: texts, .. } => texts.values_slice().len(),
        Builder::Texts(lists) => lists.values_ref().values_slice().len(),
        Builder::Integer(_) | Builder::Number(_) | Builder::Flag(_) | Builder::Usage { .. } => 0,
    }
}

#[test]
fn a_row_larger_than_a_group_has_one_for_itself() {
    let wanted =
        ["before".to_owned(), "y".repeat(MAX_GROUP_BYTES + 1), "after".to_owned(), "last".to_owned()];
    let documents: Vec<_> =
        wanted.iter().cloned().enumerate().map(|(number, text)| numbered(number, text)).collect();
    let file = written(&documents);
    let groups: Vec<_> = metadata(&file).row_groups().iter().map(|group| group.num_rows()).collect();
    assert_eq!(groups, [1, 1, 2]);
    assert_eq!(texts(&file), wanted);
}

#[test]
fn pages_have_rows_and_are_no_larger_than_promised() {
    // Some larger than a page, one of them first in its group: such were followed by pages of nothing, and at those
    // pyarrow ended the column.
    let length = |number: usize| {
        if number.is_multiple_of(40) { MAX_PAGE_BYTES + number } else { number * 37 % 20_000 }
    };
    let documents: Vec<_> = (0..2000).map(|number| numbered(number, noise(number, length(number)))).collect();
    let file = written(&documents);
    assert!(2 < metadata(&file).num_row_groups());
    for column in 0..metadata(&file).row_group(0).num_columns() {
        let rows: Vec<i64> = pages(&file, column).iter().map(|page| page.2).collect();
        assert!(!rows.contains(&0), "a page without rows in column {column}");
        assert_eq!(rows.iter().sum::<i64>(), 2000);
    }
    let mut row = 0;
    for (_, _, rows) in pages(&file, 0) {
        let sizes: Vec<usize> = (row..row + rows as usize).map(length).collect();
        row += sizes.len();
        let before_last: usize = sizes.iter().rev().skip(1).sum();
        assert!(before_last < MAX_PAGE_BYTES, "{sizes:?}");
    }
}

#[test]
fn a_row_that_is_gone_leaves_the_other_pages_as_they_were() {
    let mut documents: Vec<_> =
        (0..6000).map(|number| numbered(number, noise(number, number * 31 % 6000))).collect();
    let bytes_of = |file: &Bytes| -> Vec<Bytes> {
        pages(file, 0).iter().map(|(start, length, _)| file.slice(*start..start + length)).collect()
    };
    let before = bytes_of(&written(&documents));
    documents.remove(100);
    let after = bytes_of(&written(&documents));
    let kept = after.iter().filter(|page| before.contains(page)).count();
    assert!(20 < before.len(), "{}", before.len());
    // The page of the row and its neighbour, and what is cut where a row group ends.
    assert!(before.len() <= kept + 8, "{kept} of {}", before.len());
}

#[test]
fn the_file_says_what_wrote_it_and_where_things_are() {
    let file = written(&[document()]);
    let metadata = metadata(&file);
    let about = metadata.file_metadata();
    assert_eq!(about.created_by(), Some(SOFTWARE));
    let keys: Vec<_> = about.key_value_metadata().unwrap().iter().map(|it| it.key.as_str()).collect();
    assert_eq!(keys, ["palimpsest.version"]);
    let group = metadata.row_group(0);
    let of = |name: &str| group.columns().iter().find(|it| it.column_path().string() == name).unwrap();
    assert!(of("text").statistics().is_none(), "nobody looks for texts by their order");
    assert!(of("url").statistics().is_some() && of("url").column_index_offset().is_some());
    assert!(group.columns().iter().all(|it| it.offset_index_offset().is_some()));
    assert!(group.columns().iter().all(|it| it.bloom_filter_offset().is_none()));
    assert!(matches!(of("text").compression(), Compression::ZSTD(_)));
    assert!(
        of("text").dictionary_page_offset().is_none() && of("file_path").dictionary_page_offset().is_some()
    );
}

#[test]
fn a_flush_loses_nothing() {
    let mut groups = Groups::new(Vec::new(), &Table::new(&[], &[])).unwrap();
    for number in 0..5 {
        push(&mut groups, &numbered(number, number.to_string()));
        groups.flush().unwrap();
        groups.flush().unwrap();
    }
    let file = Bytes::from(groups.finish().unwrap().0);
    assert_eq!(metadata(&file).num_row_groups(), 5);
    assert_eq!(texts(&file), ["0", "1", "2", "3", "4"]);
}

#[test]
fn a_field_of_another_kind_is_an_error() {
    let mut document = numbered(1, String::new());
    document.fields.push(DocumentField { name: "score".to_owned(), value: Value::Text("high".to_owned()) });
    let mut groups = Groups::new(Vec::new(), &Table::new(&columns(), &[])).unwrap();
    let error = groups.push(&Row { document: &document, origin: &origin(), token_count: 0 }).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::InvalidData);
    assert!(error.to_string().contains("`score`"), "{error}");
}

/// A disk with so much room.
#[derive(Debug)]
struct Disk(usize);

impl Write for Disk {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0 = self.0.checked_sub(bytes.len()).ok_or(io::ErrorKind::StorageFull)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_full_disk_is_known_as_such_wherever_it_is_met() {
    let whole = written(&[numbered(1, noise(1, 20_000))]).len();
    for room in (4..whole).step_by(997).chain([whole - 1]) {
        let mut groups = Groups::new(Disk(room), &Table::new(&columns(), &[])).unwrap();
        let document = numbered(1, noise(1, 20_000));
        groups.push(&Row { document: &document, origin: &origin(), token_count: 5 }).unwrap();
        let error = groups.finish().unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::StorageFull, "with room for {room} of {whole}: {error}");
    }
}
