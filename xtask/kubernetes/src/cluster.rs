//! `cargo xtask cluster`: a real Kubernetes to look inside.

use anyhow::{Context, Result};
use clap::{Args, Subcommand};
use cluster::{Cluster as Kubernetes, ClusterSpec, Running, Tools, running, sweep};
use tokio::runtime::Runtime;

use xtask::steps::Steps;

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
    /// Ends every cluster that `up` or `demo --keep` left running, and clears what one left that
    /// was killed
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
    let mut done = Vec::new();
    for cluster in running()? {
        cluster.end()?;
        done.push(format!("ended {}", cluster.dir().display()));
    }
    done.extend(sweep()?);
    if done.is_empty() {
        done.push("no cluster is running".to_owned());
    }
    anstream::println!("{}", done.join("\n"));
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
