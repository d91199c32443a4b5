//! WASI with nothing in it.
//!
//! Language runtimes insist on importing parts of WASI 0.2 even for a pure function. They get what keeps a stage pure:
//! no arguments, no environment, no files, a clock that stands at the capture's date, randomness that is a function of
//! the document's id, and standard output and error that end up in the log. Everything else that a component imports
//! of WASI is there and traps when it is called, waiting for a clock included: a guest that could wait would hold its
//! thread for as long as it likes, out of the reach of every limit on computing.

use wasmtime::StoreContextMut;
use wasmtime::component::types::ComponentItem;
use wasmtime::component::{ComponentType, Lift, Linker, LinkerInstance, Lower, Resource, ResourceType};

use super::host::State;
use crate::stages::Level;

/// More randomness than this in one call is no seed; it would only fill memory.
const MAX_RANDOM_BYTES: u64 = 64 << 10;
/// What `check-write` allows at once. Lines are cut much shorter by the log.
const MAX_WRITE_BYTES: u64 = 64 << 10;

/// The packages that a component may import; a stage has no use for the others and `http` least of all.
const PACKAGES: [&str; 5] = ["wasi:cli/", "wasi:io/", "wasi:clocks/", "wasi:random/", "wasi:filesystem/"];

/// Whether a component may import this interface: it is there, with nothing in it.
pub(super) fn knows(import: &str) -> bool {
    PACKAGES.iter().any(|package| import.starts_with(package))
}

enum Input {}
enum Output {}
enum IoError {}
enum Descriptor {}
enum Terminal {}

#[derive(ComponentType, Lower, Lift)]
#[component(variant)]
enum StreamError {
    #[component(name = "last-operation-failed")]
    LastOperationFailed(Resource<IoError>),
    #[component(name = "closed")]
    Closed,
}

#[derive(ComponentType, Lower, Lift, Clone, Copy)]
#[component(record)]
struct Datetime {
    seconds: u64,
    nanoseconds: u32,
}

/// Which output a handle means is its representation.
const STDOUT: u32 = 1;
const STDERR: u32 = 2;

type Store<'a> = StoreContextMut<'a, State>;

/// Defines the interface under exactly the name, version included, by which the component imports it.
pub(super) fn define(
    engine: &wasmtime::Engine,
    linker: &mut Linker<State>,
    import: &str,
    item: &ComponentItem,
) -> wasmtime::Result<()> {
    let interface = import.split('@').next().unwrap_or(import);
    let mut it = linker.instance(import)?;
    if let ComponentItem::ComponentInstance(instance) = item {
        // Interfaces name each other's resources, and wherever one is named it must be the same one.
        for (name, export) in instance.exports(engine) {
            if let ComponentItem::Resource(_) = export.ty {
                it.resource(name, resource(name), |_, _| Ok(()))?;
            }
        }
    }
    match interface {
        "wasi:cli/environment" => environment(&mut it),
        "wasi:cli/exit" => exit(&mut it),
        "wasi:cli/stdin" => stdin(&mut it),
        "wasi:cli/stdout" => output(&mut it, "get-stdout", STDOUT),
        "wasi:cli/stderr" => output(&mut it, "get-stderr", STDERR),
        "wasi:cli/terminal-stdin" => no_terminal(&mut it, "get-terminal-stdin"),
        "wasi:cli/terminal-stdout" => no_terminal(&mut it, "get-terminal-stdout"),
        "wasi:cli/terminal-stderr" => no_terminal(&mut it, "get-terminal-stderr"),
        "wasi:io/streams" => streams(&mut it),
        "wasi:clocks/wall-clock" => wall_clock(&mut it),
        "wasi:clocks/monotonic-clock" => monotonic_clock(&mut it),
        "wasi:random/random" => random(&mut it, "get-random-bytes", "get-random-u64"),
        "wasi:random/insecure" => random(&mut it, "get-insecure-random-bytes", "get-insecure-random-u64"),
        "wasi:random/insecure-seed" => insecure_seed(&mut it),
        "wasi:filesystem/preopens" => preopens(&mut it),
        _ => Ok(()),
    }
}

fn resource(name: &str) -> ResourceType {
    match name {
        "input-stream" => ResourceType::host::<Input>(),
        "output-stream" => ResourceType::host::<Output>(),
        "error" => ResourceType::host::<IoError>(),
        "descriptor" => ResourceType::host::<Descriptor>(),
        "terminal-input" | "terminal-output" => ResourceType::host::<Terminal>(),
        _ => ResourceType::host::<()>(),
    }
}

fn environment(it: &mut LinkerInstance<'_, State>) -> wasmtime::Result<()> {
    it.func_wrap("get-environment", |_: Store<'_>, (): ()| Ok((Vec::<(String, String)>::new(),)))?;
    it.func_wrap("get-arguments", |_: Store<'_>, (): ()| Ok((Vec::<String>::new(),)))?;
    it.func_wrap("initial-cwd", |_: Store<'_>, (): ()| Ok((None::<String>,)))
}

fn exit(it: &mut LinkerInstance<'_, State>) -> wasmtime::Result<()> {
    it.func_wrap("exit", |_: Store<'_>, (_status,): (Result<(), ()>,)| {
        Err::<(), _>(wasmtime::Error::msg("the stage called exit"))
    })
}

fn stdin(it: &mut LinkerInstance<'_, State>) -> wasmtime::Result<()> {
    it.func_wrap("get-stdin", |_: Store<'_>, (): ()| Ok((Resource::<Input>::new_own(0),)))
}

fn output(it: &mut LinkerInstance<'_, State>, name: &str, stream: u32) -> wasmtime::Result<()> {
    it.func_wrap(name, move |_: Store<'_>, (): ()| Ok((Resource::<Output>::new_own(stream),)))
}

fn no_terminal(it: &mut LinkerInstance<'_, State>, name: &str) -> wasmtime::Result<()> {
    it.func_wrap(name, |_: Store<'_>, (): ()| Ok((None::<Resource<Terminal>>,)))
}

fn streams(it: &mut LinkerInstance<'_, State>) -> wasmtime::Result<()> {
    for name in ["[method]input-stream.read", "[method]input-stream.blocking-read"] {
        it.func_wrap(name, |_: Store<'_>, (_, _): (Resource<Input>, u64)| {
            Ok((Err::<Vec<u8>, _>(StreamError::Closed),))
        })?;
    }
    it.func_wrap("[method]output-stream.check-write", |_: Store<'_>, (_,): (Resource<Output>,)| {
        Ok((Ok::<u64, StreamError>(MAX_WRITE_BYTES),))
    })?;
    for name in ["[method]output-stream.write", "[method]output-stream.blocking-write-and-flush"] {
        it.func_wrap(name, |mut store: Store<'_>, (stream, bytes): (Resource<Output>, Vec<u8>)| {
            let level = if stream.rep() == STDERR { Level::Warn } else { Level::Info };
            store.data_mut().print(level, &bytes);
            Ok((Ok::<(), StreamError>(()),))
        })?;
    }
    for name in ["[method]output-stream.flush", "[method]output-stream.blocking-flush"] {
        it.func_wrap(name, |_: Store<'_>, (_,): (Resource<Output>,)| Ok((Ok::<(), StreamError>(()),)))?;
    }
    Ok(())
}

fn wall_clock(it: &mut LinkerInstance<'_, State>) -> wasmtime::Result<()> {
    it.func_wrap("now", |store: Store<'_>, (): ()| {
        let (seconds, nanoseconds) = store.data().captured();
        Ok((Datetime { seconds, nanoseconds },))
    })?;
    it.func_wrap("resolution", |_: Store<'_>, (): ()| Ok((Datetime { seconds: 1, nanoseconds: 0 },)))
}

fn monotonic_clock(it: &mut LinkerInstance<'_, State>) -> wasmtime::Result<()> {
    it.func_wrap("now", |_: Store<'_>, (): ()| Ok((0_u64,)))?;
    it.func_wrap("resolution", |_: Store<'_>, (): ()| Ok((1_000_000_000_u64,)))
}

fn random(it: &mut LinkerInstance<'_, State>, bytes: &str, number: &str) -> wasmtime::Result<()> {
    it.func_wrap(bytes, |mut store: Store<'_>, (length,): (u64,)| {
        let length = usize::try_from(length.min(MAX_RANDOM_BYTES + 1))?;
        if MAX_RANDOM_BYTES < length as u64 {
            return Err(wasmtime::Error::msg("more random bytes than a stage may have at once"));
        }
        let mut random = vec![0; length];
        store.data_mut().random(&mut random);
        Ok((random,))
    })?;
    it.func_wrap(number, |mut store: Store<'_>, (): ()| {
        let mut random = [0; 8];
        store.data_mut().random(&mut random);
        Ok((u64::from_le_bytes(random),))
    })
}

/// The seed of hash tables. It is asked for once in an instance's life, so it cannot depend on the document in hand.
fn insecure_seed(it: &mut LinkerInstance<'_, State>) -> wasmtime::Result<()> {
    it.func_wrap("insecure-seed", |_: Store<'_>, (): ()| Ok(((0_u64, 0_u64),)))
}

fn preopens(it: &mut LinkerInstance<'_, State>) -> wasmtime::Result<()> {
    it.func_wrap("get-directories", |_: Store<'_>, (): ()| {
        Ok((Vec::<(Resource<Descriptor>, String)>::new(),))
    })
}
