//! The launcher's page in a real browser: what runs is drawn and told, and what chaincode writes is
//! text there, whatever it is.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use e2e::{Op, Turn};
use tempfile::TempDir;
use testbed::debian::install_missing;
use testbed::process::wait_until;

use crate::cases;
use crate::ledger;
use crate::link::SOON;
use crate::seen::builds;
use crate::status::await_told;

const NAME: &str = "drawn";

/// What a chaincode would write to be more than text in a browser.
const MARKUP: &str = "<script>document.title='owned'</script><img src=x onerror=\"alert(1)\">";

/// The same as text is written in a page.
const AS_TEXT: &str =
    "&lt;script&gt;document.title='owned'&lt;/script&gt;&lt;img src=x onerror=\"alert(1)\"&gt;";

/// Drawn once there is more than a moment to tell of: of the calls, of errors, of two latencies, and of
/// what is in flight.
const LINES: usize = 5;

/// A browser without a screen.
struct Browser(TempDir);

impl Browser {
    fn new() -> Self {
        install_missing(&["chromium"], &mut |line| eprintln!("{line}")).unwrap();
        Self(tempfile::tempdir().unwrap())
    }

    /// Opens a page and does something with it once it has come to rest.
    fn open(&self, url: &str, arguments: &[&str]) -> Output {
        let output = Command::new("chromium")
            // As root, as in a container, it has no sandbox of its own.
            .args(["--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars"])
            .args(["--disable-dev-shm-usage", "--virtual-time-budget=5000"])
            .args(["--enable-logging=stderr", "--window-size=1280,1900"])
            .arg(format!("--user-data-dir={}", self.0.path().join("profile").display()))
            .args(arguments)
            .arg(url)
            .env("HOME", self.0.path())
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{said}");
        let complaints: Vec<&str> = said.lines().filter(|line| line.contains("CONSOLE")).collect();
        assert!(complaints.is_empty(), "{complaints:#?}");
        output
    }

    /// The page as it is once its script has done its work.
    fn page(&self, url: &str) -> String {
        String::from_utf8(self.open(url, &["--dump-dom"]).stdout).unwrap()
    }

    /// A picture of it, which stays where Cargo keeps what tests write.
    fn picture(&self, url: &str, name: &str, arguments: &[&str]) -> PathBuf {
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        let _ = std::fs::remove_file(&path);
        let screenshot = format!("--screenshot={}", path.display());
        self.open(url, &[&[&*screenshot], arguments].concat());
        path
    }
}

/// What a client that is no browser gets.
fn asked(turn: &Turn<'_>, host: &str) -> String {
    let url = turn.launcher.page().unwrap();
    let address = url.trim_start_matches("http://").trim_end_matches('/');
    let mut connection = TcpStream::connect(address).unwrap();
    connection.set_read_timeout(Some(SOON)).unwrap();
    write!(connection, "GET / HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    connection.read_to_string(&mut answer).unwrap();
    answer
}

#[test]
fn what_runs_is_drawn_in_a_browser_and_what_chaincode_writes_is_text() {
    let turn = cases::STAGE.enter();
    let package_id = ledger::deploy(&turn, NAME);
    let mut client = turn.gateway(NAME);
    client.call(Op::Evaluate, &["Log", MARKUP]).unwrap();
    client.call(Op::Evaluate, &[MARKUP]).unwrap_err();
    for _ in 0..20 {
        client.call(Op::Evaluate, &["Pid"]).unwrap();
    }
    await_told(&turn, &package_id, |chaincode| chaincode["transactions"]["begun"] == 22);

    let browser = Browser::new();
    let id = package_id.replace(':', "%3A");
    let build = &builds(&turn, &format!("{NAME}_1.0"))[0]["id"];
    let url = format!("{}#chaincode={id}&build={build}", turn.launcher.page().unwrap());
    // The line may still be on its way to the launcher, and the figures of the last calls, of which
    // nothing is drawn before the second measurement.
    let mut page = String::new();
    let is_told = wait_until(SOON, || {
        page = browser.page(&url);
        page.contains(AS_TEXT) && page.matches("<path ").count() >= LINES
    });
    assert!(is_told, "{page}");
    assert!(page.contains("<title>Selvedge</title>"), "{page}");
    assert!(!page.contains("<img src=\"x\""), "{page}");
    for told in [
        format!(">{package_id}</h2>"),
        "replica-0".to_owned(),
        "<span class=\"state good\">registered</span>".to_owned(),
        format!("a call failed: no function \"{}\"", AS_TEXT.replace('"', "\\\"")),
        format!("Build {build} of {NAME}_1.0"),
        "backend local".to_owned(),
    ] {
        assert!(page.contains(&told), "{told}:\n{page}");
    }
    let light = browser.picture(&url, "page-light.png", &[]);
    let dark = browser.picture(&url, "page-dark.png", &["--blink-settings=preferredColorScheme=0"]);
    for picture in [&light, &dark] {
        assert!(ledger::read(picture).starts_with(b"\x89PNG\r\n"), "{}", picture.display());
    }
    assert_ne!(ledger::read(&light), ledger::read(&dark));

    let known = asked(&turn, "localhost");
    assert!(known.starts_with("HTTP/1.1 200"), "{known}");
    assert!(known.contains("content-security-policy: default-src 'none'"), "{known}");
    let rebound = asked(&turn, "rebound.example");
    assert!(rebound.starts_with("HTTP/1.1 421") && !rebound.contains("<html"), "{rebound}");
}
