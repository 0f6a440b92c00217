//! A connection with a pod's keeper: orders go to it, and how its chaincode stands comes from it.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use selvedge_keeper::line::{LINE, Stand};
use socket2::{SockRef, TcpKeepalive};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::time::timeout;

/// How long a connection may take to come about, and an order to arrive: less than a call waits.
const ARRIVAL: Duration = Duration::from_secs(1);

/// How long a connection is silent before it is tried whether anybody is there.
const SILENCE: Duration = Duration::from_secs(5);

/// A connection with whoever is at a keeper's port. It is believed in nothing but what concerns its own
/// pod.
pub(super) struct KeeperStream {
    said: BufReader<OwnedReadHalf>,
    write: OwnedWriteHalf,
    /// What was read of the next word so far.
    line: Vec<u8>,
}

impl KeeperStream {
    pub(super) async fn dial(address: SocketAddr) -> io::Result<Self> {
        let stream = timeout(ARRIVAL, TcpStream::connect(address)).await??;
        bound(&stream);
        let (read, write) = stream.into_split();
        Ok(Self { said: BufReader::new(read), write, line: Vec::new() })
    }

    /// The next word; none when there will be none, or what came is none. The wait for it may be given
    /// up at any time, and begun again.
    pub(super) async fn next(&mut self) -> Option<Stand> {
        let room = LINE.saturating_sub(self.line.len() as u64);
        (&mut self.said).take(room).read_until(b'\n', &mut self.line).await.ok()?;
        let line = std::mem::take(&mut self.line);
        Stand::read(std::str::from_utf8(line.strip_suffix(b"\n")?).ok()?)
    }

    /// Gives an order.
    pub(super) async fn order(&mut self, word: &str) -> io::Result<()> {
        let line = format!("{word}\n");
        timeout(ARRIVAL, self.write.write_all(line.as_bytes())).await?
    }
}

/// Has the connection end when nobody is there any more, as on a node that is lost.
fn bound(stream: &TcpStream) {
    let socket = SockRef::from(stream);
    let keepalive = TcpKeepalive::new().with_time(SILENCE).with_interval(ARRIVAL);
    // Where the system has none of that, it ends later.
    let _ = socket.set_tcp_keepalive(&keepalive);
    let _ = socket.set_tcp_user_timeout(Some(ARRIVAL));
    let _ = socket.set_tcp_nodelay(true);
}
