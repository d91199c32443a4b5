//! A connection: requests are read from it and what there is to say is written to it, pauses and resets included.

use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use tokio::io::AsyncWriteExt as _;
use tokio::net::{TcpListener, TcpStream};

use crate::provider::conduct::Refusal;
use crate::provider::house::House;
use crate::provider::http::{Bad, Chunks, Head, Length, Request};
use crate::provider::ledger::Delivery;
use crate::provider::routes;
use crate::provider::wire::{End, Step, Wire};

/// What is kept of what a client sends before its answer has come.
const MAX_AHEAD_BYTES: usize = 64 << 10;

/// What is asked of the operating system at a time.
const READ_BYTES: usize = 8 << 10;

/// A buffer that a large body has grown is not kept for a connection's whole life: there are ten thousand of them.
const MAX_KEPT_BYTES: usize = 16 << 10;

/// Takes connections for as long as the server lives.
pub(crate) async fn accept(listener: TcpListener, house: Arc<House>) {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => drop(tokio::spawn(serve(stream, Arc::clone(&house)))),
            // No more file descriptors, or the client is gone again: others may have better luck in a moment.
            Err(_) => tokio::time::sleep(std::time::Duration::from_millis(5)).await,
        }
    }
}

async fn serve(mut stream: TcpStream, house: Arc<House>) {
    house.connections.fetch_add(1, Ordering::Relaxed);
    // Its end is the connection's end, whatever it was; the ledger has been told.
    drop(stream.set_nodelay(true));
    drop(converse(&mut stream, &house).await);
    house.connections.fetch_sub(1, Ordering::Relaxed);
}

/// An error is a client that has gone.
async fn converse(stream: &mut TcpStream, house: &Arc<House>) -> io::Result<()> {
    let mut ahead = Vec::new();
    loop {
        let request = match receive(stream, &mut ahead, house).await? {
            Ok(request) => request,
            Err(bad) => return stream.write_all(&refused(&bad)).await,
        };
        let keep_alive = request.head.keep_alive;
        let (wire, open) = tokio::select! {
            biased;
            answer = routes::answer(house, request) => answer,
            gone = gone(stream, &mut ahead) => return gone,
        };
        let end = wire.end;
        send(stream, &mut ahead, wire).await?;
        open.close(if end == End::Stay { Delivery::Complete } else { Delivery::Cut });
        if end == End::Reset {
            return stream.set_zero_linger();
        }
        if end == End::Close || !keep_alive {
            return stream.shutdown().await;
        }
    }
}

fn refused(bad: &Bad) -> Vec<u8> {
    let (status, says) = match bad {
        Bad::Head(says) => (400, *says),
        Bad::Chunk => (400, "a body whose chunks are none"),
        Bad::HeadTooLarge => (431, "the head is too large"),
        Bad::BodyTooLarge => (413, "the body is too large"),
    };
    let refusal = Refusal::error(status, "invalid_request_error", serde_json::Value::Null, says);
    refusal.response(jiff::Timestamp::now()).into_bytes()
}

/// The next request. What was read beyond it stays in `ahead`.
async fn receive(
    stream: &mut TcpStream,
    ahead: &mut Vec<u8>,
    house: &House,
) -> io::Result<Result<Request, Bad>> {
    if ahead.is_empty() && MAX_KEPT_BYTES < ahead.capacity() {
        *ahead = Vec::new();
    }
    let head = loop {
        match Head::parse(ahead) {
            Ok(Some((head, length))) => {
                ahead.drain(..length);
                break head;
            }
            Ok(None) => fill(stream, ahead).await?,
            Err(bad) => return Ok(Err(bad)),
        }
    };
    let most = routes::most_bytes(&head.path, house);
    if matches!(head.length, Length::Known(length) if most < length) {
        return Ok(Err(Bad::BodyTooLarge));
    }
    if head.expects && ahead.is_empty() {
        stream.write_all(b"HTTP/1.1 100 Continue\r\n\r\n").await?;
    }
    let body = match head.length {
        Length::Known(length) => {
            while ahead.len() < length {
                fill(stream, ahead).await?;
            }
            let rest = ahead.split_off(length);
            std::mem::replace(ahead, rest)
        }
        Length::Chunked => {
            let mut chunks = Chunks::new(most);
            loop {
                match chunks.take(ahead) {
                    Ok(Some(body)) => break body,
                    Ok(None) => fill(stream, ahead).await?,
                    Err(bad) => return Ok(Err(bad)),
                }
            }
        }
    };
    Ok(Ok(Request { head, body }))
}

/// Reads something, or fails because the client has closed.
async fn fill(stream: &TcpStream, ahead: &mut Vec<u8>) -> io::Result<()> {
    loop {
        stream.readable().await?;
        ahead.reserve(READ_BYTES);
        match stream.try_read_buf(ahead) {
            Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(_) => return Ok(()),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
    }
}

/// Comes back when the client goes; what it sends in the meantime is kept.
async fn gone(stream: &TcpStream, ahead: &mut Vec<u8>) -> io::Result<()> {
    while ahead.len() < MAX_AHEAD_BYTES {
        fill(stream, ahead).await?;
    }
    std::future::pending().await
}

async fn send(stream: &mut TcpStream, ahead: &mut Vec<u8>, wire: Wire) -> io::Result<()> {
    for step in wire.steps {
        match step {
            Step::Send(bytes) => stream.write_all(&bytes).await?,
            Step::Wait(wait) => tokio::select! {
                () = tokio::time::sleep(wait) => {}
                gone = gone(stream, ahead) => return gone,
            },
        }
    }
    Ok(())
}
