//! `cargo xtask demo`: the main job, end to end, on a real peer.

mod arguments;
mod calls;
mod course;
mod here;
mod kubernetes;

use anyhow::Result;
use clap::ArgMatches;

pub(crate) use arguments::Demo;

/// `typed` is what clap made of this command's arguments: it knows their order.
pub(crate) fn run(demo: &Demo, typed: &ArgMatches) -> Result<()> {
    let calls = calls::in_order(typed)?;
    if demo.kubernetes { kubernetes::run(demo, &calls) } else { here::run(demo, &calls) }
}
