//! `selvedge doctor`: what is missing or wrong around a peer and its launcher, each with the way out.

mod builders;
mod certificates;
mod finding;
mod launcher;
mod peer;
mod program;
mod report;

use std::time::SystemTime;

use selvedge_client::Address;

use crate::outcome::Outcome;
use crate::resolved::{DoctorRequest, Form};
use crate::screen::show;

use self::report::Report;

pub(crate) fn run(request: DoctorRequest) -> anyhow::Result<Outcome> {
    let mut findings = Vec::new();
    match peer::read(request.peer_config.as_deref()) {
        Ok(peer) => {
            findings.push(peer::found(&peer));
            let seen: Vec<_> = peer.builders.iter().map(builders::look).collect();
            findings.extend(builders::verdicts(&peer, &seen));
            findings.extend(certificates::look(&peer.certificates, SystemTime::now()));
        }
        Err(finding) => findings.push(finding),
    }
    let shown = request.launcher.as_ref().ok().and_then(Address::credentials);
    findings.extend(shown.map(|shown| certificates::shown(shown, SystemTime::now())));
    findings.extend(launcher::ask(request.launcher)?);
    let report = Report::of(findings);
    let text = match request.form {
        Form::Text => report.text()?,
        Form::Json => serde_json::to_string_pretty(&report)? + "\n",
    };
    show(&text)?;
    Ok(if report.healthy { Outcome::Done } else { Outcome::Refused })
}
