//! The line to a pod's keeper in function mode: dialled for as long as it is held, told when the
//! chaincode is to run, and listened to.

use std::net::SocketAddr;
use std::time::Duration;

use selvedge_keeper::line::{LET_GO, START, STOP, Stand};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep};
use tokio_util::task::AbortOnDropHandle;
use tracing::warn;

use super::word::PodUid;
use crate::kubernetes::keeper_stream::KeeperStream;

/// The delay before a keeper is dialled again; it doubles. Short: it is about to listen.
const FIRST: Duration = Duration::from_millis(10);

/// The longest delay.
const LONGEST: Duration = Duration::from_secs(1);

/// From this time on it is told that a keeper is not reached.
const TOO_LONG: Duration = Duration::from_secs(10);

/// Orders that wait to be written: no more are given between two words of the keeper's.
const ORDERS: usize = 8;

/// What a keeper is to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Order {
    Start,
    Stop,
    /// To know that its process was let go.
    LetGo,
}

/// What is heard of a keeper.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Heard {
    /// It is reached from now on, and its chaincode stands so.
    Reached(Stand),
    /// That stands so now.
    Stands(Stand),
    /// It is reached no more.
    Nothing,
}

/// A line, until it is dropped.
pub(super) struct KeeperLine {
    orders: mpsc::Sender<Order>,
    _task: AbortOnDropHandle<()>,
}

impl KeeperLine {
    /// Dials the keeper of a pod; what is heard of it goes to `heard`.
    pub(super) fn dial(
        address: SocketAddr,
        pod: PodUid,
        heard: mpsc::Sender<(PodUid, Heard)>,
    ) -> Self {
        let (orders, taken) = mpsc::channel(ORDERS);
        let task = tokio::spawn(hold(address, pod, heard, taken));
        Self { orders, _task: AbortOnDropHandle::new(task) }
    }

    /// Gives an order. One that cannot be given any more is of no use: when the keeper is reached
    /// again, it says how it stands.
    pub(super) fn tell(&self, order: Order) {
        let _ = self.orders.try_send(order);
    }
}

async fn hold(
    address: SocketAddr,
    pod: PodUid,
    heard: mpsc::Sender<(PodUid, Heard)>,
    mut orders: mpsc::Receiver<Order>,
) {
    let (mut delay, mut last, mut is_told) = (FIRST, Instant::now(), false);
    loop {
        if let Ok(stream) = KeeperStream::dial(address).await {
            // What was ordered of one that was not reached is not wanted any more.
            while orders.try_recv().is_ok() {}
            if speak(stream, &pod, &heard, &mut orders).await {
                (delay, last, is_told) = (FIRST, Instant::now(), false);
                if heard.send((pod.clone(), Heard::Nothing)).await.is_err() {
                    return;
                }
            }
        }
        if !is_told && last.elapsed() >= TOO_LONG {
            is_told = true;
            warn!(%address, "a keeper is not reached, and starts nothing; does the network let it?");
        }
        sleep(delay).await;
        delay = (delay * 2).min(LONGEST);
    }
}

/// Writes orders and reads what is said, until the connection ends; whether it was a keeper's.
async fn speak(
    mut stream: KeeperStream,
    pod: &PodUid,
    heard: &mpsc::Sender<(PodUid, Heard)>,
    orders: &mut mpsc::Receiver<Order>,
) -> bool {
    let mut is_keeper = false;
    loop {
        tokio::select! {
            stand = stream.next() => {
                let Some(stand) = stand else { return is_keeper };
                let word = if is_keeper { Heard::Stands(stand) } else { Heard::Reached(stand) };
                is_keeper = true;
                if heard.send((pod.clone(), word)).await.is_err() {
                    return is_keeper;
                }
            }
            Some(order) = orders.recv() => {
                let word = match order {
                    Order::Start => START,
                    Order::Stop => STOP,
                    Order::LetGo => LET_GO,
                };
                if stream.order(word).await.is_err() {
                    return is_keeper;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;
    use tokio::time::timeout;

    use super::*;

    async fn keeper() -> (TcpListener, KeeperLine, mpsc::Receiver<(PodUid, Heard)>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (sink, heard) = mpsc::channel(8);
        let line = KeeperLine::dial(listener.local_addr().unwrap(), "pod".to_owned(), sink);
        (listener, line, heard)
    }

    async fn soon<T>(what: &str, future: impl Future<Output = T>) -> T {
        timeout(Duration::from_secs(30), future).await.unwrap_or_else(|_| panic!("no {what}"))
    }

    #[tokio::test]
    async fn words_go_both_ways_and_a_line_that_broke_is_dialled_again() {
        let (listener, line, mut heard) = keeper().await;
        for _ in 0..2 {
            let (mut stream, _) = soon("call", listener.accept()).await.unwrap();
            let mut hears = async |word| {
                let told = soon("word", heard.recv()).await.unwrap();
                assert_eq!(told, ("pod".to_owned(), word));
            };
            stream.write_all(b"rests\n").await.unwrap();
            hears(Heard::Reached(Stand::Rests)).await;
            // An order comes between the two halves of a word.
            stream.write_all(b"ru").await.unwrap();
            line.tell(Order::Start);
            let mut order = [0; 6];
            soon("order", stream.read_exact(&mut order)).await.unwrap();
            assert_eq!(&order, b"start\n");
            stream.write_all(b"ns\nended 137\n").await.unwrap();
            hears(Heard::Stands(Stand::Runs)).await;
            hears(Heard::Stands(Stand::Ended(137))).await;
            drop(stream);
            hears(Heard::Nothing).await;
        }
    }

    #[tokio::test]
    async fn one_that_says_something_else_is_not_believed() {
        let (listener, _line, mut heard) = keeper().await;
        for nonsense in [&b"starts\n"[..], b"runs runs runs runs runs\n", b"\n", &[b'r'; 4096]] {
            let (mut stream, _) = soon("call", listener.accept()).await.unwrap();
            let _ = stream.write_all(nonsense).await;
        }
        let (mut stream, _) = soon("call", listener.accept()).await.unwrap();
        stream.write_all(b"rests\nruns for ever\n").await.unwrap();
        for word in [Heard::Reached(Stand::Rests), Heard::Nothing] {
            let told = soon("word", heard.recv()).await.unwrap();
            assert_eq!(told, ("pod".to_owned(), word));
        }
    }
}
