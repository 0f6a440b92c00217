//! What the benchmark of the proxy found, as tables and as JSON.

use anyhow::Result;
use serde::Serialize;

use crate::proxy::{Kind, Measure, Row};
use crate::spread::Spread;

/// The most that the proxy may add to the median latency of evaluate at 1 client.
const LATENCY_AIM: f64 = 1.05;
/// The least that it may leave of the throughput of evaluate at 64 clients.
const THROUGHPUT_AIM: f64 = 0.95;

/// The whole report as JSON. Latencies and CPU times are in microseconds, throughput in calls
/// per second; a ratio is proxied over direct, and its spread is that of the pairs.
#[derive(Serialize)]
struct Report {
    rows: Vec<Figures>,
    launcher_threads: usize,
    aims: Vec<Aim>,
}

#[derive(Serialize)]
struct Figures {
    kind: Kind,
    clients: u64,
    calls: u64,
    latency: Compared,
    throughput: Compared,
    peer_cpu: Compared,
    chaincode_cpu: Compared,
    /// For one proxied call.
    launcher_cpu: Spread,
    /// The same.
    launcher_sleeps: Spread,
}

#[derive(Serialize)]
struct Compared {
    direct: Spread,
    proxied: Spread,
    ratio: Spread,
}

#[derive(Serialize)]
struct Aim {
    what: String,
    found: f64,
    met: bool,
}

pub(crate) fn print_json(rows: &[Row], launcher_threads: usize) -> Result<()> {
    let rows: Vec<Figures> = rows.iter().map(Figures::of).collect();
    let aims = aims(&rows);
    println!("{}", serde_json::to_string_pretty(&Report { rows, launcher_threads, aims })?);
    Ok(())
}

pub(crate) fn print_tables(rows: &[Row], launcher_threads: usize) {
    let rounds = rows.first().map_or(0, |row| row.pairs.len());
    let rows: Vec<Figures> = rows.iter().map(Figures::of).collect();
    println!("\nMedians of {rounds} rounds (least–most). A ratio is proxied/direct, pair by pair.");
    print_compared("latency, ms", &rows, 2, |row| row.latency.scaled(0.001));
    print_compared("throughput, calls/s", &rows, 0, |row| row.throughput.scaled(1.0));
    print_compared("CPU of the peer, µs/call", &rows, 0, |row| row.peer_cpu.scaled(1.0));
    print_compared("CPU of the chaincode, µs/call", &rows, 0, |row| row.chaincode_cpu.scaled(1.0));
    println!("\n{:<30}  {:>22}  {:>22}", "the launcher, per call", "CPU, µs", "sleeps");
    for row in &rows {
        let cpu = cell(row.launcher_cpu, 1);
        println!("{:<30}  {cpu:>22}  {:>22}", row.title(), cell(row.launcher_sleeps, 2));
    }
    println!("\nThe launcher has {launcher_threads} threads.");
    for Aim { what, found, met } in aims(&rows) {
        println!("{what}: {found:.3}, {}", if met { "met" } else { "NOT met" });
    }
}

fn print_compared(
    title: &str,
    rows: &[Figures],
    decimals: usize,
    pick: impl Fn(&Figures) -> Compared,
) {
    println!("\n{title:<30}  {:>22}  {:>22}  {:>22}", "direct", "proxied", "ratio");
    for row in rows {
        let compared = pick(row);
        let [direct, proxied] = [compared.direct, compared.proxied].map(|s| cell(s, decimals));
        let ratio = cell(compared.ratio, 3);
        println!("{:<30}  {direct:>22}  {proxied:>22}  {ratio:>22}", row.title());
    }
}

fn cell(Spread { median, min, max }: Spread, decimals: usize) -> String {
    format!("{median:.decimals$} ({min:.decimals$}–{max:.decimals$})")
}

/// The aims about which the rows say something.
fn aims(rows: &[Figures]) -> Vec<Aim> {
    let row =
        |clients| rows.iter().find(move |row| row.kind == Kind::Evaluate && row.clients == clients);
    let latency = row(1).map(|row| row.latency.ratio.median).map(|found| Aim {
        what: format!("evaluate's latency at 1 client is at most {LATENCY_AIM} of the direct one"),
        found,
        met: found <= LATENCY_AIM,
    });
    let throughput = row(64).map(|row| row.throughput.ratio.median).map(|found| Aim {
        what: format!(
            "evaluate's throughput at 64 clients is at least {THROUGHPUT_AIM} of the direct one"
        ),
        found,
        met: found >= THROUGHPUT_AIM,
    });
    latency.into_iter().chain(throughput).collect()
}

impl Figures {
    fn of(row: &Row) -> Self {
        let proxied = |figure: fn(&Measure) -> f64| {
            Spread::of(row.pairs.iter().map(|pair| figure(&pair.proxied)))
        };
        let compared = |figure: fn(&Measure) -> f64| Compared {
            direct: Spread::of(row.pairs.iter().map(|pair| figure(&pair.direct))),
            proxied: proxied(figure),
            ratio: Spread::of(
                row.pairs.iter().map(|pair| figure(&pair.proxied) / figure(&pair.direct)),
            ),
        };
        Self {
            kind: row.kind,
            clients: row.clients,
            calls: row.count,
            latency: compared(|load| load.latency),
            throughput: compared(|load| load.throughput),
            peer_cpu: compared(|load| load.peer.cpu),
            chaincode_cpu: compared(|load| load.chaincode.cpu),
            launcher_cpu: proxied(|load| load.launcher.cpu),
            launcher_sleeps: proxied(|load| load.launcher.sleeps),
        }
    }

    fn title(&self) -> String {
        let clients = if self.clients == 1 { "client" } else { "clients" };
        format!("{}, {} {clients}", self.kind.name(), self.clients)
    }
}

impl Compared {
    fn scaled(&self, factor: f64) -> Self {
        let scaled = |Spread { median, min, max }: Spread| Spread {
            median: median * factor,
            min: min * factor,
            max: max * factor,
        };
        Self { direct: scaled(self.direct), proxied: scaled(self.proxied), ratio: self.ratio }
    }
}
