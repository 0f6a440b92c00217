//! Many files at once, as a tar.

use std::io::{self, BufWriter, Write};
use std::sync::Arc;

use bytes::Bytes;
use http::Response;
use http_body_util::{BodyExt, StreamBody};
use hyper::body::Frame;
use selvedge_buildpack::archive::{ArchiveWriter, EntryPath};
use selvedge_buildpack::recipe::RepositoryPath;
use tokio::sync::mpsc::{Sender, channel};
use tokio::task::spawn_blocking;
use tokio_stream::wrappers::ReceiverStream;

use super::account::Account;
use super::keep::Keep;
use crate::doorway::Content;

/// The most that is brought ahead, in bytes: what a build has no use for after all is on its disk.
pub(crate) const MOST: u64 = 1 << 30;

/// What is sent at once, in bytes, and how much of that is on its way.
const PIECE: usize = 256 << 10;
const PIECES: usize = 4;

/// Those of the files that are kept and sound.
pub(super) fn brought(
    keep: Arc<Keep>,
    files: Vec<RepositoryPath>,
    account: Arc<Account>,
) -> Response<Content> {
    let (pieces, coming) = channel(PIECES);
    spawn_blocking(move || {
        let mut left = MOST;
        let mut archive = ArchiveWriter::new(BufWriter::with_capacity(PIECE, Body(pieces)));
        for path in files {
            let Some((file, entry)) = keep.look(&path).zip(entry(&path)) else { continue };
            let size = file.metadata().map_or(u64::MAX, |metadata| metadata.len());
            if size > left {
                break;
            }
            left -= size;
            // Who asked has gone: nobody is left to be told.
            if archive.file(&entry, 0o644, size, file).is_err() {
                return;
            }
            account.held.add(size);
        }
        let _ = archive.finish().and_then(|mut body| body.flush());
    });
    Response::new(BodyExt::boxed(StreamBody::new(ReceiverStream::new(coming))))
}

fn entry(path: &RepositoryPath) -> Option<EntryPath> {
    EntryPath::parse(path.to_string().as_bytes()).ok()
}

/// The body of an answer, as it is written.
struct Body(Sender<io::Result<Frame<Bytes>>>);

impl Write for Body {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let frame = Frame::data(Bytes::copy_from_slice(bytes));
        self.0.blocking_send(Ok(frame)).map_err(io::Error::other)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
