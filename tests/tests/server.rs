//! A real llama.cpp server on loopback, with the weights of the embedded model and a log of its own of every prompt.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use crate::harness::{cache, skip, weights};

/// Starts the server in a Python process and says where it listens. It ends with its standard input.
const SERVE: &str = r#"
import sys, xllamacpp
weights, log, slots = sys.argv[1], sys.argv[2], int(sys.argv[3])
params = xllamacpp.CommonParams()
params.model.path = weights
params.model_alias = {"smollm2"}
params.hostnames = ["127.0.0.1"]
params.port = 0
params.n_parallel = slots
params.n_ctx = 4096 * slots
params.n_gpu_layers = 0
params.cpuparams.n_threads = params.cpuparams_batch.n_threads = 1
params.path_prompts_log_dir = log
params.endpoint_metrics = True
server = xllamacpp.Server(params)
print("listening", server.listening_address, flush=True)
sys.stdin.read()
"#;

/// A running server.
pub(crate) struct Server {
    process: Child,
    /// The base URL, as a pipeline file has it.
    pub(crate) endpoint: String,
    log: tempfile::TempDir,
}

impl Server {
    /// Starts one, or says why what needs it is skipped.
    pub(crate) fn start(test: &str, slots: u32) -> Option<Self> {
        let weights = weights(test)?;
        let package = cache().join("test-server");
        if !package.join("xllamacpp").is_dir() {
            skip(
                test,
                &format!("there is no llama.cpp server in {}; `make test` installs it", package.display()),
            );
            return None;
        }
        Some(Self::launch(&weights, &package, slots))
    }

    fn launch(weights: &Path, package: &Path, slots: u32) -> Self {
        let log = tempfile::tempdir().unwrap();
        let mut process = Command::new("python3")
            .args(["-c", SERVE])
            .arg(weights)
            .arg(log.path())
            .arg(slots.to_string())
            .env("PYTHONPATH", package)
            // Spinning threads of idle OpenMP teams would take the cores from everybody else.
            .env("OMP_WAIT_POLICY", "passive")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let lines = BufReader::new(process.stdout.take().unwrap()).lines();
        let listening =
            lines.map_while(Result::ok).find_map(|line| line.strip_prefix("listening ").map(str::to_owned));
        let endpoint = format!("{}/v1", listening.expect("the server listens"));
        Self { process, endpoint, log }
    }

    /// Waits until the server works on nothing, whoever asked for it and is gone.
    pub(crate) fn settle(&self) {
        let (_keep, never) = std::sync::mpsc::sync_channel::<()>(0);
        let quiet = |metrics: &str| {
            ["requests_processing", "requests_deferred"]
                .iter()
                .all(|name| metrics.lines().any(|line| line == format!("llamacpp:{name} 0")))
        };
        // Twice, since a request that has just arrived is not counted yet.
        let mut rounds = 0;
        while rounds < 2 {
            rounds = if quiet(&self.metrics()) { rounds + 1 } else { 0 };
            assert!(never.recv_timeout(Duration::from_millis(100)).is_err());
        }
    }

    fn metrics(&self) -> String {
        let address = self.endpoint.trim_start_matches("http://").trim_end_matches("/v1");
        let mut connection = TcpStream::connect(address).unwrap();
        write!(connection, "GET /metrics HTTP/1.0\r\nHost: {address}\r\n\r\n").unwrap();
        let mut answer = String::new();
        connection.take(1 << 20).read_to_string(&mut answer).unwrap();
        answer
    }

    /// The prompts that the server was asked, as it logged them, in order: a file for each, named by the time, so that of
    /// two that arrive at the very same time only one is there.
    pub(crate) fn prompts(&self) -> Vec<String> {
        let mut files: Vec<_> =
            std::fs::read_dir(self.log.path()).unwrap().map(|it| it.unwrap().path()).collect();
        files.sort();
        files.iter().map(|file| std::fs::read_to_string(file).unwrap()).collect()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.process.stdin.take());
        drop(self.process.kill());
        drop(self.process.wait());
    }
}
