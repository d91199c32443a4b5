//! How a run is doing: one line that changes on a terminal, one line every ten seconds elsewhere.

use std::collections::BTreeMap;
use std::io::{self, IsTerminal as _};
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};
use palimpsest::ledger::Ledger;
use palimpsest::llm::Llm;
use palimpsest::run::{Run, Watch};
use palimpsest::stages::{Level, Line};

use crate::exit;

/// Fast enough to look alive.
const REDRAW: Duration = Duration::from_millis(200);
/// A log of a day's run is then a few thousand lines.
const LINE_EVERY: Duration = Duration::from_secs(10);
/// Warnings of plugins that are shown; a plugin that warns of every page says nothing.
const MAX_WARNINGS: u32 = 20;

/// Shows the progress until it is dropped.
#[derive(Debug)]
pub(crate) struct Progress {
    /// Dropping it ends the thread.
    stop: Option<std::sync::mpsc::SyncSender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Progress {
    pub(crate) fn start(run: &Run, quiet: bool) -> Self {
        let (stop, stopped) = std::sync::mpsc::sync_channel::<()>(0);
        let mut shown = Shown {
            watch: run.watch(),
            llm: run.llm(),
            lines: run.lines(),
            warned: 0,
            begun: Instant::now(),
            bar: (!quiet && io::stderr().is_terminal()).then(bar),
            quiet,
            last: Instant::now(),
        };
        let thread = thread::spawn(move || {
            while stopped.recv_timeout(REDRAW) == Err(std::sync::mpsc::RecvTimeoutError::Timeout) {
                shown.show();
            }
            shown.say_lines();
            if let Some(bar) = &shown.bar {
                bar.finish_and_clear();
            }
        });
        Self { stop: Some(stop), thread: Some(thread) }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            drop(thread.join());
        }
    }
}

struct Shown {
    watch: Arc<Watch>,
    llm: Arc<Llm>,
    lines: crossbeam_channel::Receiver<Line>,
    warned: u32,
    begun: Instant,
    bar: Option<ProgressBar>,
    quiet: bool,
    last: Instant,
}

fn bar() -> ProgressBar {
    let bar = ProgressBar::new_spinner();
    if let Ok(style) = ProgressStyle::with_template("{spinner} {wide_msg}") {
        bar.set_style(style);
    }
    bar
}

impl Shown {
    fn show(&mut self) {
        self.say_lines();
        let Some(ledger) = self.watch.ledger() else { return };
        match &self.bar {
            Some(bar) => {
                bar.set_message(self.line(&ledger));
                bar.tick();
            }
            None if !self.quiet && LINE_EVERY <= self.last.elapsed() => {
                self.last = Instant::now();
                exit::say(&self.line(&ledger));
            }
            None => {}
        }
    }

    fn line(&self, ledger: &Ledger) -> String {
        let seconds = self.begun.elapsed().as_secs_f64().max(f64::MIN_POSITIVE);
        let mut parts = vec![
            format!("{} records ({:.1}/s)", ledger.total.read, per(ledger.total.read, seconds)),
            format!("{} rows", ledger.rows),
        ];
        parts.extend(reasons(ledger));
        let models: Vec<_> = self.llm.counters().into_values().collect();
        let calls: u64 = models.iter().map(|model| model.asked).sum();
        if 0 < calls {
            let tokens: u64 = models.iter().map(|model| model.completion_tokens).sum();
            parts.push(format!("{calls} model calls ({:.0} tokens/s)", per(tokens, seconds)));
        }
        let dollars: Vec<f64> = models.iter().filter_map(|model| model.dollars).collect();
        if !dollars.is_empty() {
            parts.push(format!("${:.2}", dollars.iter().sum::<f64>()));
        }
        parts.extend(self.watch.share().map(|share| left(seconds / share - seconds)));
        parts.join(" · ")
    }

    fn say_lines(&mut self) {
        while let Ok(line) = self.lines.try_recv() {
            if line.level < Level::Warn {
                continue;
            }
            self.warned += 1;
            let text = match self.warned {
                ..MAX_WARNINGS => format!("{}: {}", line.stage, line.message),
                MAX_WARNINGS => "further warnings of plugins are not shown".to_owned(),
                _ => continue,
            };
            match &self.bar {
                Some(bar) => bar.suspend(|| exit::say(&text)),
                None => exit::say(&text),
            }
        }
    }
}

/// How many were dropped and failed, with the most common reasons.
fn reasons(ledger: &Ledger) -> Option<String> {
    let mut counts: BTreeMap<&str, u64> = BTreeMap::new();
    for flow in std::iter::once(&ledger.pages).chain(ledger.stages.iter().map(|stage| &stage.flow)) {
        for (reason, count) in flow.dropped.iter().chain(&flow.failed) {
            *counts.entry(reason).or_default() += count;
        }
    }
    let mut counts: Vec<_> = counts.into_iter().collect();
    counts.sort_by_key(|(reason, count)| (std::cmp::Reverse(*count), *reason));
    let shown: Vec<_> = counts.iter().take(3).map(|(reason, count)| format!("{count} {reason}")).collect();
    (!shown.is_empty()).then(|| format!("dropped: {}", shown.join(", ")))
}

#[expect(clippy::cast_precision_loss, reason = "a rate for people needs no 53 bits")]
fn per(count: u64, seconds: f64) -> f64 {
    count as f64 / seconds
}

fn left(seconds: f64) -> String {
    if seconds < 90.0 {
        format!("about {seconds:.0} s left")
    } else {
        format!("about {:.0} min left", seconds / 60.0)
    }
}
