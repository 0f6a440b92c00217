//! `selvedge status`: how a launcher is, and how each chaincode that it has.

mod asked;
mod latency;
mod report;
mod text;
mod watch;

use std::time::SystemTime;

use self::asked::ask;
use self::report::Report;
use crate::asking::block_on;
use crate::outcome::Outcome;
use crate::resolved::{Form, StatusRequest as Request};
use crate::screen::{show, width};

pub(crate) fn run(request: Request) -> anyhow::Result<Outcome> {
    let address = request.launcher?;
    if request.watch {
        return block_on(watch::watch(&address, request.form));
    }
    let report = Report::of(block_on(async { Ok(ask(&address).await?) })?);
    let text = match request.form {
        Form::Text => text::text(&report, SystemTime::now(), width())?,
        Form::Json => serde_json::to_string_pretty(&report)? + "\n",
    };
    show(&text)?;
    Ok(Outcome::Done)
}
