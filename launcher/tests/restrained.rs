//! The launcher's hidden command `restrained`, as the local backend uses it where no process can have a
//! root of its own: what Landlock keeps a process from.

use std::ffi::OsString;
use std::fs;
use std::io::Read;
use std::path::Path;
use std::process::{Command, Stdio};

use tempfile::TempDir;
use testbed::unprivileged;

/// A directory that it is given to write, one to read, and one that it is not given.
struct Place(TempDir);

impl Place {
    fn new() -> Self {
        let place = tempfile::tempdir().unwrap();
        for name in ["own", "shared", "others"] {
            fs::create_dir(place.path().join(name)).unwrap();
            fs::write(place.path().join(name).join("file"), name).unwrap();
        }
        Self(place)
    }

    /// What a shell's script writes that begins there.
    fn says(&self, script: &str) -> String {
        let [own, shared] = ["own", "shared"].map(|name| self.0.path().join(name));
        // What this machine's shell is made of.
        let system =
            ["/usr", "/bin", "/lib", "/lib64"].into_iter().filter(|path| Path::new(path).exists());
        let read: Vec<&Path> = system.map(Path::new).chain([&*shared]).collect();
        let mut arguments: Vec<OsString> = vec!["restrained".into()];
        arguments.push((read.len() + 1).to_string().into());
        for path in read {
            arguments.extend([path.into(), path.into(), "ro".into()]);
        }
        arguments.extend([(&own).into(), (&own).into(), "rw".into()]);
        arguments.extend(["/bin/sh", "-c", script].map(OsString::from));
        let launcher = Path::new(env!("CARGO_BIN_EXE_selvedge-launcher"));
        let (program, arguments) = unprivileged(launcher, arguments);
        let mut command = Command::new(program);
        command.args(arguments).current_dir(&own).stdout(Stdio::piped());
        let mut shell = command.spawn().unwrap();
        let mut said = String::new();
        shell.stdout.take().unwrap().read_to_string(&mut said).unwrap();
        shell.wait().unwrap();
        said
    }
}

#[test]
fn it_has_what_it_is_given_and_nothing_else() {
    let place = Place::new();
    let said = place.says(
        "cat file ../shared/file; echo; echo new > new; cat new; \
         for path in ../others/file /etc/passwd; do cat $path 2>&1; done; \
         echo x > ../shared/new; echo x > ../others/new; ls .. 2>&1; \
         grep NoNewPrivs: /proc/self/status; ulimit -c; echo > /dev/null && echo devices",
    );
    let refused = |what: &str| format!("{what}: Permission denied\n");
    let expected = [
        "ownshared\nnew\n".to_owned(),
        refused("cat: ../others/file"),
        refused("cat: /etc/passwd"),
        "ls: cannot open directory '..': Permission denied\n".to_owned(),
        "NoNewPrivs:\t1\n0\ndevices\n".to_owned(),
    ];
    assert_eq!(said, expected.concat());
    for name in ["shared/new", "others/new"] {
        assert!(!place.0.path().join(name).exists(), "{name}");
    }
}

/// This process stands for the launcher and for a neighbour: it has the same user.
#[test]
fn it_looks_into_no_other_process() {
    let id = std::process::id();
    let script = format!("for name in environ maps; do cat /proc/{id}/$name 2>&1; done");
    let refused = |name| format!("cat: /proc/{id}/{name}: Permission denied\n");
    assert_eq!(Place::new().says(&script), ["environ", "maps"].map(refused).concat());
}
