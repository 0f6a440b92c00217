//! The order to a pod's keeper to kill its chaincode.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use selvedge_keeper::line::{self, Stand};
use tokio::time::timeout;

use crate::kubernetes::keeper_stream::KeeperStream;

/// How long all of it may take, from the call to the word that the chaincode has ended: a process with a
/// lot of memory takes a while.
pub(super) const LIMIT: Duration = Duration::from_secs(3);

/// What has come of the order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Killed {
    /// The chaincode was killed, and is started again.
    Killed,
    /// What had run for so long had ended by itself.
    HadEnded,
}

/// Why nothing has.
#[derive(Debug, thiserror::Error)]
pub(super) enum Unkilled {
    #[error("its address does not tell its pod, or that pod has no keeper that takes orders")]
    Unclear,
    #[error("its pod's keeper cannot be reached")]
    Unreached(#[from] io::Error),
    #[error("its pod's keeper does not answer as one does")]
    Speechless,
    #[error("its pod's keeper did not kill it within {} s", LIMIT.as_secs())]
    TooLate,
}

/// Has the keeper kill what has run for so long.
pub(super) async fn kill(keeper: SocketAddr, ran: Duration) -> Result<Killed, Unkilled> {
    timeout(LIMIT, order(keeper, ran)).await.unwrap_or(Err(Unkilled::TooLate))
}

async fn order(keeper: SocketAddr, ran: Duration) -> Result<Killed, Unkilled> {
    let mut keeper = KeeperStream::dial(keeper).await?;
    if keeper.next().await.ok_or(Unkilled::Speechless)? != Stand::Runs {
        return Ok(Killed::HadEnded);
    }
    keeper.order(&line::kill(ran)).await?;
    match keeper.next().await.ok_or(Unkilled::Speechless)? {
        Stand::Ended(_) => Ok(Killed::Killed),
        Stand::Runs | Stand::Rests => Ok(Killed::HadEnded),
    }
}
