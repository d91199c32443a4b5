//! From the bytes of a component to code that can be instantiated: compiled once, kept in the user's cache, linked once.

use std::collections::BTreeMap;
use std::hash::{Hash, Hasher};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use std::{fs, io, thread};

use crossbeam_channel::{RecvTimeoutError, Sender, bounded};
use wasmtime::component::{Component, Linker};
use wasmtime::{Config, Enabled, InstanceAllocationStrategy, OptLevel, PoolingAllocationConfig};

use super::bindings::{Plugin, PluginPre};
use super::host::{Grants, State};
use super::{LoadError, LoadErrorKind, built_in, wasi};
use crate::config::{self, StagePlan};

/// The grain of time limits. A finer one wakes the machine more often and makes no page better.
const TICK: Duration = Duration::from_millis(10);
/// Deep enough for the recursion of HTML parsers and of interpreters in a guest, and half of what Rust gives a thread: a
/// guest runs on its caller's stack, and if that ended first, the process would.
const MAX_WASM_STACK: usize = 1 << 20;
/// What an instance leaves warm in its slot of the pool: a fresh instance costs a third of what it does without.
const KEEP_RESIDENT: usize = 4 << 20;
/// A component of an interpreter is some 25 core instances, 4 memories and 20 tables.
const CORE_INSTANCES: u32 = 40;
const MEMORIES: u32 = 4;
const TABLES: u32 = 20;
/// A component is read into memory whole; all 75 languages of the language stage are 290 MB.
const MAX_COMPONENT_BYTES: u64 = 1 << 30;

/// The compiler and the pool of instances, one for a process.
pub(super) struct Engine {
    pub(super) engine: wasmtime::Engine,
    cache: Option<PathBuf>,
    /// Its end ends the ticker.
    _ticker: Sender<()>,
}

/// A component, compiled and linked to what it was granted.
pub(super) struct Program {
    pub(super) pre: PluginPre<State>,
    pub(super) grants: Arc<Grants>,
    pub(super) digest: blake3::Hash,
    /// Whose notes it sees: a digest of all that decides what it is asked and what it says.
    pub(super) owner: [u8; 32],
    pub(super) uses_board: bool,
}

impl Engine {
    /// `instances` is how many may live at once, `memory_bytes` what one may grow to. Compiled code is kept below
    /// `cache`, if there is one.
    pub(super) fn new(
        instances: usize,
        memory_bytes: usize,
        cache: Option<&Path>,
    ) -> Result<Self, EngineError> {
        let instances = u32::try_from(instances).unwrap_or(u32::MAX / CORE_INSTANCES);
        let mut pool = PoolingAllocationConfig::new();
        pool.total_component_instances(instances)
            .total_core_instances(CORE_INSTANCES * instances)
            .total_memories(MEMORIES * instances)
            .total_tables(TABLES * instances)
            .max_tables_per_module(3)
            .max_component_instance_size(4 << 20)
            .max_core_instance_size(4 << 20)
            .max_memory_size(memory_bytes)
            .linear_memory_keep_resident(KEEP_RESIDENT)
            .table_keep_resident(64 << 10)
            .pagemap_scan(Enabled::Auto);
        let mut config = Config::new();
        config
            .allocation_strategy(InstanceAllocationStrategy::Pooling(pool))
            .cranelift_opt_level(OptLevel::Speed)
            .concurrency_support(false)
            .epoch_interruption(true)
            .max_wasm_stack(MAX_WASM_STACK)
            // The same document always gives the same verdict, on whichever machine.
            .cranelift_nan_canonicalization(true)
            .wasm_relaxed_simd(false)
            // No language's components need these; what is off cannot be attacked.
            .wasm_multi_memory(false)
            .wasm_memory64(false)
            .wasm_tail_call(false);
        let engine = wasmtime::Engine::new(&config).map_err(EngineError)?;
        let (ticker, stop) = bounded::<()>(0);
        let weak = engine.weak();
        thread::Builder::new()
            .name("epoch".to_owned())
            .spawn(move || {
                while let Err(RecvTimeoutError::Timeout) = stop.recv_timeout(TICK) {
                    let Some(engine) = weak.upgrade() else { break };
                    engine.increment_epoch();
                }
            })
            .map_err(|error| EngineError(error.into()))?;
        Ok(Self { engine, cache: cache.map(|cache| cache.join("compiled")), _ticker: ticker })
    }

    /// Ticks of the epoch that a call of this length may see: one more than fit, since the first is under way already.
    pub(super) fn ticks(timeout: Duration) -> u64 {
        u64::try_from(timeout.as_millis() / TICK.as_millis()).unwrap_or(u64::MAX - 1) + 1
    }

    /// `before` is what decides the documents that the stage gets.
    pub(super) fn load(
        &self,
        plan: &StagePlan,
        grants: Grants,
        before: &mut blake3::Hasher,
    ) -> Result<Program, LoadError> {
        let wrong = |kind| LoadError { plugin: plan.plugin.clone(), kind };
        let (component, digest) = self.component(&plan.component).map_err(wrong)?;
        let digest = grants.files.iter().fold(
            blake3::Hasher::new().update(digest.as_bytes()).clone(),
            |mut all, (name, bytes)| {
                all.update(name.as_bytes()).update(blake3::hash(bytes).as_bytes());
                all
            },
        );
        let mut digest = digest;
        for name in &grants.callable {
            digest.update(name.as_bytes());
            if let Some(file) = grants.classifiers.digest(name) {
                digest.update(file.as_bytes());
            }
        }
        let digest = digest.finalize();
        before.update(digest.as_bytes()).update(blake3::hash(plan.settings.as_bytes()).as_bytes());
        let owner = *before.finalize().as_bytes();
        let mut linker = Linker::new(&self.engine);
        let refused = |error: wasmtime::Error| wrong(LoadErrorKind::NotAPlugin(format!("{error:#}")));
        Plugin::add_to_linker::<_, wasmtime::component::HasSelf<_>>(&mut linker, |state: &mut State| state)
            .map_err(refused)?;
        let ty = component.component_type();
        let mut uses_board = false;
        for (import, item) in ty.imports(&self.engine) {
            uses_board |= import.starts_with("palimpsest:plugin/board@");
            if import.starts_with("palimpsest:plugin/") {
                continue;
            }
            if !wasi::knows(import) {
                return Err(wrong(LoadErrorKind::Import(import.to_owned())));
            }
            wasi::define(&self.engine, &mut linker, import, &item.ty).map_err(refused)?;
        }
        linker.define_unknown_imports_as_traps(&component).map_err(refused)?;
        let pre = linker.instantiate_pre(&component).and_then(PluginPre::new).map_err(refused)?;
        Ok(Program { pre, grants: Arc::new(grants), digest, owner, uses_board })
    }

    fn component(&self, source: &config::Component) -> Result<(Component, blake3::Hash), LoadErrorKind> {
        match source {
            config::Component::BuiltIn(name) => {
                let packed = built_in::packed(name).ok_or_else(|| LoadErrorKind::NoBuiltIn(name.clone()))?;
                // The packed bytes decide the unpacked ones, so their digest is as good and needs no unpacking.
                let digest = blake3::hash(packed);
                let component = self.compiled(&digest, || {
                    let mut bytes = Vec::new();
                    zstd::stream::copy_decode(packed, &mut bytes).map_err(LoadErrorKind::Read)?;
                    Ok(bytes)
                })?;
                Ok((component, digest))
            }
            config::Component::File(path) => {
                let length = fs::metadata(path).map_err(LoadErrorKind::Read)?.len();
                if MAX_COMPONENT_BYTES < length {
                    return Err(LoadErrorKind::TooLarge { length, limit: MAX_COMPONENT_BYTES });
                }
                let bytes = fs::read(path).map_err(LoadErrorKind::Read)?;
                let digest = blake3::hash(&bytes);
                Ok((self.compiled(&digest, || Ok(bytes))?, digest))
            }
        }
    }

    /// The compiled component, from the cache if it is there. A cache that cannot be used costs time and nothing else.
    fn compiled(
        &self,
        digest: &blake3::Hash,
        bytes: impl FnOnce() -> Result<Vec<u8>, LoadErrorKind>,
    ) -> Result<Component, LoadErrorKind> {
        let compile = |bytes: &[u8]| {
            Component::new(&self.engine, bytes)
                .map_err(|error| LoadErrorKind::NotAComponent(format!("{error:#}")))
        };
        let Some(folder) = self.cache.as_deref().filter(|folder| private_folder(folder).is_ok()) else {
            return compile(&bytes()?);
        };
        let file = folder.join(self.cache_name(digest));
        if file.exists()
            && let Ok(component) = self.revive(&file)
        {
            return Ok(component);
        }
        let bytes = bytes()?;
        let code = self
            .engine
            .precompile_component(&bytes)
            .map_err(|error| LoadErrorKind::NotAComponent(format!("{error:#}")))?;
        // From the file rather than from memory: its data is then shared with every other process that uses it.
        if store(&file, &code).is_ok()
            && let Ok(component) = self.revive(&file)
        {
            return Ok(component);
        }
        compile(&bytes)
    }

    /// What the file must be called: the digest of the component and of everything that the compiler's output depends
    /// on besides it.
    fn cache_name(&self, digest: &blake3::Hash) -> String {
        let mut engine = EngineHasher(blake3::Hasher::new());
        self.engine.precompile_compatibility_hash().hash(&mut engine);
        engine.0.update(digest.as_bytes());
        format!("{}.cwasm", engine.0.finalize().to_hex())
    }

    #[expect(
        unsafe_code,
        reason = "compiled code is native code; only files that this user's process wrote are read"
    )]
    fn revive(&self, file: &Path) -> wasmtime::Result<Component> {
        // SAFETY: the file lies in a folder that this user alone can write to, which `private_folder` has checked, under
        // the digest of the component and the engine; `store` is what puts files there.
        unsafe { Component::deserialize_file(&self.engine, file) }
    }
}

impl std::fmt::Debug for Engine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Engine").field("cache", &self.cache).finish_non_exhaustive()
    }
}

/// The WebAssembly engine cannot run on this machine.
#[derive(Debug, thiserror::Error)]
#[error("cannot set up the WebAssembly engine: {0:#}")]
pub struct EngineError(wasmtime::Error);

struct EngineHasher(blake3::Hasher);

impl Hasher for EngineHasher {
    fn write(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    fn finish(&self) -> u64 {
        let hash = self.0.finalize();
        let (head, _) = hash.as_bytes().split_at(8);
        head.iter().fold(0, |number, byte| number << 8 | u64::from(*byte))
    }
}

/// Makes the folder, and refuses one that somebody else could have written to.
fn private_folder(folder: &Path) -> io::Result<()> {
    use std::os::unix::fs::{DirBuilderExt, MetadataExt};
    fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    let metadata = fs::symlink_metadata(folder)?;
    let own = fs::metadata("/proc/self")?.uid();
    if !metadata.is_dir() || metadata.uid() != own || metadata.mode() & 0o022 != 0 {
        return Err(io::Error::new(io::ErrorKind::PermissionDenied, "the cache is open to others"));
    }
    Ok(())
}

/// Writes aside and renames, so that nobody ever reads half a file.
fn store(file: &Path, code: &[u8]) -> io::Result<()> {
    let aside = file.with_extension(format!("{}.tmp", std::process::id()));
    fs::write(&aside, code)?;
    fs::rename(&aside, file)
}

/// Reads the files that a stage was granted, and checks their digests.
pub(super) fn read_files(
    files: &BTreeMap<String, config::FileTable>,
) -> Result<BTreeMap<String, Vec<u8>>, LoadErrorKind> {
    use sha2::Digest;
    let mut read = BTreeMap::new();
    for (name, table) in files {
        let bytes = fs::read(&table.path)
            .map_err(|source| LoadErrorKind::File { path: table.path.clone(), source })?;
        if let Some(wanted) = &table.sha256 {
            let found: String =
                sha2::Sha256::digest(&bytes).iter().map(|byte| format!("{byte:02x}")).collect();
            if !wanted.eq_ignore_ascii_case(&found) {
                let (wanted, path) = (wanted.clone(), table.path.clone());
                return Err(LoadErrorKind::Digest { path, wanted, found });
            }
        }
        read.insert(name.clone(), bytes);
    }
    Ok(read)
}
