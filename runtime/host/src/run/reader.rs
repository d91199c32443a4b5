//! The first in line: archives become records, and records that are pages become jobs.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use crossbeam_channel::Sender;
use palimpsest_warc::{Limits, RecordType};
use tokio::runtime::Handle;

use super::house::House;
use super::worker::Job;
use super::writer::{Batch, FailedRecord, Order, Stray};
use super::{Fatal, Stop, Watch};
use crate::document::Document;
use crate::ledger::{Fate, Outcome, Place};
use crate::records::{self, Record};
use crate::sinks::{Origin, dump_in};
use crate::stages::Passage;
use crate::{pages, source};

/// Records that become no page travel with the next page, but not more of them than this.
const MAX_STRAYS: usize = 256;
/// A `warcinfo` record names the crawl in its first lines.
const WARCINFO_BYTES: usize = 8 << 10;

/// What the readers share.
pub(super) struct Reading<'a> {
    pub(super) archives: &'a [PathBuf],
    /// The archives to read, by number.
    pub(super) todo: &'a [usize],
    pub(super) next: AtomicUsize,
    /// Pages that the limit leaves.
    pub(super) left: Mutex<Option<u64>>,
    pub(super) wanted: Vec<RecordType>,
    pub(super) seed: u64,
    pub(super) house: Arc<House>,
    pub(super) runtime: Handle,
    pub(super) stop: Arc<Stop>,
    pub(super) watch: Arc<Watch>,
}

/// Where jobs and orders go.
pub(super) struct Ways<'a> {
    pub(super) fresh: &'a Sender<Job>,
    pub(super) resumed: &'a Sender<Job>,
    pub(super) orders: &'a Sender<Order>,
}

/// One archive while it is read.
struct Archive<'a> {
    number: usize,
    path: &'a Path,
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
            let Some(&number) = self.todo.get(self.next.fetch_add(1, Ordering::Relaxed)) else { return };
            let path = &self.archives[number];
            let dump = dump_in(&path.to_string_lossy()).map(str::to_owned);
            let archive = Archive { number, path, dump, sequence: 0, strays: Vec::new() };
            if self.archive(archive, ways).is_err() {
                return;
            }
        }
    }

    fn left(&self) -> Option<u64> {
        *self.left.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn archive(&self, mut archive: Archive<'_>, ways: &Ways<'_>) -> Result<(), Gone> {
        send(ways, Order::Begin { archive: archive.number })?;
        let stream = source::open(archive.path.to_owned());
        let bytes = source::Archive::new(&self.runtime, stream);
        let bytes = bytes.counted(|read| {
            self.watch.bytes_read.fetch_add(read, Ordering::Relaxed);
        });
        for record in records::read(bytes, Limits::default()) {
            if self.stop.is_set() {
                return Err(Gone);
            }
            let record = record.map_err(|source| {
                let path = archive.path.to_owned();
                self.stop.set(Fatal::Source(source::Fatal::Read { path, source }));
                Gone
            })?;
            self.watch.records_read.fetch_add(1, Ordering::Relaxed);
            if self.record(&mut archive, record, ways)? == Limit::Reached {
                break;
            }
        }
        if !archive.strays.is_empty() {
            self.flush(&mut archive, ways)?;
        }
        send(ways, Order::End { archive: archive.number, batches: archive.sequence })
    }

    fn record(&self, archive: &mut Archive<'_>, record: Record, ways: &Ways<'_>) -> Result<Limit, Gone> {
        let origin = archive.origin(&record);
        let mut fate = Fate::default();
        record.oddities.iter().for_each(|oddity| fate.oddity(oddity.word()));
        if let Err(reject) = records::select(&record, &self.wanted) {
            archive.learn(&record);
            let refused =
                Refused { place: Place::Records, outcome: reject.outcome(), says: reject.to_string() };
            archive.stray(fate, origin, &record, refused);
            if MAX_STRAYS <= archive.strays.len() {
                self.flush(archive, ways)?;
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
                    archive: archive.number,
                    sequence: archive.sequence,
                    strays: std::mem::take(&mut archive.strays),
                    origin,
                    passage: Passage::new(document, capture, fate, self.seed),
                    ticket: self.house.enter(bytes),
                    back: ways.resumed.clone(),
                };
                archive.sequence += 1;
                ways.fresh.send(job).map_err(|_closed| Gone)?;
            }
            Err(reject) => {
                let refused =
                    Refused { place: Place::Pages, outcome: reject.outcome(), says: reject.to_string() };
                archive.stray(fate, origin, &record, refused);
            }
        }
        Ok(limit)
    }

    /// Sends records that became no page on their way without one. They take a place as well: an archive of nothing else
    /// must not pile up behind a page that waits for its replies.
    fn flush(&self, archive: &mut Archive<'_>, ways: &Ways<'_>) -> Result<(), Gone> {
        let ticket = Some(self.house.enter(0));
        let batch = Batch { strays: std::mem::take(&mut archive.strays), page: None, ticket };
        let sequence = archive.sequence;
        archive.sequence += 1;
        send(ways, Order::Settle { archive: archive.number, sequence, batch: Box::new(batch) })
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

impl Archive<'_> {
    fn origin(&self, record: &Record) -> Origin {
        Origin {
            archive: self.path.to_string_lossy().into_owned(),
            dump: self.dump.clone(),
            offset: record.offset,
            length: record.length,
            record_id: record.id(),
        }
    }

    /// The crawl that the archive says it is part of, if its path does not say it.
    fn learn(&mut self, record: &Record) {
        if self.dump.is_none() && record.record_type() == Some(RecordType::WarcInfo) {
            let head = record.block.get(..WARCINFO_BYTES).unwrap_or(&record.block);
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
