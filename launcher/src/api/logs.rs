//! `Logs` and `BuildLog`: lines that are kept, and those that follow.

use selvedge_proto::launcher::{BuildLogRequest, LogLine, LogLines, LogsRequest};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::Status;

use super::shared::failed;
use crate::caller::Caller;
use crate::epoch::milliseconds;
use crate::kept_lines::{Batch, Reader};
use crate::seen::Seen;

/// How many batches wait for who reads slowly. What he misses, he is told.
const QUEUE: usize = 4;

pub(super) type Lines = ReceiverStream<Result<LogLines, Status>>;

pub(super) fn of_chaincode(
    seen: &Seen,
    caller: &Caller,
    request: LogsRequest,
) -> Result<Lines, Status> {
    let wanted = Some(&*request.peer).filter(|name| !name.is_empty());
    let of = caller.name().or(wanted);
    let log = seen.logs.find(of, &request.chaincode).map_err(|error| failed(&error))?;
    let tail = request.tail.map(|tail| usize::try_from(tail).unwrap_or(usize::MAX));
    let replica = Some(request.replica).filter(|name| !name.is_empty());
    Ok(passed_on(log.read(tail, replica), request.follow))
}

pub(super) fn of_build(
    seen: &Seen,
    caller: &Caller,
    request: &BuildLogRequest,
) -> Result<Lines, Status> {
    let BuildLogRequest { id, follow } = *request;
    let lines = seen.builds.lines(caller, id).ok_or_else(|| {
        let unknown = format!(
            "no build {id} is known: `selvedge builds` has those that are, which are this launcher's \
             since it started"
        );
        Status::not_found(unknown)
    })?;
    Ok(passed_on(lines.read(None, None), follow))
}

/// Passes on what there is, and if it is wanted what follows, until nobody reads it.
fn passed_on(mut reader: Reader, follow: bool) -> Lines {
    let (sink, lines) = mpsc::channel(QUEUE);
    tokio::spawn(async move {
        let end = reader.end();
        loop {
            while (follow || reader.position() < end)
                && let Some(batch) = reader.next()
            {
                if !batch.is_empty() && sink.send(Ok(told(batch))).await.is_err() {
                    return;
                }
            }
            if !follow {
                return;
            }
            tokio::select! {
                is_more = reader.more() => if !is_more { return },
                () = sink.closed() => return,
            }
        }
    });
    ReceiverStream::new(lines)
}

fn told(batch: Batch) -> LogLines {
    let line = |line: crate::kept_lines::Line| LogLine {
        at: milliseconds(line.at),
        replica: line.replica.to_string(),
        text: line.text,
    };
    LogLines { lines: batch.lines.into_iter().map(line).collect(), missed: batch.missed }
}
