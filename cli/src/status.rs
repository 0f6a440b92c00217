//! `selvedge status`: how a launcher is, and how each chaincode that it has.

mod report;
mod text;

use std::time::SystemTime;

use anyhow::Context;
use selvedge_client::{Address, LauncherError};
use selvedge_proto::launcher::{StatusRequest, StatusResponse};

use self::report::Report;
use crate::outcome::Outcome;
use crate::resolved::{Form, StatusRequest as Request};
use crate::screen::{show, width};

pub(crate) fn run(request: Request) -> anyhow::Result<Outcome> {
    let address = request.launcher?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("cannot listen for the launcher's answer")?;
    let report = Report::of(runtime.block_on(ask(&address))?);
    let text = match request.form {
        Form::Text => text::text(&report, SystemTime::now(), width())?,
        Form::Json => serde_json::to_string_pretty(&report)? + "\n",
    };
    show(&text)?;
    Ok(Outcome::Done)
}

async fn ask(address: &Address) -> Result<StatusResponse, LauncherError> {
    let mut launcher = address.connect().await?;
    address.answer(launcher.status(StatusRequest {})).await
}
