//! A place for files under one name: a folder on disk, or a prefix in a bucket.
//!
//! This is how a store is reached: its URL, the credentials that the environment has for it, and how long it may keep
//! silent. What is kept there is its users' business, and so is when: archives are read from it, parts are written to it.

use std::io;
use std::ops::Range;
use std::path::{Path as FilePath, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use futures::{StreamExt, TryStreamExt};
use object_store::aws::{AmazonS3Builder, AmazonS3ConfigKey};
use object_store::azure::{AzureConfigKey, MicrosoftAzureBuilder};
use object_store::gcp::{GoogleCloudStorageBuilder, GoogleConfigKey};
use object_store::local::LocalFileSystem;
use object_store::path::Path;
use object_store::{
    BackoffConfig, ClientOptions, HeaderValue, ObjectStore, ObjectStoreExt, PutMode, PutOptions, PutPayload,
    RetryConfig, WriteMultipart,
};
use tokio::io::{AsyncReadExt, AsyncSeekExt};
use url::Url;

/// What servers are told who asks.
pub const USER_AGENT: &str = concat!("palimpsest/", env!("CARGO_PKG_VERSION"));
/// Networks that take longer to answer at all are down.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// No byte for so long is a connection that nobody serves any more. There is no limit on a whole transfer: archives are
/// large and networks slow.
const STALL_TIMEOUT: Duration = Duration::from_secs(60);
/// Before a request is tried again for the first time; later pauses grow, to a quarter of a minute.
const FIRST_PAUSE: Duration = Duration::from_millis(500);
/// Requests are signed once for all their tries, and signatures hold for five minutes.
const RETRY_TIMEOUT: Duration = Duration::from_secs(240);
/// The least that S3 takes as one of several pieces is 5 MiB; it takes 10,000 of them.
const PIECE_BYTES: usize = 16 << 20;
/// Pieces that are under way at once.
const PIECES: usize = 2;

/// A folder or a prefix.
#[derive(Debug, Clone)]
pub struct Store {
    name: String,
    objects: Arc<dyn ObjectStore>,
    prefix: Path,
    folder: Option<PathBuf>,
    single_writer: bool,
}

/// How a store is reached.
#[derive(Debug, Clone, Default)]
pub struct Access {
    /// Settings under the names of the `object_store` crate, such as `aws_endpoint` and `aws_skip_signature`; later ones
    /// win. Those of the environment belong here too.
    pub settings: Vec<(String, String)>,
    /// How often a request is tried again, where whoever asks does not do so itself.
    pub retries: usize,
    /// The store cannot make a file only if it is not there: whoever asks says that nobody else is making any.
    pub single_writer: bool,
}

/// Why a store cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum Fatal {
    #[error("`{0}` is no URL of a store; accepted are paths, s3://, gs:// and az://")]
    Scheme(String),
    #[error("`{place}` cannot be reached")]
    Reach {
        place: String,
        #[source]
        source: Box<object_store::Error>,
    },
    #[error("`{place}` cannot be made a folder")]
    Folder { place: String, source: io::Error },
    #[error("cannot {verb} `{object}`")]
    Object {
        verb: &'static str,
        object: String,
        #[source]
        source: Box<object_store::Error>,
    },
    #[error("`{object}` has more than {limit} bytes")]
    TooLarge { object: String, limit: u64 },
    #[error("cannot read the copy on this machine of `{object}`")]
    Read { object: String, source: io::Error },
}

/// What is known of a file without reading it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Relative to the store.
    pub name: String,
    pub bytes: u64,
    pub modified: SystemTime,
}

/// Whether a file that must not be there was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Created {
    Here,
    WasThere,
}

impl Store {
    /// `place` is a path or a URL. A folder is made if it is not there.
    pub fn open(place: &str, access: &Access) -> Result<Self, Fatal> {
        let Some((scheme, _)) = place.split_once("://") else {
            return Self::folder(FilePath::new(place));
        };
        let url = Url::parse(place).map_err(|_no_url| Fatal::Scheme(place.to_owned()))?;
        if scheme == "file" {
            let path = url.to_file_path().map_err(|()| Fatal::Scheme(place.to_owned()))?;
            return Self::folder(&path);
        }
        let failed = |source| Fatal::Reach { place: place.to_owned(), source: Box::new(source) };
        let prefix = prefix_of(&url).map_err(failed)?;
        let objects = bucket(&url, access).map_err(failed)?;
        let objects = objects.ok_or_else(|| Fatal::Scheme(place.to_owned()))?;
        let name = place.trim_end_matches('/').to_owned();
        Ok(Self { name, objects, prefix, folder: None, single_writer: access.single_writer })
    }

    /// What answers is given: for tests of what happens when it fails.
    #[cfg(test)]
    pub(crate) fn over(objects: Arc<dyn ObjectStore>) -> Self {
        Self {
            name: "memory".to_owned(),
            objects,
            prefix: Path::default(),
            folder: None,
            single_writer: false,
        }
    }

    fn folder(folder: &FilePath) -> Result<Self, Fatal> {
        let place = || folder.display().to_string();
        std::fs::create_dir_all(folder).map_err(|source| Fatal::Folder { place: place(), source })?;
        let objects = LocalFileSystem::new_with_prefix(folder)
            .map_err(|source| Fatal::Reach { place: place(), source: Box::new(source) })?;
        // Names must be as durable as what stands in the files, and a stage's folder goes with its last file.
        let objects = objects.with_fsync(true).with_automatic_cleanup(true);
        Ok(Self {
            name: place(),
            objects: Arc::new(objects),
            prefix: Path::default(),
            folder: Some(folder.to_owned()),
            single_writer: false,
        })
    }

    /// As the user named it.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The whole name of a file, for messages.
    pub fn full(&self, name: &str) -> String {
        format!("{}/{name}", self.name)
    }

    /// Where a file is on this machine's disk, if it is.
    pub fn on_disk(&self, name: &str) -> Option<PathBuf> {
        self.folder.as_ref().map(|folder| folder.join(name))
    }

    /// For those who need more than the verbs below.
    pub fn objects(&self) -> &Arc<dyn ObjectStore> {
        &self.objects
    }

    /// The name of a file as [`Self::objects`] knows it.
    pub fn path(&self, name: &str) -> Result<Path, object_store::path::Error> {
        if self.prefix.as_ref().is_empty() {
            Path::parse(name)
        } else {
            Path::parse(format!("{}/{name}", self.prefix))
        }
    }

    /// A whole small file; none if it is not there.
    pub async fn get(&self, name: &str, limit: u64) -> Result<Option<Bytes>, Fatal> {
        let failed = |source| self.failed("read", name, source);
        let path = self.checked("read", name)?;
        let found = match self.objects.get(&path).await {
            Ok(found) => found,
            Err(object_store::Error::NotFound { .. }) => return Ok(None),
            Err(source) => return Err(failed(source)),
        };
        if limit < found.meta.size {
            return Err(Fatal::TooLarge { object: self.full(name), limit });
        }
        found.bytes().await.map(Some).map_err(failed)
    }

    /// A part of a file.
    pub async fn get_range(&self, name: &str, range: Range<u64>) -> Result<Bytes, Fatal> {
        let path = self.checked("read", name)?;
        let read = self.objects.get_range(&path, range).await;
        read.map_err(|source| self.failed("read", name, source))
    }

    /// Writes a small file, or writes it over.
    pub async fn put(&self, name: &str, bytes: impl Into<PutPayload>) -> Result<(), Fatal> {
        let path = self.checked("write", name)?;
        let put = self.objects.put(&path, bytes.into()).await;
        put.map(|_put| ()).map_err(|source| self.failed("write", name, source))
    }

    /// Writes a small file unless one of that name is there. Of several who do so at once exactly one is told
    /// [`Created::Here`].
    pub async fn create(&self, name: &str, bytes: impl Into<PutPayload>) -> Result<Created, Fatal> {
        if self.single_writer {
            return match self.size(name).await? {
                Some(_) => Ok(Created::WasThere),
                None => self.put(name, bytes).await.map(|()| Created::Here),
            };
        }
        let path = self.checked("write", name)?;
        let options = PutOptions { mode: PutMode::Create, ..PutOptions::default() };
        match self.objects.put_opts(&path, bytes.into(), options).await {
            Ok(_) => Ok(Created::Here),
            Err(object_store::Error::AlreadyExists { .. } | object_store::Error::Precondition { .. }) => {
                Ok(Created::WasThere)
            }
            Err(source) => Err(self.failed("write", name, source)),
        }
    }

    /// Copies a file of this machine from its beginning; the copy is seen when it is whole.
    pub async fn upload(&self, file: std::fs::File, name: &str) -> Result<(), Fatal> {
        let read_failed = |source| Fatal::Read { object: self.full(name), source };
        let path = self.checked("write", name)?;
        let mut from = tokio::fs::File::from_std(file);
        let bytes = from.metadata().await.map_err(read_failed)?.len();
        from.rewind().await.map_err(read_failed)?;
        if bytes <= PIECE_BYTES as u64 {
            let mut whole = Vec::new();
            from.read_to_end(&mut whole).await.map_err(read_failed)?;
            return self.put(name, whole).await;
        }
        let failed = |source| self.failed("write", name, source);
        let upload = self.objects.put_multipart(&path).await.map_err(failed)?;
        let mut upload = WriteMultipart::new_with_chunk_size(upload, PIECE_BYTES);
        loop {
            let mut piece = Vec::new();
            let read = (&mut from).take(PIECE_BYTES as u64).read_to_end(&mut piece).await;
            if read.map_err(read_failed)? == 0 {
                break;
            }
            upload.wait_for_capacity(PIECES).await.map_err(failed)?;
            upload.put(piece.into());
        }
        upload.finish().await.map(|_put| ()).map_err(failed)
    }

    /// Gives a file another name, over whatever has it; false if there is no such file.
    pub async fn rename(&self, from: &str, to: &str) -> Result<bool, Fatal> {
        let (source, target) = (self.checked("rename", from)?, self.checked("write", to)?);
        match self.objects.rename(&source, &target).await {
            Ok(()) => Ok(true),
            Err(object_store::Error::NotFound { .. }) => Ok(false),
            Err(source) => Err(self.failed("rename", from, source)),
        }
    }

    /// Removes a file; that it is not there is no failure.
    pub async fn remove(&self, name: &str) -> Result<(), Fatal> {
        let path = self.checked("remove", name)?;
        match self.objects.delete(&path).await {
            Ok(()) | Err(object_store::Error::NotFound { .. }) => Ok(()),
            Err(source) => Err(self.failed("remove", name, source)),
        }
    }

    /// The size of a file, if it is there.
    pub async fn size(&self, name: &str) -> Result<Option<u64>, Fatal> {
        let path = self.checked("look at", name)?;
        match self.objects.head(&path).await {
            Ok(meta) => Ok(Some(meta.size)),
            Err(object_store::Error::NotFound { .. }) => Ok(None),
            Err(source) => Err(self.failed("look at", name, source)),
        }
    }

    /// Every file below a folder of the store, in the order of their names.
    pub async fn list(&self, folder: &str) -> Result<Vec<Entry>, Fatal> {
        let below = if folder.is_empty() { self.prefix.clone() } else { self.checked("list", folder)? };
        let prefix = if self.prefix.as_ref().is_empty() { 0 } else { self.prefix.as_ref().len() + 1 };
        let listed = self.objects.list(Some(&below)).map_ok(|meta| Entry {
            name: meta.location.as_ref().get(prefix..).unwrap_or_default().to_owned(),
            bytes: meta.size,
            modified: meta.last_modified.into(),
        });
        let mut entries = Vec::new();
        let mut listed = listed.boxed();
        while let Some(entry) = listed.next().await {
            match entry {
                Ok(entry) => entries.push(entry),
                // A file that goes while a folder is listed is not there any more.
                Err(object_store::Error::NotFound { .. }) => {}
                Err(source) => return Err(self.failed("list", folder, source)),
            }
        }
        entries.sort_by(|one, other| one.name.cmp(&other.name));
        Ok(entries)
    }

    /// What writers that were killed have left on disk: the copies that were to become files, which no listing shows.
    /// They are named like the file, with a number sign and digits behind it.
    pub fn torn(&self) -> Vec<PathBuf> {
        let mut torn = Vec::new();
        let mut folders: Vec<PathBuf> = self.folder.iter().cloned().collect();
        while let Some(folder) = folders.pop() {
            // What goes while it is looked for is not torn.
            for entry in std::fs::read_dir(&folder).into_iter().flatten().flatten() {
                let (name, path) = (entry.file_name(), entry.path());
                let is_copy =
                    name.to_str().and_then(|name| name.rsplit_once('#')).is_some_and(|(of, number)| {
                        !of.is_empty()
                            && !number.is_empty()
                            && number.bytes().all(|byte| byte.is_ascii_digit())
                    });
                // A link to a folder is none of ours, and may lead in circles.
                if entry.file_type().is_ok_and(|it| it.is_dir()) {
                    folders.push(path);
                } else if is_copy {
                    torn.push(path);
                }
            }
        }
        torn
    }

    fn checked(&self, verb: &'static str, name: &str) -> Result<Path, Fatal> {
        self.path(name).map_err(|source| self.failed(verb, name, source.into()))
    }

    fn failed(&self, verb: &'static str, name: &str, source: object_store::Error) -> Fatal {
        Fatal::Object { verb, object: self.full(name), source: Box::new(source) }
    }
}

impl Fatal {
    /// Whether a disk is full.
    pub fn is_full(&self) -> bool {
        let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(self);
        while let Some(error) = cause {
            if let Some(error) = error.downcast_ref::<io::Error>()
                && matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
            {
                return true;
            }
            cause = error.source();
        }
        false
    }
}

/// The settings of stores among the variables of an environment.
pub fn of_environment(variables: impl IntoIterator<Item = (String, String)>) -> Vec<(String, String)> {
    let known = ["AWS_", "GOOGLE_", "AZURE_"];
    let ours = variables.into_iter().filter(|(name, _)| known.iter().any(|start| name.starts_with(start)));
    ours.map(|(name, value)| (name.to_ascii_lowercase(), value)).collect()
}

/// Whether some kind of store knows a setting of this name.
pub fn is_setting(name: &str) -> bool {
    name.parse::<AmazonS3ConfigKey>().is_ok()
        || name.parse::<GoogleConfigKey>().is_ok()
        || name.parse::<AzureConfigKey>().is_ok()
}

fn prefix_of(url: &Url) -> object_store::Result<Path> {
    Path::from_url_path(url.path().trim_end_matches('/')).map_err(Into::into)
}

/// None for a scheme that is none of a bucket.
fn bucket(url: &Url, access: &Access) -> object_store::Result<Option<Arc<dyn ObjectStore>>> {
    /// Settings of other kinds of stores are passed over: they stand in one environment.
    macro_rules! build {
        ($builder:expr) => {{
            let mut builder = $builder
                .with_url(url.as_str())
                .with_client_options(client_options()?)
                .with_retry(retries(access.retries));
            for (name, value) in &access.settings {
                if let Ok(key) = name.parse() {
                    builder = builder.with_config(key, value);
                }
            }
            Arc::new(builder.build()?)
        }};
    }
    // The workspace's TLS has no provider of its own; that another one is set already is as good.
    drop(rustls::crypto::ring::default_provider().install_default());
    Ok(Some(match url.scheme() {
        "s3" | "s3a" => build!(AmazonS3Builder::new()),
        "gs" => build!(GoogleCloudStorageBuilder::new()),
        "az" | "azure" | "adl" | "abfs" | "abfss" => build!(MicrosoftAzureBuilder::new()),
        _ => return Ok(None),
    }))
}

fn client_options() -> object_store::Result<ClientOptions> {
    let agent = HeaderValue::from_static(USER_AGENT);
    Ok(ClientOptions::new()
        .with_user_agent(agent)
        .with_connect_timeout(CONNECT_TIMEOUT)
        .with_read_timeout(STALL_TIMEOUT)
        .with_timeout_disabled())
}

fn retries(max_retries: usize) -> RetryConfig {
    let backoff = BackoffConfig { init_backoff: FIRST_PAUSE, ..BackoffConfig::default() };
    RetryConfig { backoff, max_retries, retry_timeout: RETRY_TIMEOUT }
}
