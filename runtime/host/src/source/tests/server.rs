//! A web server that does as a test says, down to when it hangs up.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};

/// A request as it came.
#[derive(Debug, Clone)]
pub(super) struct Request {
    pub(super) method: String,
    pub(super) path: String,
    headers: Vec<(String, String)>,
    /// How many came before it.
    pub(super) number: usize,
}

impl Request {
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(known, _)| known.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
    }

    /// Where the range begins that is asked for.
    pub(super) fn from(&self) -> Option<usize> {
        self.header("range")?.strip_prefix("bytes=")?.strip_suffix('-')?.parse().ok()
    }
}

pub(super) enum Step {
    Send(Bytes),
    Wait(Duration),
    /// The connection breaks hard.
    Reset,
}

/// A head and what follows it; then the connection ends.
pub(super) struct Reply {
    pub(super) head: String,
    pub(super) body: Vec<Step>,
}

impl Reply {
    pub(super) fn new(status: &str, headers: &[&str], body: &[u8]) -> Self {
        let mut head = format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\n", body.len());
        headers.iter().for_each(|header| head += &format!("{header}\r\n"));
        Self { head, body: vec![Step::Send(Bytes::copy_from_slice(body))] }
    }

    /// A part of a file as a good server sends it.
    pub(super) fn file(request: &Request, bytes: &[u8], validator: &str) -> Self {
        let Some(from) = request.from() else { return Self::new("200 OK", &[validator], bytes) };
        if bytes.len() <= from {
            let range = format!("Content-Range: bytes */{}", bytes.len());
            return Self::new("416 Range Not Satisfiable", &[&range], b"");
        }
        let range = format!("Content-Range: bytes {from}-{}/{}", bytes.len() - 1, bytes.len());
        Self::new("206 Partial Content", &[&range, validator], &bytes[from..])
    }

    /// The same, but after so many bytes something else happens.
    pub(super) fn then(mut self, at: usize, step: Step) -> Self {
        if let Some(Step::Send(bytes)) = self.body.first_mut() {
            bytes.truncate(at);
        }
        self.body.push(step);
        self
    }
}

/// A running server; it ends with the test's runtime.
#[derive(Clone)]
pub(super) struct Server {
    pub(super) port: u16,
    pub(super) requests: Arc<Mutex<Vec<Request>>>,
    /// Connections that are open, and the most that were.
    pub(super) open: Arc<AtomicUsize>,
    pub(super) most: Arc<AtomicUsize>,
    /// How far into the file the last answer is.
    pub(super) position: Arc<AtomicUsize>,
}

impl Server {
    pub(super) async fn start(reply: impl Fn(&Request) -> Reply + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let server = Self {
            port: listener.local_addr().unwrap().port(),
            requests: Arc::default(),
            open: Arc::default(),
            most: Arc::default(),
            position: Arc::default(),
        };
        let (ours, reply) = (server.clone(), Arc::new(reply));
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (ours, reply) = (ours.clone(), Arc::clone(&reply));
                tokio::spawn(async move {
                    let open = ours.open.fetch_add(1, Ordering::SeqCst) + 1;
                    ours.most.fetch_max(open, Ordering::SeqCst);
                    // Whether the client stays to the end is its business.
                    drop(ours.serve(stream, &*reply).await);
                    ours.open.fetch_sub(1, Ordering::SeqCst);
                });
            }
        });
        server
    }

    pub(super) fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port)
    }

    /// Requests for bytes, in their order.
    pub(super) fn gets(&self) -> Vec<Request> {
        self.requests.lock().unwrap().iter().filter(|request| request.method == "GET").cloned().collect()
    }

    async fn serve(
        &self,
        stream: TcpStream,
        reply: &(impl Fn(&Request) -> Reply + Sync),
    ) -> std::io::Result<()> {
        let mut stream = BufReader::new(stream);
        let mut lines = Vec::new();
        loop {
            let mut line = String::new();
            if stream.read_line(&mut line).await? == 0 {
                return Ok(());
            }
            if line.trim().is_empty() {
                break;
            }
            lines.push(line.trim().to_owned());
        }
        let mut words = lines[0].split(' ').map(str::to_owned);
        let headers = lines[1..].iter().filter_map(|line| line.split_once(": "));
        let mut request = Request {
            method: words.next().unwrap(),
            path: words.next().unwrap(),
            headers: headers.map(|(name, value)| (name.to_owned(), value.to_owned())).collect(),
            number: 0,
        };
        {
            let mut requests = self.requests.lock().unwrap();
            request.number = requests.iter().filter(|it| it.method == request.method).count();
            requests.push(request.clone());
        }
        let Reply { head, body } = reply(&request);
        stream.write_all(format!("{head}Connection: close\r\n\r\n").as_bytes()).await?;
        if request.method == "HEAD" {
            return Ok(());
        }
        self.position.store(request.from().unwrap_or(0), Ordering::SeqCst);
        for step in body {
            match step {
                Step::Send(bytes) => {
                    for bytes in bytes.chunks(64 << 10) {
                        stream.write_all(bytes).await?;
                        self.position.fetch_add(bytes.len(), Ordering::SeqCst);
                    }
                }
                Step::Wait(time) => {
                    stream.flush().await?;
                    // A client that leaves meanwhile is not waited for.
                    let mut nothing = String::new();
                    let left = tokio::time::timeout(time, stream.read_line(&mut nothing)).await;
                    if left.is_ok() {
                        return Ok(());
                    }
                }
                Step::Reset => {
                    stream.flush().await?;
                    // What was sent must arrive before the connection breaks.
                    tokio::time::sleep(Duration::from_millis(20)).await;
                    stream.get_ref().set_zero_linger()?;
                    return Ok(());
                }
            }
        }
        stream.flush().await?;
        stream.shutdown().await
    }
}
