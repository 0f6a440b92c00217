//! The launcher's hidden command `rooted`, under its guard, as the local backend uses it: what a
//! process finds that has a root of its own, and that it ends as any other does.

use std::collections::BTreeSet;
use std::fs;
use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener};
use std::os::fd::OwnedFd;
use std::os::unix::fs::symlink;
use std::os::unix::net::UnixStream;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use tempfile::TempDir;
use testbed::process::wait_until;

const SOON: Duration = Duration::from_secs(30);

/// What is made through a link, and not on this machine.
fn name_of(scratch: &TempDir) -> String {
    format!("{}-given", scratch.path().file_name().unwrap().display())
}

/// A shell's script in a root that has this machine's programs and nothing else.
struct Rooted {
    guard: Child,
    wishes: UnixStream,
    scratch: TempDir,
}

impl Rooted {
    fn start(script: &str) -> Self {
        Self::start_in("-", script)
    }

    /// The same in a network: this machine's, or one of its own, with the way into it.
    fn start_in(network: &str, script: &str) -> Self {
        let scratch = tempfile::tempdir().unwrap();
        let root = scratch.path().join("root");
        let (given, tmp) = (scratch.path().join("given"), scratch.path().join("tmp"));
        for directory in [&root, &tmp] {
            fs::create_dir(directory).unwrap();
        }
        for name in ["bin", "lib", "lib64"] {
            symlink(format!("usr/{name}"), root.join(name)).unwrap();
        }
        // To a place that this machine has, too.
        fs::create_dir(root.join("tmp")).unwrap();
        symlink("/tmp", root.join("outside")).unwrap();
        let through = format!("/outside/{}", name_of(&scratch));
        fs::write(&given, "given").unwrap();
        let (wishes, heeded) = UnixStream::pair().unwrap();
        let guard = Command::new(env!("CARGO_BIN_EXE_selvedge-launcher"))
            .args(["guard", "/proc/self/exe", "rooted"])
            .arg(&root)
            .args(["directory", "4321", "4321", "/tmp", network, "4"])
            .args(["/usr", "/usr", "ro"])
            .args([given.to_str().unwrap(), "/etc/deep/given", "ro"])
            .args([given.to_str().unwrap(), &through, "ro"])
            .args([tmp.to_str().unwrap(), "/tmp", "rw"])
            .args(["sh", "-c", script])
            // What all of its processes are known by.
            .env("ROOTED_IN", scratch.path())
            .stdin(OwnedFd::from(heeded))
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        Self { guard, wishes, scratch }
    }

    /// Whatever runs of it, without the guard.
    fn processes(&self) -> Vec<PathBuf> {
        let name = format!("ROOTED_IN={}", self.scratch.path().display()).into_bytes();
        let guard = PathBuf::from(format!("/proc/{}", self.guard.id()));
        let is_of_it = |process: &PathBuf| {
            let environment = fs::read(process.join("environ")).unwrap_or_default();
            *process != guard && environment.split(|byte| *byte == 0).any(|own| own == name)
        };
        let all = fs::read_dir("/proc").unwrap().map(|entry| entry.unwrap().path());
        all.filter(is_of_it).collect()
    }

    /// Waits for the file that the script makes when it has begun.
    fn await_begun(&self) {
        let begun = self.scratch.path().join("tmp/begun");
        assert!(wait_until(SOON, || begun.exists()), "it does not begin");
    }

    /// What it wrote, and how it ended, if the guard could tell; nothing is left of it.
    fn end(&mut self) -> (String, Option<ExitStatus>) {
        let mut written = String::new();
        self.guard.stdout.take().unwrap().read_to_string(&mut written).unwrap();
        self.guard.wait().unwrap();
        let mut status = [0; size_of::<i32>()];
        let told = self.wishes.read_exact(&mut status).ok();
        let is_gone = wait_until(SOON, || self.processes().is_empty());
        assert!(is_gone, "{:?} are left", self.processes());
        (written, told.map(|()| ExitStatus::from_raw(i32::from_ne_bytes(status))))
    }
}

#[test]
fn what_it_finds_is_its_root_and_what_it_is_given() {
    let mut rooted = Rooted::start(
        "id -u; pwd; echo $$; cat /etc/deep/given; echo; ls /; \
         for place in /etc/deep/given /usr/new /new /proc/sys/kernel/hostname; do \
         sh -c \"echo x > $place\" 2> /dev/null && echo \"$place can be written\"; done; \
         echo x > /tmp/new; grep CapEff: /proc/self/status; head -c 1 /dev/zero | wc -c; exit 7",
    );
    let (written, status) = rooted.end();
    let scratch = rooted.scratch.path();
    let names = "bin\ndev\netc\nlib\nlib64\noutside\nproc\ntmp\nusr";
    let expected = format!("4321\n/tmp\n2\ngiven\n{names}\nCapEff:\t0000000000000000\n1\n");
    assert_eq!(written, expected);
    assert_eq!(status.and_then(|status| status.code()), Some(7));
    assert_eq!(fs::read_to_string(scratch.join("tmp/new")).unwrap(), "x\n");
    assert!(!Path::new("/tmp").join(name_of(&rooted.scratch)).exists());
}

/// What its parent, which is the first process there, must not be spared.
#[test]
fn it_ends_as_any_other_process_does() {
    for signal in ["TERM", "ABRT", "KILL"] {
        let number = match signal {
            "TERM" => 15,
            "ABRT" => 6,
            _ => 9,
        };
        let ended = Rooted::start(&format!("kill -{signal} $$; echo it lives")).end();
        assert_eq!((&*ended.0, ended.1.and_then(|status| status.signal())), ("", Some(number)));
    }
}

#[test]
fn a_bare_root_has_what_it_is_given_where_it_is_and_nothing_else() {
    let place = tempfile::tempdir().unwrap();
    let at = |name: &str| place.path().join(name);
    for name in ["empty", "own", "others"] {
        fs::create_dir(at(name)).unwrap();
        fs::write(at(name).join("file"), name).unwrap();
    }
    let own = at("own");
    let script = "for name in etc home root run sys var; do test -e /$name && echo $name; done; \
                  ls ..; cat file; echo; cat ../others/file ../empty/file 2>&1; \
                  unshare --user true 2> /dev/null || echo no namespaces; \
                  for place in /usr/new /new; do touch $place 2> /dev/null && echo $place; done; \
                  touch new /tmp/new ../new; echo done";
    let system = ["/usr", "/bin", "/lib", "/lib64"].into_iter();
    let system: Vec<&str> = system.filter(|path| Path::new(path).exists()).collect();
    let (wishes, heeded) = UnixStream::pair().unwrap();
    let mut guard = Command::new(env!("CARGO_BIN_EXE_selvedge-launcher"));
    guard.args(["guard", "/proc/self/exe", "rooted"]).arg(at("empty"));
    guard.args(["bare", "0", "0"]).arg(&own).arg("-").arg((system.len() + 1).to_string());
    for path in system {
        guard.args([path, path, "ro"]);
    }
    let guard = guard.arg(&own).arg(&own).args(["rw", "sh", "-c", script]);
    let said = guard.stdin(OwnedFd::from(heeded)).output().unwrap();
    drop(wishes);
    let expected = "own\nown\ncat: ../others/file: No such file or directory\n\
                    cat: ../empty/file: No such file or directory\nno namespaces\ndone\n";
    assert_eq!(String::from_utf8(said.stdout).unwrap(), expected);
    // What it was not given, it may have made in its own temporary files, if that lies there.
    assert!(own.join("new").exists() && !at("new").exists());
}

#[test]
fn a_network_of_its_own_has_a_loopback_and_nothing_else() {
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let script = "tail -n +3 /proc/net/dev | cut -d: -f1; grep -o 127.0.0.1 /proc/net/fib_trie";
    let mut rooted = Rooted::start_in(&format!("{free}>9999"), script);
    let (written, status) = rooted.end();
    let found: BTreeSet<&str> = written.split_whitespace().collect();
    assert_eq!(found, ["127.0.0.1", "lo"].into());
    assert!(status.unwrap().success());
}

/// The port that leads in is told of to who dials, and may be somebody else's by then.
#[test]
fn one_whose_port_is_taken_does_not_begin() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let network = format!("{}>9999", taken.local_addr().unwrap());
    let (written, status) = Rooted::start_in(&network, "echo begun").end();
    assert_eq!((&*written, status.and_then(|status| status.code())), ("", Some(125)));
}

#[test]
fn one_that_is_asked_to_end_has_its_time() {
    let mut rooted = Rooted::start(
        "trap 'echo asked; exit 3' TERM; touch /tmp/begun; while :; do sleep 0.1; done",
    );
    rooted.await_begun();
    rooted.wishes.write_all(b"t").unwrap();
    let (written, status) = rooted.end();
    assert_eq!((&*written, status.and_then(|status| status.code())), ("asked\n", Some(3)));
}

#[test]
fn nothing_is_left_of_it_however_it_ends() {
    let leaving = "(setsid sleep 1000 &); sleep 1000 & touch /tmp/begun;";
    let mut ended = Rooted::start(&format!("{leaving} exit 0"));
    assert!(ended.end().1.unwrap().success());

    let mut killed = Rooted::start(&format!("{leaving} wait"));
    killed.await_begun();
    killed.wishes.shutdown(Shutdown::Write).unwrap();
    assert_eq!(killed.end().1.and_then(|status| status.signal()), Some(9));

    let mut unguarded = Rooted::start(&format!("{leaving} wait"));
    unguarded.await_begun();
    unguarded.guard.kill().unwrap();
    assert_eq!(unguarded.end().1, None);
}
