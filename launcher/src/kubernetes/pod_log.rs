//! A pod's log, line by line and live, across restarts of its container and of the API.

use std::pin::pin;
use std::time::Duration;

use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::jiff::Timestamp;
use kube::Api;
use kube::api::LogParams;
use tokio::sync::{Notify, mpsc};
use tokio::time::{sleep, timeout};
use tokio_util::compat::FuturesAsyncReadCompatExt;
use tracing::debug;

use super::failure::{ApiFailure, CALL_LIMIT};
use crate::lines::read_lines;

/// The delays before a log that ended is asked for again.
const FIRST_DELAY: Duration = Duration::from_millis(250);
const LONGEST_DELAY: Duration = Duration::from_secs(5);

/// Lines read ahead of whoever takes them.
const QUEUE: usize = 64;

/// Follows the log of a pod's container until the pod is gone or nobody takes the lines: all of it, or
/// what was written after a time. `again` says that there may be more: the container was started anew.
pub(crate) async fn follow(
    api: Api<Pod>,
    pod: String,
    container: &str,
    since: Option<Timestamp>,
    sink: mpsc::Sender<String>,
    again: &Notify,
) {
    let mut reader = Reader { sink, last: since, known: since };
    let mut delay = FIRST_DELAY;
    while !reader.sink.is_closed() {
        match reader.read(&api, &pod, container).await {
            Ok(0) => delay = LONGEST_DELAY.min(delay * 2),
            Ok(_) => delay = FIRST_DELAY,
            Err(failure) if failure.is_not_found() => return,
            Err(failure) => {
                debug!(pod, reason = crate::error_chain::one_line(&failure), "no log");
                delay = LONGEST_DELAY.min(delay * 2);
            }
        }
        tokio::select! {
            () = sleep(delay) => {}
            () = again.notified() => delay = FIRST_DELAY,
            () = reader.sink.closed() => {}
        }
    }
}

/// Takes lines that are newer than the last.
struct Reader {
    sink: mpsc::Sender<String>,
    /// The time of the last line.
    last: Option<Timestamp>,
    /// `last` when the log was opened: a log gives whole seconds again.
    known: Option<Timestamp>,
}

impl Reader {
    /// Reads until the log ends; how many lines were new.
    async fn read(
        &mut self,
        api: &Api<Pod>,
        pod: &str,
        container: &str,
    ) -> Result<usize, ApiFailure> {
        let act = || format!("read the log of the pod {pod}");
        let parameters = LogParams {
            container: Some(container.into()),
            follow: true,
            timestamps: true,
            since_time: self.last,
            ..LogParams::default()
        };
        let log = timeout(CALL_LIMIT, api.log_stream(pod, &parameters))
            .await
            .map_err(|_| ApiFailure::TimedOut { act: act() })?
            .map_err(|error| ApiFailure::new(&act(), error))?;
        self.known = self.last;
        let (raw, mut lines) = mpsc::channel(QUEUE);
        let log = pin!(log);
        let take = async {
            let mut taken = 0;
            while let Some(line) = lines.recv().await {
                taken += usize::from(self.take(line).await);
                if self.sink.is_closed() {
                    // Ends the reading, too.
                    break;
                }
            }
            drop(lines);
            taken
        };
        let ((), taken) = tokio::join!(read_lines(log.compat(), raw), take);
        Ok(taken)
    }

    async fn take(&mut self, line: String) -> bool {
        let dated = line.split_once(' ').and_then(|(time, text)| Some((time.parse().ok()?, text)));
        let text = match dated {
            Some((time, _)) if self.known.is_some_and(|known| time <= known) => return false,
            Some((time, text)) => {
                self.last = Some(time);
                text.to_owned()
            }
            // The rest of a line that was cut.
            None => line,
        };
        self.sink.send(text).await.is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_line_is_taken_once() {
        let (sink, mut lines) = mpsc::channel(8);
        let known = "2026-11-21T01:45:38.000000001Z".parse().ok();
        let mut reader = Reader { sink, last: known, known };
        for line in [
            "2026-11-21T01:45:38.000000001Z zero",
            "2026-11-21T01:45:38.000000002Z one",
            "2026-11-21T01:45:38.000000002Z two",
            "2026-11-21T01:45:39.100000000Z ",
            "the rest of a long line",
        ] {
            reader.take(line.into()).await;
        }
        drop(reader);
        let mut taken = Vec::new();
        while let Some(line) = lines.recv().await {
            taken.push(line);
        }
        assert_eq!(taken, ["one", "two", "", "the rest of a long line"]);
    }
}
