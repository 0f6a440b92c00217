use std::os::unix::fs::PermissionsExt;

use selvedge_buildpack::shim::Security;
use tempfile::TempDir;

use super::*;
use crate::certificates::RunAuthority;

const PACKAGE: &str = "basic_1.0:ab12";

/// An estate, and what a run left there.
struct Scene {
    estate: Estate,
    bequest: Bequest,
    directory: TempDir,
}

impl Scene {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let estate = Estate::open(directory.path().into());
        let bequest = bequest(PACKAGE);
        estate.keep(&bequest);
        Self { estate, bequest, directory }
    }

    fn found(&self) -> Option<Bequest> {
        self.estate.find(&self.bequest.heir, Shim::Dials)
    }

    fn file(&self) -> PathBuf {
        self.estate.path(&self.bequest.heir)
    }
}

fn heir(package_id: &str) -> Heir {
    Heir { package_id: package_id.into(), msp_id: "Org1MSP".into(), peer: String::new() }
}

fn bequest(package_id: &str) -> Bequest {
    let authority = RunAuthority::new(package_id).unwrap();
    let (replica, _) = authority.replica(Shim::Dials).unwrap();
    Bequest {
        number: 2,
        heir: heir(package_id),
        authority: authority.kept(),
        made: authority.made(),
        replicas: Certified { certificate: replica.certificate, key: replica.key },
        shim: described(Shim::Dials),
        set: 1,
        image: "sha256:01".into(),
        port: 40123,
    }
}

#[test]
fn what_a_run_left_is_found_by_the_next_launcher_and_by_nobody_else() {
    let scene = Scene::new();
    assert!(scene.found() == Some(scene.bequest.clone()));
    let mode = fs::metadata(scene.file()).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let next = Estate::open(scene.directory.path().into());
    assert!(next.find(&scene.bequest.heir, Shim::Dials).is_some());

    assert!(next.find(&heir("basic_1.0:ab13"), Shim::Dials).is_none());
    let other = Heir { msp_id: "Org2MSP".into(), ..scene.bequest.heir.clone() };
    assert!(next.find(&other, Shim::Dials).is_none());
    let listens = Shim::listens(Security::Tls);
    assert!(next.find(&scene.bequest.heir, listens).is_none(), "its certificate is no server's");
}

#[test]
fn what_was_stopped_leaves_nothing() {
    let scene = Scene::new();
    scene.estate.forget(&scene.bequest.heir);
    assert!(scene.found().is_none());
    assert_eq!(fs::read_dir(scene.directory.path()).unwrap().count(), 0);
    scene.estate.forget(&scene.bequest.heir);
}

#[test]
fn an_authority_signs_again_what_the_proxy_and_its_replicas_trust() {
    let bequest = bequest(PACKAGE);
    let again = RunAuthority::again(PACKAGE, &bequest.authority, bequest.made).unwrap();
    assert!(again.kept() == bequest.authority);
    let (replica, credential) = again.replica_again(&bequest.replicas).unwrap();
    assert_eq!(replica.certificate, bequest.replicas.certificate);
    assert_eq!(replica.root, bequest.authority.certificate);
    let (_, another) = again.replica(Shim::Dials).unwrap();
    assert_ne!(credential, another);
}

#[test]
fn what_is_torn_foreign_or_too_old_is_not_used_and_written_over() {
    let scene = Scene::new();
    let whole = fs::read_to_string(scene.file()).unwrap();
    let half = &whole[..whole.len() / 2];
    let (_, content) = whole.split_once('\n').unwrap();
    let changed = whole.replace("\"port\":40123", "\"port\":40124");
    assert_ne!(changed, whole);
    let signed = |content: &str| format!("{}\n{content}", Sha256::of(content.as_bytes()).hex());
    let later = signed(&content.replacen('{', "{\"more\":1,", 1));
    let long = "x".repeat(1 << 20);
    for unfit in ["", half, content, &changed, &later, &long, "\u{0}\u{0}"] {
        fs::write(scene.file(), unfit).unwrap();
        assert!(scene.found().is_none(), "{unfit:.80}");
    }
    fs::write(scene.file(), [0xff, 0xfe]).unwrap();
    assert!(scene.found().is_none());
    let now = scene.bequest.made;
    for made in [now + 7200, now - AGED.whole_seconds() - 60, i64::MAX] {
        scene.estate.keep(&Bequest { made, ..scene.bequest.clone() });
        assert!(scene.found().is_none(), "{made}");
    }
    scene.estate.keep(&scene.bequest);
    assert!(scene.found().is_some());
}

#[test]
fn what_lies_in_the_way_keeps_no_launcher_from_beginning() {
    let scene = Scene::new();
    fs::remove_file(scene.file()).unwrap();
    fs::create_dir(scene.file()).unwrap();
    assert!(scene.found().is_none());
    scene.estate.keep(&scene.bequest);
    std::os::unix::fs::symlink("/etc/passwd", scene.directory.path().join("link.run")).unwrap();
    fs::write(scene.directory.path().join("half-written"), "").unwrap();
    let next = Estate::open(scene.directory.path().into());
    next.keep(&scene.bequest);
    assert!(scene.found().is_some());
    assert_eq!(fs::read_dir(scene.directory.path()).unwrap().count(), 1);
}

#[test]
fn of_too_many_those_go_that_were_not_used_for_longest() {
    let scene = Scene::new();
    for number in 0..FILES {
        let path = scene.estate.path(&heir(&number.to_string()));
        fs::write(&path, "").unwrap();
        let time = std::time::UNIX_EPOCH + std::time::Duration::from_secs(1000 + number as u64);
        File::options().write(true).open(&path).unwrap().set_modified(time).unwrap();
    }
    let next = Estate::open(scene.directory.path().into());
    assert_eq!(fs::read_dir(scene.directory.path()).unwrap().count(), FILES);
    assert!(!next.path(&heir("0")).exists() && next.path(&heir("1")).exists());
    assert!(scene.found().is_some());
}
