//! How much is between the source and the sink: so many pages, and so many bytes of them.
//!
//! Whoever brings a page in waits until there is room, and that is what stops the source when anything behind it is
//! slow. A page leaves when its rows are written. The time spent waiting is counted, because it tells whether the source
//! or what comes after it is the slower one.

use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// The bound on pages and their bytes.
#[derive(Debug)]
pub(super) struct House {
    rooms: Mutex<Rooms>,
    left: Condvar,
    max_pages: usize,
    max_bytes: usize,
}

#[derive(Debug, Default)]
struct Rooms {
    pages: usize,
    bytes: usize,
    waited: Duration,
}

/// A page's place; dropping it makes room.
#[derive(Debug)]
pub(super) struct Ticket {
    house: Arc<House>,
    bytes: usize,
}

impl House {
    pub(super) fn new(max_pages: usize, max_bytes: usize) -> Arc<Self> {
        Arc::new(Self { rooms: Mutex::default(), left: Condvar::new(), max_pages, max_bytes })
    }

    /// Waits for room. A page that is larger than the house has it to itself.
    pub(super) fn enter(self: &Arc<Self>, bytes: usize) -> Ticket {
        let begun = Instant::now();
        let rooms = self.rooms.lock().unwrap_or_else(PoisonError::into_inner);
        let full = |rooms: &mut Rooms| {
            rooms.pages != 0 && (self.max_pages <= rooms.pages || self.max_bytes < rooms.bytes + bytes)
        };
        let mut rooms = self.left.wait_while(rooms, full).unwrap_or_else(PoisonError::into_inner);
        rooms.pages += 1;
        rooms.bytes += bytes;
        rooms.waited += begun.elapsed();
        Ticket { house: Arc::clone(self), bytes }
    }

    pub(super) fn waited(&self) -> Duration {
        self.rooms.lock().unwrap_or_else(PoisonError::into_inner).waited
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        let mut rooms = self.house.rooms.lock().unwrap_or_else(PoisonError::into_inner);
        rooms.pages -= 1;
        rooms.bytes -= self.bytes;
        drop(rooms);
        self.house.left.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;

    #[test]
    fn a_full_house_stops_who_comes_until_somebody_leaves() {
        let house = House::new(2, 100);
        let (first, second) = (house.enter(10), house.enter(10));
        let (entered, told) = crossbeam_channel::bounded(1);
        let other = Arc::clone(&house);
        let guest = thread::spawn(move || {
            let ticket = other.enter(10);
            entered.send(()).unwrap();
            drop(ticket);
        });
        assert!(told.recv_timeout(Duration::from_millis(30)).is_err());
        drop(first);
        told.recv().unwrap();
        guest.join().unwrap();
        assert!(Duration::ZERO < house.waited());
        drop(second);
    }

    #[test]
    fn a_page_larger_than_the_house_has_it_to_itself() {
        let house = House::new(8, 100);
        drop(house.enter(1000));
        let small = house.enter(1);
        assert_eq!(small.bytes, 1);
    }
}
