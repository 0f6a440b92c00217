//! A server that gives one answer to whatever it is asked, and hangs up.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio_util::task::AbortOnDropHandle;

/// What is sent again and again: a chunk of an answer.
const CHUNK: &[u8] = &[b' '; 64 << 10];

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

/// Begins an answer to everything, and never ends it.
pub(crate) async fn endless(beginning: &str) -> Broken {
    endless_but(beginning, "nothing", "").await
}

/// The same, but for what has this in its address, which is answered with `document`.
pub(crate) async fn endless_but(beginning: &str, answered: &str, document: &str) -> Broken {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let host = listener.local_addr().unwrap().to_string();
    let (beginning, answered) = (beginning.to_owned(), answered.to_owned());
    let whole = format!(
        "HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{document}",
        document.len()
    );
    let task = tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut request = [0; 4096];
            let read = stream.read(&mut request).await.unwrap_or_default();
            if String::from_utf8_lossy(&request[..read]).contains(&answered) {
                let _ = stream.write_all(whole.as_bytes()).await;
                continue;
            }
            let _ = stream.write_all(beginning.as_bytes()).await;
            let size = format!("{:x}\r\n", CHUNK.len());
            let chunk = [size.as_bytes(), CHUNK, b"\r\n"].concat();
            while stream.write_all(&chunk).await.is_ok() {}
        }
    });
    Broken { host, _task: AbortOnDropHandle::new(task) }
}

/// A registry that gives `document` to who has its token, and that to who has the password.
pub(crate) async fn with_tokens(user: &str, password: &str, document: &str) -> Broken {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let host = listener.local_addr().unwrap().to_string();
    let basic = format!("basic {}", BASE64_STANDARD.encode(format!("{user}:{password}")));
    let challenge = format!(
        "WWW-Authenticate: Bearer realm=\"http://{host}/token\",service=\"it\",scope=\"repository:asset:pull\""
    );
    let (token, document) = (r#"{"token":"a-token"}"#.to_owned(), document.to_owned());
    let task = tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut request = [0; 4096];
            let read = stream.read(&mut request).await.unwrap_or_default();
            let asks = String::from_utf8_lossy(&request[..read]).into_owned();
            let has = |what: &str| asks.to_lowercase().contains(&what.to_lowercase());
            let for_token = "GET /token?scope=repository%3Aasset%3Apull&service=it ";
            let (status, header, body) = if asks.starts_with(for_token) && has(&basic) {
                ("200 OK", "Content-Type: application/json", &token)
            } else if has("authorization: bearer a-token") {
                ("200 OK", "Content-Type: application/json", &document)
            } else {
                ("401 Unauthorized", challenge.as_str(), &String::new())
            };
            let length = body.len();
            let answer = format!(
                "HTTP/1.1 {status}\r\n{header}\r\nContent-Length: {length}\r\n\
                 Connection: close\r\n\r\n{body}"
            );
            let _ = stream.write_all(answer.as_bytes()).await;
        }
    });
    Broken { host, _task: AbortOnDropHandle::new(task) }
}
