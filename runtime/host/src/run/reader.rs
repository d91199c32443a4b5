//! The first in line: archives become records, and records that are pages become jobs.

use std::collections::BTreeMap;
use std::io::{self, Read};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use crossbeam_channel::Sender;
use futures::StreamExt;
use palimpsest_warc::RecordType;
use tokio::runtime::Handle;

use super::house::House;
use super::worker::Job;
use super::writer::{Batch, FailedRecord, Order, Stray};
use super::{Fatal, Stop, Watch};
use crate::document::Document;
use crate::ledger::{Fate, Outcome, Place};
use crate::records::{self, Container, Dictionary, Limits, Record, Records};
use crate::sinks::commit::Mark;
use crate::sinks::part::{self, Of};
use crate::sinks::{Origin, dump_in};
use crate::source::ByteReader;
use crate::stages::Passage;
use crate::{pages, source};

/// Records that become no page travel with the next page, but not more of them than this.
const MAX_STRAYS: usize = 256;
/// A `warcinfo` record names the crawl in its first lines.
const WARCINFO_BYTES: usize = 8 << 10;

/// What the readers share.
pub(super) struct Reading<'a> {
    pub(super) archives: &'a [source::Archive],
    /// What is left to do, archive by archive.
    pub(super) todo: &'a [Task],
    pub(super) next: AtomicUsize,
    /// Numbers the parts of this run.
    pub(super) parts: AtomicUsize,
    /// Of an archive, after which a part is closed.
    pub(super) part_bytes: u64,
    /// Pages that the limit leaves.
    pub(super) left: Mutex<Option<u64>>,
    pub(super) wanted: Vec<RecordType>,
    pub(super) seed: u64,
    pub(super) house: Arc<House>,
    pub(super) runtime: Handle,
    pub(super) stop: Arc<Stop>,
    pub(super) watch: Arc<Watch>,
}

/// An archive that is not done, or not all of it.
pub(super) struct Task {
    pub(super) archive: usize,
    pub(super) stem: String,
    pub(super) identity: String,
    /// The parts that are there, by number, and where the next one begins; none at the archive's end.
    pub(super) finished: BTreeMap<usize, Option<Mark>>,
}

impl Task {
    pub(super) fn is_done(&self) -> bool {
        self.gap(0, Mark::default()).is_none()
    }

    /// The first part from `number` on that is not there, and where it begins; none if the rest is there.
    fn gap(&self, mut number: usize, mut start: Mark) -> Option<(usize, Mark)> {
        while let Some(next) = self.finished.get(&number) {
            start = next.clone()?;
            number += 1;
        }
        Some((number, start))
    }
}

/// Where jobs and orders go.
pub(super) struct Ways<'a> {
    pub(super) fresh: &'a Sender<Job>,
    pub(super) resumed: &'a Sender<Job>,
    pub(super) orders: &'a Sender<Order>,
}

/// One part while its stretch of the archive is read.
struct Part {
    /// Of this run.
    id: usize,
    /// Of the archive.
    number: usize,
    start: Mark,
    archive: Arc<str>,
    dump: Option<String>,
    sequence: u64,
    strays: Vec<Stray>,
}

/// Where and why a record goes no further.
struct Refused {
    place: Place,
    outcome: Outcome,
    says: String,
}

/// Nobody is left to send to: the run is stopping, for a reason that is told elsewhere.
struct Gone;

impl Reading<'_> {
    /// Reads archives until there are none, or the run stops.
    pub(super) fn read(&self, ways: &Ways<'_>) {
        while !self.stop.is_set() && self.left() != Some(0) {
            let Some(task) = self.todo.get(self.next.fetch_add(1, Ordering::Relaxed)) else { return };
            let mut gap = task.gap(0, Mark::default());
            while let Some((number, start)) = gap {
                match self.stretch(task, number, start, ways) {
                    Ok(next) => gap = next.and_then(|(number, start)| task.gap(number, start)),
                    Err(Gone) => return,
                }
            }
        }
    }

    fn left(&self) -> Option<u64> {
        *self.left.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reads an archive from a part's beginning to its end, or to the beginning of a part that is there already.
    fn stretch(
        &self,
        task: &Task,
        number: usize,
        start: Mark,
        ways: &Ways<'_>,
    ) -> Result<Option<(usize, Mark)>, Gone> {
        let archive = &self.archives[task.archive];
        let failed = |source| {
            let fatal = source::Fatal::Read { archive: archive.name.clone(), source };
            self.stop.set(Fatal::Source(fatal));
            Gone
        };
        let mut records = self.records(archive, &start).map_err(failed)?;
        let mut part = self.begin(task, number, start, ways)?;
        // A part ends in front of a record: behind the last one of an archive there is none to begin another.
        let mut cut: Option<records::Mark> = None;
        while let Some(record) = records.next() {
            // Bytes that end because the run stops look like damage.
            if self.stop.is_set() {
                return Err(Gone);
            }
            let record = record.map_err(failed)?;
            if let Some(mark) = cut.take() {
                let next = Mark {
                    offset: mark.offset,
                    number: record.number,
                    dump: part.dump.clone(),
                    reader: Some(mark.to_string()),
                };
                let number = part.number + 1;
                self.end(part, Some(next.clone()), ways)?;
                if task.finished.contains_key(&number) {
                    return Ok(Some((number, next)));
                }
                part = self.begin(task, number, next, ways)?;
            }
            self.watch.records_read.fetch_add(1, Ordering::Relaxed);
            let mark = records.mark_after(&record);
            cut = mark.filter(|mark| part.start.offset + self.part_bytes <= mark.offset);
            if self.record(&mut part, record, ways)? == Limit::Reached {
                break;
            }
        }
        // The same without damage, where they end between two records: then nothing is left to be seen of it.
        if self.stop.is_set() {
            return Err(Gone);
        }
        self.end(part, None, ways)?;
        Ok(None)
    }

    /// The archive's records from a mark on.
    fn records(&self, archive: &source::Archive, start: &Mark) -> io::Result<Records<Box<dyn Read + '_>>> {
        let bytes = |from| -> Box<dyn Read + '_> {
            let stream = source::open(archive, from).take_until(self.stop.wait());
            Box::new(ByteReader::new(&self.runtime, stream).counted(|read| {
                self.watch.bytes_read.fetch_add(read, Ordering::Relaxed);
            }))
        };
        let limits = Limits::default();
        let Some(mark) = &start.reader else { return Ok(Records::new(bytes(0), limits)) };
        let mark: records::Mark = mark.parse().map_err(io::Error::other)?;
        let dictionary = match mark.container() {
            Container::Zstd => Dictionary::of(bytes(0))?,
            Container::Plain | Container::Gzip | Container::Bzip2 => None,
        };
        self.watch.bytes_read.fetch_add(mark.offset, Ordering::Relaxed);
        Ok(Records::resume(bytes(mark.offset), mark, dictionary, start.number, limits))
    }

    fn begin(&self, task: &Task, number: usize, start: Mark, ways: &Ways<'_>) -> Result<Part, Gone> {
        let archive = &self.archives[task.archive].name;
        let id = self.parts.fetch_add(1, Ordering::Relaxed);
        let of = Of {
            name: part::name(&task.stem, number),
            archive: archive.clone(),
            identity: task.identity.clone(),
            start: start.clone(),
        };
        send(ways, Order::Begin { part: id, archive: task.archive, of: Box::new(of) })?;
        let dump = start.dump.clone().or_else(|| dump_in(archive).map(str::to_owned));
        let archive = Arc::from(archive.as_str());
        Ok(Part { id, number, start, archive, dump, sequence: 0, strays: Vec::new() })
    }

    fn end(&self, mut part: Part, next: Option<Mark>, ways: &Ways<'_>) -> Result<(), Gone> {
        if !part.strays.is_empty() {
            self.flush(&mut part, ways)?;
        }
        send(ways, Order::End { part: part.id, batches: part.sequence, next })
    }

    fn record(&self, part: &mut Part, record: Record, ways: &Ways<'_>) -> Result<Limit, Gone> {
        let origin = part.origin(&record);
        let mut fate = Fate::default();
        record.entry.oddities.iter().for_each(|oddity| fate.oddity(oddity.word()));
        if let Err(reject) = records::select(&record, &self.wanted) {
            part.learn(&record);
            let refused =
                Refused { place: Place::Records, outcome: reject.outcome(), says: reject.to_string() };
            part.stray(fate, origin, &record, refused);
            if MAX_STRAYS <= part.strays.len() {
                self.flush(part, ways)?;
            }
            return Ok(Limit::Not);
        }
        fate.step(Place::Records, Outcome::Passed(1));
        let limit = self.count();
        match pages::read(&record) {
            Ok(page) => {
                page.oddities.iter().for_each(|oddity| fate.oddity(oddity));
                fate.step(Place::Pages, Outcome::Passed(1));
                let (document, capture) = Document::of(page, origin.record_id.as_deref());
                let bytes = capture.body.len() + capture.html.as_ref().map_or(0, String::len);
                // Before the ticket is taken the record's own bytes go.
                drop(record);
                let job = Job {
                    part: part.id,
                    sequence: part.sequence,
                    strays: std::mem::take(&mut part.strays),
                    origin,
                    passage: Passage::new(document, capture, fate, self.seed),
                    ticket: self.house.enter(bytes),
                    waits: false,
                    back: ways.resumed.clone(),
                };
                part.sequence += 1;
                ways.fresh.send(job).map_err(|_closed| Gone)?;
            }
            Err(reject) => {
                let refused =
                    Refused { place: Place::Pages, outcome: reject.outcome(), says: reject.to_string() };
                part.stray(fate, origin, &record, refused);
            }
        }
        Ok(limit)
    }

    /// Sends records that became no page on their way without one. They take a place as well: an archive of nothing else
    /// must not pile up behind a page that waits for its replies.
    fn flush(&self, part: &mut Part, ways: &Ways<'_>) -> Result<(), Gone> {
        let ticket = Some(self.house.enter(0));
        let batch = Batch { strays: std::mem::take(&mut part.strays), page: None, ticket };
        let sequence = part.sequence;
        part.sequence += 1;
        send(ways, Order::Settle { part: part.id, sequence, batch: Box::new(batch) })
    }

    /// Counts a page against the limit.
    fn count(&self) -> Limit {
        let mut left = self.left.lock().unwrap_or_else(PoisonError::into_inner);
        match left.as_mut() {
            Some(left) => {
                *left = left.saturating_sub(1);
                if *left == 0 { Limit::Reached } else { Limit::Not }
            }
            None => Limit::Not,
        }
    }
}

#[derive(PartialEq, Eq)]
enum Limit {
    Reached,
    Not,
}

impl Part {
    fn origin(&self, record: &Record) -> Origin {
        Origin {
            archive: self.archive.to_string(),
            dump: self.dump.clone(),
            offset: record.entry.offset,
            length: record.entry.length,
            record_id: record.id(),
        }
    }

    /// The crawl that the archive says it is part of, if its path does not say it.
    fn learn(&mut self, record: &Record) {
        if self.dump.is_none() && record.record_type() == Some(RecordType::WarcInfo) {
            let head = record.entry.block.get(..WARCINFO_BYTES).unwrap_or(&record.entry.block);
            self.dump = dump_in(&String::from_utf8_lossy(head)).map(str::to_owned);
        }
    }

    fn stray(&mut self, mut fate: Fate, origin: Origin, record: &Record, refused: Refused) {
        let Refused { place, outcome, says } = refused;
        let failed = match &outcome {
            Outcome::Failed(reason) => Some(FailedRecord {
                origin,
                url: record.url(),
                date: record.date(),
                place: if place == Place::Records { "records" } else { "pages" },
                reason: reason.clone(),
                says,
            }),
            Outcome::Dropped(_) | Outcome::Passed(_) => None,
        };
        fate.step(place, outcome);
        self.strays.push(Stray { fate, failed });
    }
}

fn send(ways: &Ways<'_>, order: Order) -> Result<(), Gone> {
    ways.orders.send(order).map_err(|_closed| Gone)
}
