//! `selvedge logs`: what a chaincode has written, and what its launcher has said of it.

use selvedge_proto::launcher::LogsRequest;

use crate::asking::{block_on, next_lines};
use crate::lines::shown;
use crate::outcome::Outcome;
use crate::resolved::LogsRequest as Request;
use crate::screen::show_while_read;

pub(crate) fn run(request: Request) -> anyhow::Result<Outcome> {
    let Request { launcher, chaincode, follow, tail, replica, peer, form } = request;
    let address = launcher?;
    let (replica, peer) = (replica.unwrap_or_default(), peer.unwrap_or_default());
    let wanted = LogsRequest { chaincode, follow, tail, replica, peer };
    block_on(async {
        let mut launcher = address.connect().await?;
        let mut lines = address.answer(launcher.logs(wanted)).await?;
        while let Some(next) = next_lines(&address, &mut lines).await? {
            if !show_while_read(&shown(&next, form)?)? {
                break;
            }
        }
        Ok(Outcome::Done)
    })
}
