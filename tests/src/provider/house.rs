//! What outlives a server that dies: its settings, its ledger, what is used of its limits, its files; and the guard that
//! completes a ledger's entry whatever happens to the request.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::provider::batch::Store;
use crate::provider::conduct::Conduct;
use crate::provider::engine::Slots;
use crate::provider::ledger::{Delivery, Digest, Entry, Ledger, Route};
use crate::provider::limits::Limiter;
use crate::provider::reply::Usage;
use crate::provider::settings::Settings;

#[derive(Debug)]
pub(crate) struct House {
    pub(crate) settings: Settings,
    pub(crate) slots: Option<Arc<Slots>>,
    pub(crate) connections: AtomicUsize,
    ledger: Mutex<Ledger>,
    changed: Condvar,
    limiter: Mutex<Limiter>,
    conduct: Mutex<Conduct>,
    store: Mutex<Store>,
    under_way: AtomicUsize,
}

impl House {
    pub(crate) fn new(settings: Settings) -> Self {
        let now = Instant::now();
        Self {
            slots: settings.engine.clone().map(|engine| Arc::new(Slots::new(engine, now))),
            connections: AtomicUsize::new(0),
            ledger: Mutex::default(),
            changed: Condvar::new(),
            limiter: Mutex::new(Limiter::new(&settings.limits, now)),
            conduct: Mutex::new(settings.conduct.clone()),
            store: Mutex::default(),
            under_way: AtomicUsize::new(0),
            settings,
        }
    }

    pub(crate) fn ledger(&self) -> MutexGuard<'_, Ledger> {
        held(&self.ledger)
    }

    pub(crate) fn limiter(&self) -> MutexGuard<'_, Limiter> {
        held(&self.limiter)
    }

    pub(crate) fn store(&self) -> MutexGuard<'_, Store> {
        held(&self.store)
    }

    pub(crate) fn conduct(&self) -> Conduct {
        held(&self.conduct).clone()
    }

    pub(crate) fn behave(&self, conduct: Conduct) {
        *held(&self.conduct) = conduct;
    }

    /// Whether a key is let in.
    pub(crate) fn knows(&self, key: Option<Digest>) -> bool {
        let wanted = self.settings.key.as_ref().map(|wanted| Digest::of(wanted.as_bytes()));
        wanted.is_none() || wanted == key
    }

    pub(crate) fn change<T>(&self, change: impl FnOnce(&mut Ledger) -> T) -> T {
        let changed = change(&mut self.ledger());
        self.changed.notify_all();
        changed
    }

    /// Waits until the ledger is as wanted, or for as long as is given.
    pub(crate) fn wait(&self, wanted: impl Fn(&Ledger) -> bool, patience: Duration) -> bool {
        let waiting = |ledger: &mut Ledger| !wanted(ledger);
        let (_ledger, timeout) = self
            .changed
            .wait_timeout_while(self.ledger(), patience, waiting)
            .unwrap_or_else(PoisonError::into_inner);
        !timeout.timed_out()
    }

    /// Requests that have a place, or run, and those that wait.
    pub(crate) fn load(&self) -> (usize, usize) {
        match &self.slots {
            Some(slots) => slots.load(),
            None => (self.under_way.load(Ordering::Relaxed), 0),
        }
    }
}

/// Only a test's own rule panics behind a lock, and rules are called before anything is changed there.
fn held<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A place among the requests under way.
#[derive(Debug)]
pub(crate) struct Place {
    house: Arc<House>,
    under_way: usize,
}

impl Place {
    pub(crate) fn take(house: &Arc<House>) -> Self {
        let before = house.under_way.fetch_add(1, Ordering::Relaxed);
        Self { house: Arc::clone(house), under_way: before + 1 }
    }

    /// How many there were with this one when it was taken.
    pub(crate) fn under_way(&self) -> usize {
        self.under_way
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.house.under_way.fetch_sub(1, Ordering::Relaxed);
    }
}

/// A ledger's entry that is not complete. Whoever drops it early has gone.
#[derive(Debug)]
pub(crate) struct Open {
    house: Arc<House>,
    number: usize,
    arrived: Instant,
    chats_before: u64,
    attempt: u32,
    body: Digest,
    key: Option<Digest>,
    /// Held until the response has been handed over.
    pub(crate) place: Option<Place>,
}

impl Open {
    pub(crate) fn enter(house: &Arc<House>, route: Route, body: &[u8], who: (Option<&str>, &str)) -> Self {
        let (key, user) = who;
        let user = user.get(..user.floor_char_boundary(house.settings.message_bytes)).unwrap_or_default();
        let mut entry = Entry {
            number: 0,
            route,
            arrived: Instant::now(),
            body: Digest::of(body),
            attempt: 0,
            key: key.map(|key| Digest::of(key.as_bytes())),
            user: user.to_owned(),
            accepted: false,
            reserved: 0,
            status: None,
            usage: Usage::default(),
            price: 0,
            delivery: Delivery::Open,
        };
        let (body, key) = (entry.body, entry.key);
        house.change(|ledger| {
            // Behind the lock, so that entries are in the order of their times.
            entry.arrived = Instant::now();
            let (arrived, chats_before) = (entry.arrived, ledger.requests());
            let entered = ledger.enter(entry);
            let (number, attempt) = (entered.number, entered.attempt);
            Self { house: Arc::clone(house), number, arrived, chats_before, attempt, body, key, place: None }
        })
    }

    pub(crate) fn key(&self) -> Option<Digest> {
        self.key
    }

    pub(crate) fn arrived(&self) -> Instant {
        self.arrived
    }

    pub(crate) fn body(&self) -> Digest {
        self.body
    }

    /// How many chat requests came before, and how many of them with the same body.
    pub(crate) fn chat(&self) -> (u64, u32) {
        (self.chats_before, self.attempt)
    }

    pub(crate) fn accept(&self, reserved: u64) {
        self.house.change(|ledger| ledger.accept(self.number, reserved));
    }

    pub(crate) fn charge(&self, usage: Usage, price: u64) {
        self.house.change(|ledger| ledger.charge_for(self.number, usage, price));
    }

    pub(crate) fn answer(&self, status: Option<u16>) {
        self.house.change(|ledger| ledger.answer(self.number, status));
    }

    pub(crate) fn close(mut self, delivery: Delivery) {
        // Before the ledger says that it is over, or the next request would still find the place taken.
        self.place = None;
        self.house.change(|ledger| ledger.close(self.number, delivery));
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.house.change(|ledger| ledger.close(self.number, Delivery::Gone));
    }
}
