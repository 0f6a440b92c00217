//! What becomes of a connection that the proxy has made, for who dials there again.

use tokio::sync::watch;

/// The connection's end of it, which goes with the connection.
pub(crate) struct Tether(watch::Sender<Fate>);

/// The other end.
pub(crate) struct TetherEnd(watch::Receiver<Fate>);

/// How far the replica has come.
#[derive(Clone, Debug)]
pub(crate) enum Fate {
    /// It has said nothing that would be a registration of this chaincode.
    Open,
    /// It has registered.
    Registered,
    /// It did not register.
    Unregistered(Unregistered),
}

/// Why no first message will come of a replica.
#[derive(Clone, Debug)]
pub(crate) enum Unregistered {
    /// Its stream has ended.
    Ended(String),
    /// It sent something else, or nothing.
    Failed(String),
}

/// Both ends.
pub(crate) fn tether() -> (Tether, TetherEnd) {
    let (near, far) = watch::channel(Fate::Open);
    (Tether(near), TetherEnd(far))
}

impl Tether {
    pub(crate) fn tell(&self, fate: Fate) {
        self.0.send_replace(fate);
    }
}

impl TetherEnd {
    /// How far the replica had come when its connection was over.
    pub(crate) async fn end(mut self) -> Fate {
        while self.0.changed().await.is_ok() {}
        self.0.borrow().clone()
    }
}
