//! `selvedge config`: what the operator's file says, and what can be said in it.

mod check;
mod show;

use selvedge_config::{default_file, reference, schema};

use crate::outcome::Outcome;
use crate::resolved::ConfigRequest;
use crate::screen;

pub(crate) fn run(request: &ConfigRequest) -> anyhow::Result<Outcome> {
    let page = match request {
        ConfigRequest::Check(request) => return check::run(request),
        ConfigRequest::Show(request) => return show::run(request),
        ConfigRequest::Schema => format!("{:#}\n", schema()),
        ConfigRequest::Default(backend) => default_file(*backend),
        ConfigRequest::Reference => reference(),
    };
    screen::show(&page)?;
    Ok(Outcome::Done)
}
