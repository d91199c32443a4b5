//! Real S3 servers on loopback, each with a bucket.

use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use palimpsest::store::{Access, Store};

/// A server, its settings, and a bucket in it.
pub(crate) struct Bucket {
    port: u16,
    settings: Vec<(String, String)>,
    runtime: tokio::runtime::Runtime,
    _server: Server,
}

/// What ends with the bucket.
enum Server {
    Moto {
        _process: Process,
    },
    /// Requests are served by the bucket's runtime.
    S3s {
        _objects: tempfile::TempDir,
    },
}

struct Process(Child);

impl Drop for Process {
    fn drop(&mut self) {
        // One that has ended already needs no ending.
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

const BUCKET: &str = "crawls";

impl Bucket {
    /// AWS's own protocol as a well-known mock of all of AWS speaks it; `packages` is the folder that has it.
    pub(crate) fn moto(packages: &Path) -> Self {
        let port = free_port();
        let mut command = Command::new("python3");
        command.args(["-m", "moto.server", "-H", "127.0.0.1", "-p", &port.to_string()]);
        command.env("PYTHONPATH", packages).stdout(Stdio::null()).stderr(Stdio::null());
        let process = Process(command.spawn().unwrap());
        wait_for(port);
        let bucket = Self::new(port, Server::Moto { _process: process });
        let made = bucket.runtime.block_on(async {
            let client = tokio::net::TcpStream::connect(("127.0.0.1", port)).await?;
            let request = format!("PUT /{BUCKET} HTTP/1.0\r\nHost: 127.0.0.1\r\nContent-Length: 0\r\n\r\n");
            let (mut from, mut to) = client.into_split();
            tokio::io::AsyncWriteExt::write_all(&mut to, request.as_bytes()).await?;
            let mut reply = String::new();
            tokio::io::AsyncReadExt::read_to_string(&mut from, &mut reply).await?;
            std::io::Result::Ok(reply)
        });
        let made = made.unwrap();
        assert!(made.contains(" 200 "), "{made}");
        bucket
    }

    /// Another implementation of the protocol, over a folder, in this process.
    pub(crate) fn s3s() -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join(BUCKET)).unwrap();
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        listener.set_nonblocking(true).unwrap();
        let port = listener.local_addr().unwrap().port();
        let objects = s3s_fs::FileSystem::new(folder.path()).unwrap();
        let bucket = Self::new(port, Server::S3s { _objects: folder });
        let mut builder = s3s::service::S3ServiceBuilder::new(objects);
        builder.set_auth(s3s::auth::SimpleAuth::from_single("key", "secret"));
        let service = builder.build();
        bucket.runtime.spawn(async move {
            let listener = tokio::net::TcpListener::from_std(listener).unwrap();
            while let Ok((stream, _)) = listener.accept().await {
                let service = service.clone();
                tokio::spawn(async move {
                    let stream = hyper_util::rt::TokioIo::new(stream);
                    let server =
                        hyper_util::server::conn::auto::Builder::new(hyper_util::rt::TokioExecutor::new());
                    // A client that is killed breaks its connection.
                    drop(server.serve_connection(stream, service).await);
                });
            }
        });
        bucket
    }

    fn new(port: u16, server: Server) -> Self {
        let settings = [
            ("aws_endpoint", format!("http://127.0.0.1:{port}")),
            ("aws_allow_http", "true".to_owned()),
            ("aws_region", "us-east-1".to_owned()),
            ("aws_access_key_id", "key".to_owned()),
            ("aws_secret_access_key", "secret".to_owned()),
        ];
        let settings = settings.map(|(name, value)| (name.to_owned(), value)).to_vec();
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        Self { port, settings, runtime, _server: server }
    }

    /// The credentials, as the program finds them.
    pub(crate) fn environment(&self) -> impl Iterator<Item = (String, &str)> {
        self.settings.iter().map(|(name, value)| (name.to_ascii_uppercase(), value.as_str()))
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    pub(crate) fn url(&self, name: &str) -> String {
        format!("s3://{BUCKET}/{name}")
    }

    pub(crate) fn upload(&self, file: &Path, name: &str) {
        let file = std::fs::File::open(file).unwrap();
        self.runtime.block_on(self.store("").upload(file, name)).unwrap();
    }

    fn store(&self, prefix: &str) -> Store {
        let access = Access { settings: self.settings.clone(), retries: 3, ..Access::default() };
        Store::open(&self.url(prefix), &access).unwrap()
    }

    /// Every file below a prefix, by its name in it.
    pub(crate) fn files(&self, prefix: &str) -> Vec<(String, Vec<u8>)> {
        let store = self.store(prefix);
        self.runtime.block_on(async {
            let mut files = Vec::new();
            for folder in ["data", "rejects", "_commit", "_done", "_stage"] {
                for entry in store.list(folder).await.unwrap() {
                    let bytes = store.get(&entry.name, u64::MAX).await.unwrap().unwrap();
                    files.push((entry.name, bytes.to_vec()));
                }
            }
            files
        })
    }
}

/// Nobody else asks for ports of this machine's own while a test starts its server.
fn free_port() -> u16 {
    TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap().port()
}

fn wait_for(port: u16) {
    let begun = Instant::now();
    while TcpStream::connect(("127.0.0.1", port)).is_err() {
        assert!(begun.elapsed() < Duration::from_secs(60), "the server on port {port} does not start");
        #[expect(clippy::disallowed_methods, reason = "a server does not say when it listens")]
        std::thread::sleep(Duration::from_millis(50));
    }
}
