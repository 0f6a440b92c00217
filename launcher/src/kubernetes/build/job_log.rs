//! The lines of a build, from its pod's log.

use std::time::Duration;

use k8s_openapi::api::core::v1::Pod;
use kube::Api;
use kube::api::LogParams;
use tokio::sync::mpsc;
use tokio::time::timeout;
use tokio_util::compat::FuturesAsyncReadCompatExt;
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;
use tracing::{debug, warn};

use crate::lines::read_lines;

/// How long the log of an ended build is still read.
const LAST_WORDS: Duration = Duration::from_secs(3);

/// A pause before a log that broke off is read again.
const PAUSE: Duration = Duration::from_millis(500);

/// Reads a pod's log in the background.
pub(super) struct LogReader {
    task: AbortOnDropHandle<()>,
    ended: CancellationToken,
}

impl LogReader {
    /// Passes the lines of a container of `pod` on to `log`, as they come.
    pub(super) fn start(
        pods: Api<Pod>,
        pod: String,
        container: &'static str,
        log: mpsc::Sender<String>,
    ) -> Self {
        let ended = CancellationToken::new();
        let reading = read_log(pods, pod, container, log, ended.clone());
        Self { task: AbortOnDropHandle::new(tokio::spawn(reading)), ended }
    }

    /// The container has ended: waits for its last lines.
    pub(super) async fn finish(mut self) {
        self.ended.cancel();
        if timeout(LAST_WORDS, &mut self.task).await.is_err() {
            warn!("the last lines of the build's log did not come");
        }
    }
}

/// Passes each line of the log on once, over any number of connections, until the log was read
/// to its end after the container's.
async fn read_log(
    pods: Api<Pod>,
    pod: String,
    container: &str,
    log: mpsc::Sender<String>,
    ended: CancellationToken,
) {
    let parameters =
        LogParams { container: Some(container.to_owned()), follow: true, ..LogParams::default() };
    let mut passed = 0;
    loop {
        let is_last = ended.is_cancelled();
        match pods.log_stream(&pod, &parameters).await {
            Ok(stream) => {
                let (sink, mut lines) = mpsc::channel(64);
                let pass_on = async {
                    let mut number = 0;
                    while let Some(line) = lines.recv().await {
                        number += 1;
                        if number > passed {
                            passed = number;
                            let _ = log.send(line).await;
                        }
                    }
                };
                tokio::join!(read_lines(stream.compat(), sink), pass_on);
            }
            Err(error) => debug!(pod, %error, "cannot read the build's log"),
        }
        if is_last {
            return;
        }
        // The container has ended and will be told to have, or the connection was cut.
        let _ = timeout(PAUSE, ended.cancelled()).await;
    }
}
