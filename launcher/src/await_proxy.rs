//! Waits in a chaincode's pod until the proxy can be reached from there, and leaves the keeper for the
//! chaincode's container.
//!
//! A cluster's nodes learn of a new address and of a new pod's policies in their own time, seconds
//! when they are busy, and shims do not try again: chaincode is started when the way is open.

use std::fs;
use std::net::{TcpStream, ToSocketAddrs};
use std::path::PathBuf;
use std::thread::sleep;
use std::time::Duration;

use anyhow::Context;

use crate::keeper::keeper_program;

/// What one attempt may take.
const ATTEMPT: Duration = Duration::from_secs(1);

/// The delay between attempts.
const AGAIN: Duration = Duration::from_millis(50);

/// Which proxy is awaited.
#[derive(Debug, clap::Args)]
pub(crate) struct AwaitProxy {
    /// HOST:PORT of the proxy.
    address: String,
    /// Where the keeper is left; overwritten.
    #[arg(long, value_name = "FILE")]
    keeper: Option<PathBuf>,
}

/// Leaves the keeper, and returns when the proxy takes a connection. Who started the pod bounds the
/// time.
pub(crate) fn run(order: &AwaitProxy) -> anyhow::Result<()> {
    if let Some(file) = &order.keeper {
        let keeper = keeper_program().context("this program's file is not to be found")?;
        // The mode goes with it.
        fs::copy(&keeper, file).with_context(|| {
            format!("cannot copy the keeper {} to {}", keeper.display(), file.display())
        })?;
    }
    let mut said = String::new();
    while let Err(error) = reach(&order.address) {
        let error = error.to_string();
        if error != said {
            eprintln!("cannot reach the proxy at {} yet: {error}", order.address);
            said = error;
        }
        sleep(AGAIN);
    }
    Ok(())
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
            let order = AwaitProxy { address: address.clone(), keeper: None };
            std::thread::spawn(move || run(&order))
        };
        assert!(reach(&address).is_err());
        let listener = TcpListener::bind(&address).unwrap();
        listener.accept().unwrap();
        waiting.join().unwrap().unwrap();
    }
}
