//! A server that gives one answer to whatever it is asked, and hangs up.

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio_util::task::AbortOnDropHandle;

/// Ends when dropped.
pub(crate) struct Broken {
    pub(crate) host: String,
    _task: AbortOnDropHandle<()>,
}

/// Sound answers to the question whether this is a registry, `answer` to everything else.
pub(crate) async fn broken(answer: &str) -> Broken {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let host = listener.local_addr().unwrap().to_string();
    let answer = answer.to_owned();
    let task = tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut request = [0; 4096];
            let read = stream.read(&mut request).await.unwrap_or_default();
            let asks = String::from_utf8_lossy(&request[..read]);
            let is_greeting = asks.starts_with("GET /v2/ ");
            let greeting = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}";
            let answer = if is_greeting { greeting } else { &answer };
            let _ = stream.write_all(answer.as_bytes()).await;
        }
    });
    Broken { host, _task: AbortOnDropHandle::new(task) }
}
