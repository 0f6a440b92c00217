//! `cargo xtask cluster`: a real Kubernetes to look inside.

use anyhow::{Context, Result, ensure};
use clap::{Args, Subcommand};
use cluster::{Cluster as Kubernetes, ClusterSpec, Running, Tools, running};
use tokio::runtime::Runtime;

use crate::steps::Steps;

/// Raises the two-node Kubernetes of the tests, and leaves it up.
#[derive(Debug, Args)]
#[command(
    after_help = "Needs root, Go and Debian's packages, which it installs. Everything runs in \
                        namespaces of its own; nothing is left after `down`."
)]
pub(crate) struct Cluster {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Raises a cluster and says how to use it
    Up,
    /// Ends every cluster that `up` left running
    Down,
    /// Shows the clusters that run, their nodes and pods
    Status,
}

impl Cluster {
    pub(crate) fn run(&self) -> Result<()> {
        match self.action {
            Action::Up => up(),
            Action::Down => down(),
            Action::Status => status(),
        }
    }
}

fn up() -> Result<()> {
    let mut steps = Steps::begin();
    let tools = steps.take("programs and images", |report| Ok(Tools::obtain(report)?))?;
    let runtime = Runtime::new().context("cannot start the runtime")?;
    let cluster = steps.take("cluster", |_| {
        Ok(runtime.block_on(Kubernetes::start(&tools, ClusterSpec::default()))?)
    })?;
    let kubeconfig = cluster.kubeconfig().to_owned();
    let (logs, registry) = (cluster.logs(), cluster.registry());
    cluster.keep()?;
    anstream::println!(
        "\nkubeconfig  {kubeconfig}\nregistry    {registry} (plain HTTP)\nlogs        {logs}\n\n\
         export KUBECONFIG={kubeconfig}\n{kubectl} get nodes\n\nTo end it: cargo xtask cluster down",
        kubeconfig = kubeconfig.display(),
        logs = logs.display(),
        kubectl = tools.program("kubectl").display(),
    );
    Ok(())
}

fn down() -> Result<()> {
    let clusters = running()?;
    if clusters.is_empty() {
        anstream::println!("no cluster is running");
    }
    for cluster in clusters {
        let dir = cluster.dir().display().to_string();
        ensure!(cluster.end(), "{dir} did not end");
        anstream::println!("ended {dir}");
    }
    Ok(())
}

fn status() -> Result<()> {
    let clusters = running()?;
    if clusters.is_empty() {
        anstream::println!("no cluster is running");
        return Ok(());
    }
    let tools = Tools::obtain(&mut |line| anstream::println!("{line}"))?;
    clusters.iter().try_for_each(|cluster| show(cluster, &tools))
}

fn show(cluster: &Running, tools: &Tools) -> Result<()> {
    let kubectl = cluster.kubectl(tools);
    anstream::println!("KUBECONFIG={}", cluster.kubeconfig().display());
    anstream::println!("{}", kubectl.run(&["get", "nodes", "-o", "wide"])?);
    anstream::println!("{}", kubectl.run(&["get", "pods", "--all-namespaces", "-o", "wide"])?);
    Ok(())
}
