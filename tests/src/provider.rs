//! A provider of language models on loopback: the one double of this project, and the other side of its books.
//!
//! [`Provider`] serves OpenAI's interface (chat completions, models, files, batches) from a thread of its own, so that
//! tests that block can use it as well as tests that await. It answers with a pure function of each request, enforces
//! limits as they are documented, queues or refuses a crowd, misbehaves on order ([`Conduct`]), and enters every request in
//! a [`Ledger`] that the test reads. It can die and be revived on the same port with the same ledger.
//!
//! What is charged: a reply, when the model begins to work on it, whether or not the client stays for it; at half the price
//! in a batch. No error is charged, no reset before the reply's body, and nothing that was waiting when its client went.
//!
//! It knows nothing of the gateway that it is there to test, and shares no code with it.

mod batch;
mod chat;
mod conduct;
mod connection;
mod engine;
mod house;
mod http;
mod ledger;
mod limits;
mod multipart;
mod reply;
mod routes;
mod settings;
#[cfg(test)]
mod tests;
mod wire;

use std::io;
use std::net::Ipv4Addr;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use tokio::net::TcpSocket;
use tokio::sync::oneshot;

pub use batch::{BatchRules, Fate, Fates, Line, Pace};
pub use conduct::{Act, At, Conduct, Odd, Refusal, RetryAfter, Seen};
pub use engine::{Curve, Engine};
pub use ledger::{Delivery, Digest, Entry, Ledger, Mark, Most, Route};
pub use limits::{Admission, Enforced, Excess, Limiter, Limits, Reserves, go_duration};
pub use reply::{Ask, Replies, TOKENS_PER_MESSAGE, Usage};
pub use settings::{Concurrency, Count, Dialect, Price, Settings};

use house::House;

/// Ten thousand clients may come at once; the operating system has a bound of its own.
const BACKLOG: u32 = 1 << 14;

/// A server that runs until it is dropped.
#[derive(Debug)]
pub struct Provider {
    house: Arc<House>,
    port: u16,
    /// Bound to the port and never listening: while the server is dead, the port would otherwise be free, and a client that
    /// tries it again and again would one day get it as its own end and be connected with itself.
    _place: TcpSocket,
    life: Mutex<Option<Life>>,
}

impl Provider {
    /// Starts the server; it may be asked as soon as this returns.
    pub fn start(settings: Settings) -> io::Result<Self> {
        // What the system does not allow shows as soon as it is needed.
        drop(rlimit::increase_nofile_limit(u64::MAX));
        let place = bound(settings.port)?;
        let port = place.local_addr()?.port();
        let house = Arc::new(House::new(settings));
        let provider = Self { house, port, _place: place, life: Mutex::new(None) };
        provider.revive()?;
        Ok(provider)
    }

    /// What a pipeline names: `http://127.0.0.1:PORT/v1`.
    pub fn endpoint(&self) -> String {
        format!("{}/v1", self.root())
    }

    /// Where `/health` and `/metrics` are.
    pub fn root(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    /// Ends the server as if it had been killed: connections are closed in the middle of whatever they were at, and new ones
    /// are refused from when this returns. A dead server stays dead.
    pub fn die(&self) {
        *self.life.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// Starts the server again. The ledger, the limits, files and batches are those that it left. A living one stays alive.
    pub fn revive(&self) -> io::Result<()> {
        let mut life = self.life.lock().unwrap_or_else(PoisonError::into_inner);
        if life.is_none() {
            *life = Some(Life::begin(self.port, &self.house)?);
        }
        Ok(())
    }

    /// Behaves otherwise from the next request on.
    pub fn behave(&self, conduct: Conduct) {
        self.house.behave(conduct);
    }

    /// Reads the ledger, which stands still for so long.
    pub fn ledger<T>(&self, read: impl FnOnce(&Ledger) -> T) -> T {
        read(&self.house.ledger())
    }

    /// Blocks until the ledger is as wanted, and says whether it was so in time. A client may have its reply a moment before
    /// the ledger has its delivery. A test that awaits calls this from a thread that its client does not need.
    pub fn wait(&self, patience: Duration, wanted: impl Fn(&Ledger) -> bool) -> bool {
        self.house.wait(wanted, patience)
    }

    /// How many requests run and how many wait for a slot. Without an engine they run as long as they are under way.
    pub fn load(&self) -> (usize, usize) {
        self.house.load()
    }

    /// Open connections.
    pub fn connections(&self) -> usize {
        self.house.connections.load(Ordering::Relaxed)
    }
}

/// One run of the server: a thread with a runtime of its own, whose end ends all that is in it.
#[derive(Debug)]
struct Life {
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Life {
    fn begin(port: u16, house: &Arc<House>) -> io::Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let listener = {
            let _within = runtime.enter();
            bound(port)?.listen(BACKLOG)?
        };
        let (stop, stopped) = oneshot::channel();
        let house = Arc::clone(house);
        let run = move || {
            runtime.block_on(async {
                if let Some(slots) = &house.slots {
                    let slots = Arc::clone(slots);
                    drop(tokio::spawn(async move { slots.drive().await }));
                }
                tokio::select! {
                    () = connection::accept(listener, Arc::clone(&house)) => {}
                    // Said or not, it is over.
                    _ = stopped => {}
                }
            });
            drop(runtime);
            house.connections.store(0, Ordering::Relaxed);
        };
        let thread = thread::Builder::new().name("provider".to_owned()).spawn(run)?;
        Ok(Self { stop: Some(stop), thread: Some(thread) })
    }
}

impl Drop for Life {
    fn drop(&mut self) {
        drop(self.stop.take());
        // A panic in there has been reported by the thread itself.
        drop(self.thread.take().map(JoinHandle::join));
    }
}

fn bound(port: u16) -> io::Result<TcpSocket> {
    let socket = TcpSocket::new_v4()?;
    socket.set_reuseaddr(true)?;
    socket.bind((Ipv4Addr::LOCALHOST, port).into())?;
    Ok(socket)
}
