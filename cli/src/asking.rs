//! Asks a launcher for something.

use anyhow::Context;
use selvedge_client::Address;
use selvedge_proto::launcher::LogLines;
use tonic::Streaming;

/// Does something that waits for a launcher, to its end.
pub(crate) fn block_on<T>(asking: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("cannot listen for the launcher's answer")?;
    runtime.block_on(asking)
}

/// The next lines of a log; nothing when there are no more.
pub(crate) async fn next_lines(
    address: &Address,
    lines: &mut Streaming<LogLines>,
) -> anyhow::Result<Option<LogLines>> {
    Ok(lines.message().await.map_err(|status| address.fault(&status))?)
}
