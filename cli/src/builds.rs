//! `selvedge builds`: the builds that go on, and the last that have ended; one with its lines.

mod report;
mod text;

use std::time::SystemTime;

use anyhow::bail;
use selvedge_client::Address;
use selvedge_proto::launcher::{BuildLogRequest, BuildStatus, BuildsRequest, LogLines};
use tonic::Streaming;

use self::report::{Build, WithLines};
use crate::asking::{block_on, next_lines};
use crate::lines::{Told, shown};
use crate::outcome::Outcome;
use crate::resolved::{BuildsRequest as Request, Form, LineForm};
use crate::screen::{plain_json, show, show_while_read, width};

pub(crate) fn run(request: Request) -> anyhow::Result<Outcome> {
    let address = request.launcher?;
    block_on(async {
        match request.id {
            None => all(&address, request.form).await,
            Some(id) => one(&address, id, request.follow, request.form).await,
        }
    })
}

async fn all(address: &Address, form: Form) -> anyhow::Result<Outcome> {
    let builds: Vec<Build> = ask(address).await?.into_iter().map(Build::of).collect();
    show(&match form {
        Form::Text => text::table(&builds, SystemTime::now(), width())?,
        Form::Json => plain_json(&serde_json::to_string_pretty(&builds)?) + "\n",
    })?;
    Ok(Outcome::Done)
}

/// Those that have failed make it fail as well.
async fn one(address: &Address, id: u64, follow: bool, form: Form) -> anyhow::Result<Outcome> {
    let mut launcher = address.connect().await?;
    let lines = address.answer(launcher.build_log(BuildLogRequest { id, follow })).await?;
    match form {
        Form::Json => {
            let lines = collected(address, lines).await?;
            let lines = lines.iter().flat_map(|some| &some.lines).map(Told::of).collect();
            let told = WithLines { build: find(address, id).await?, lines };
            show(&(plain_json(&serde_json::to_string_pretty(&told)?) + "\n"))?;
        }
        Form::Text => {
            show(&text::head(&find(address, id).await?)?)?;
            if !pass_on(address, lines).await? {
                return Ok(Outcome::Done);
            }
            if follow {
                show(&text::tail(&find(address, id).await?)?)?;
            }
        }
    }
    Ok(Outcome::Done)
}

async fn ask(address: &Address) -> anyhow::Result<Vec<BuildStatus>> {
    let mut launcher = address.connect().await?;
    Ok(address.answer(launcher.builds(BuildsRequest {})).await?.builds)
}

async fn find(address: &Address, id: u64) -> anyhow::Result<Build> {
    let found = ask(address).await?.into_iter().find(|build| build.id == id);
    let Some(found) = found else { bail!("the launcher does not know build {id} any more") };
    Ok(Build::of(found))
}

/// Shows the lines; whether they were read to the end.
async fn pass_on(address: &Address, mut lines: Streaming<LogLines>) -> anyhow::Result<bool> {
    while let Some(next) = next_lines(address, &mut lines).await? {
        let next = shown(&next, LineForm::Told)?;
        if !show_while_read(&next)? {
            return Ok(false);
        }
    }
    Ok(true)
}

async fn collected(
    address: &Address,
    mut lines: Streaming<LogLines>,
) -> anyhow::Result<Vec<LogLines>> {
    let mut all = Vec::new();
    while let Some(next) = next_lines(address, &mut lines).await? {
        all.push(next);
    }
    Ok(all)
}
