//! Waits in a chaincode's pod until the proxy can be reached from there.
//!
//! A cluster's nodes learn of a new address and of a new pod's policies in their own time, seconds
//! when they are busy, and shims do not try again: chaincode is started when the way is open.

use std::net::{TcpStream, ToSocketAddrs};
use std::thread::sleep;
use std::time::Duration;

/// What one attempt may take.
const ATTEMPT: Duration = Duration::from_secs(1);

/// The delay between attempts.
const AGAIN: Duration = Duration::from_millis(50);

/// Which proxy is awaited.
#[derive(Debug, clap::Args)]
pub(crate) struct AwaitProxy {
    /// HOST:PORT of the proxy.
    address: String,
}

/// Returns when the proxy takes a connection. Who started the pod bounds the time.
pub(crate) fn run(order: &AwaitProxy) {
    let mut said = String::new();
    while let Err(error) = reach(&order.address) {
        let error = error.to_string();
        if error != said {
            eprintln!("cannot reach the proxy at {} yet: {error}", order.address);
            said = error;
        }
        sleep(AGAIN);
    }
}

fn reach(address: &str) -> std::io::Result<()> {
    let mut last = std::io::ErrorKind::NotFound.into();
    for address in address.to_socket_addrs()? {
        match TcpStream::connect_timeout(&address, ATTEMPT) {
            Ok(_) => return Ok(()),
            Err(error) => last = error,
        }
    }
    Err(last)
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    #[test]
    fn returns_when_the_proxy_is_there() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        drop(listener);
        let waiting = {
            let order = AwaitProxy { address: address.clone() };
            std::thread::spawn(move || run(&order))
        };
        assert!(reach(&address).is_err());
        let listener = TcpListener::bind(&address).unwrap();
        listener.accept().unwrap();
        waiting.join().unwrap();
    }
}
