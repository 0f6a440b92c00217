//! The peer's external builders: whether Selvedge's are there and can be run, and whether another takes
//! packages first.

use std::fs::{self, File};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use selvedge_client::{DEFAULT, VARIABLE};
use selvedge_package::{Executable, METADATA_FILE};

use super::finding::Finding;
use super::peer::{Builder, Peer};
use super::program::said;

/// What a peer runs of a builder (Fabric `core/container/externalbuilder`).
const PROGRAMS: [&str; 4] = ["detect", "build", "release", "run"];

/// How Selvedge's say which they are, before their version.
const OURS: &str = "selvedge-builder ";

/// The types of packages that Selvedge takes.
const TYPES: [&str; 6] = ["golang", "node", "java", "binary", "k8s", "ccaas"];

/// What was seen of a builder.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Seen {
    /// What is wrong with its programs, a line each.
    faults: Vec<String>,
    /// The version, if it is Selvedge's.
    version: Option<String>,
    /// The types of packages that it takes.
    takes: Vec<&'static str>,
}

/// Looks at a builder, and asks it for what it takes, as a peer does.
pub(super) fn look(builder: &Builder) -> Seen {
    let bin = builder.path.join("bin");
    let detect = bin.join("detect");
    let version = said(&detect, &[Path::new("--version")]);
    let version = version.and_then(|(said, _)| Some(said.strip_prefix(OURS)?.to_owned()));
    // Of others a peer needs the first two, and of Selvedge's all are there.
    let needed = if version.is_some() { &PROGRAMS[..] } else { &PROGRAMS[..2] };
    let faults = needed.iter().filter_map(|name| fault(&bin.join(name))).collect();
    let takes = TYPES.into_iter().filter(|kind| is_taken(&detect, kind)).collect();
    Seen { faults, version, takes }
}

fn fault(program: &Path) -> Option<String> {
    let shown = program.display();
    let file = match File::open(program) {
        Ok(file) => file,
        Err(error) => return Some(format!("{shown} cannot be read: {error}")),
    };
    let is_executable = fs::metadata(program).is_ok_and(|it| it.permissions().mode() & 0o111 != 0);
    if !is_executable {
        return Some(format!("{shown} is not executable"));
    }
    // A script is nobody's fault but its own.
    let foreign = Executable::read(file).ok()?;
    let foreign = foreign.is_foreign().map(|here| (foreign.architecture().to_owned(), here));
    foreign.map(|(of, here)| format!("{shown} is for {of}, and this machine is {here}"))
}

/// Whether it takes a package of this type, of which it is shown the metadata alone.
fn is_taken(detect: &Path, kind: &str) -> bool {
    let Ok(place) = tempfile::tempdir() else { return false };
    let [source, metadata] = ["src", "metadata"].map(|name| place.path().join(name));
    let text = format!(r#"{{"path":"","type":"{kind}","label":"doctor_1.0"}}"#);
    let made = fs::create_dir(&source)
        .and_then(|()| fs::create_dir(&metadata))
        .and_then(|()| fs::write(metadata.join(METADATA_FILE), text));
    made.is_ok() && said(detect, &[&source, &metadata]).is_some_and(|(_, succeeded)| succeeded)
}

/// What follows from what was seen of each.
pub(super) fn verdicts(peer: &Peer, seen: &[Seen]) -> Vec<Finding> {
    let all: Vec<_> = peer.builders.iter().zip(seen).collect();
    let mut found: Vec<Finding> =
        all.iter().flat_map(|(builder, seen)| faults(builder, seen)).collect();
    let ours = all.iter().position(|(_, seen)| seen.version.is_some());
    let Some(ours) = ours else {
        if !all.is_empty() {
            found.push(Finding::bad(
                "Selvedge's builder",
                format!("none of the external builders in {} is Selvedge's", peer.source),
                "add {name: selvedge, path: DIR}, where DIR/bin has detect, build, release and run of \
                 this release, and start the peer again",
            ));
        }
        return found;
    };
    let (builder, seen) = &all[ours];
    if seen.faults.is_empty() {
        found.push(release(builder, seen.version.as_deref().unwrap_or_default()));
    }
    found.extend(all[..ours].iter().filter_map(|(rival, seen)| precedence(rival, seen, builder)));
    found.extend(address(builder, std::env::var(VARIABLE).ok().as_deref()));
    found
}

fn about(builder: &Builder) -> String {
    format!("builder {}", builder.name)
}

fn faults(builder: &Builder, seen: &Seen) -> Vec<Finding> {
    let way_out = format!(
        "see that {} has its programs, for this machine, executable for the peer's user",
        builder.path.join("bin").display()
    );
    seen.faults.iter().map(|fault| Finding::bad(about(builder), fault, &*way_out)).collect()
}

fn release(builder: &Builder, version: &str) -> Finding {
    let (own, path) = (env!("CARGO_PKG_VERSION"), builder.path.display());
    if version == own {
        return Finding::good(about(builder), format!("{path} has Selvedge {version}"));
    }
    Finding::bad(
        about(builder),
        format!("{path} has Selvedge {version}, and this is {own}"),
        "install builders, launcher and command line of one release",
    )
}

/// Another builder that is asked before, and takes what Selvedge would.
fn precedence(rival: &Builder, seen: &Seen, ours: &Builder) -> Option<Finding> {
    if seen.takes.is_empty() {
        return None;
    }
    let taken = seen.takes.join(", ");
    let said = format!("it comes before {} and takes packages of type {taken}", ours.name);
    let way_out = format!(
        "move {} before it in externalBuilders, unless it is to have them; the first that takes a \
         package has it",
        ours.name
    );
    // Of those of other builders that are there for just one kind.
    let is_meant = seen.takes.iter().all(|kind| ["ccaas", "k8s"].contains(kind));
    let verdict = if is_meant { Finding::doubtful } else { Finding::bad };
    Some(verdict(about(rival), said, way_out))
}

/// Where the builder looks for its launcher.
fn address(builder: &Builder, variable: Option<&str>) -> Option<Finding> {
    let named = variable.filter(|named| !named.is_empty() && *named != DEFAULT)?;
    let is_told = builder.propagated.iter().any(|name| name == VARIABLE);
    (!is_told).then(|| {
        Finding::bad(
            about(builder),
            format!("{VARIABLE} is {named} here, and the peer does not tell the builder"),
            format!("list {VARIABLE} in its propagateEnvironment, and start the peer again"),
        )
    })
}

#[cfg(test)]
mod tests {
    use super::super::finding::Verdict;
    use super::*;

    fn builder(name: &str) -> Builder {
        Builder { name: name.into(), path: format!("/{name}").into(), propagated: Vec::new() }
    }

    fn ours() -> Seen {
        let version = Some(env!("CARGO_PKG_VERSION").to_owned());
        Seen { version, takes: TYPES.to_vec(), ..Seen::default() }
    }

    fn found(seen: &[(&str, Seen)]) -> Vec<(String, Verdict)> {
        let builders = seen.iter().map(|(name, _)| builder(name)).collect();
        let peer = Peer { source: "core.yaml".into(), builders, certificates: Vec::new() };
        let seen: Vec<Seen> = seen.iter().map(|(_, seen)| seen.clone()).collect();
        verdicts(&peer, &seen).into_iter().map(|found| (found.about, found.verdict)).collect()
    }

    #[test]
    fn alone_and_of_this_release() {
        assert_eq!(found(&[("selvedge", ours())]), [("builder selvedge".into(), Verdict::Good)]);
        assert_eq!(found(&[]), []);
    }

    #[test]
    fn who_comes_before_and_takes_what_is_ours() {
        let rival = |takes: &[&'static str]| Seen { takes: takes.to_vec(), ..Seen::default() };
        for (takes, verdict) in [
            (&["golang", "node"][..], Some(Verdict::Bad)),
            (&["ccaas"], Some(Verdict::Doubtful)),
            (&[], None),
        ] {
            let mut expected = vec![("builder selvedge".to_owned(), Verdict::Good)];
            expected.extend(verdict.map(|verdict| ("builder rival".to_owned(), verdict)));
            assert_eq!(found(&[("rival", rival(takes)), ("selvedge", ours())]), expected);
            // Who comes after takes what is left.
            assert_eq!(found(&[("selvedge", ours()), ("rival", rival(takes))]).len(), 1);
        }
    }

    #[test]
    fn not_there_or_not_right() {
        let expected = [("Selvedge's builder".to_owned(), Verdict::Bad)];
        assert_eq!(found(&[("other", Seen::default())]), expected);
        let broken = Seen { faults: vec!["it is not executable".into()], ..ours() };
        assert_eq!(found(&[("selvedge", broken)]), [("builder selvedge".into(), Verdict::Bad)]);
        let old = Seen { version: Some("0.0.1".into()), ..ours() };
        assert_eq!(found(&[("selvedge", old)]), [("builder selvedge".into(), Verdict::Bad)]);
    }

    #[test]
    fn an_address_that_the_builder_is_not_told() {
        let silent = builder("selvedge");
        let told = Builder { propagated: vec![VARIABLE.into()], ..silent.clone() };
        for (builder, variable, is_wrong) in [
            (&silent, None, false),
            (&silent, Some(""), false),
            (&silent, Some(DEFAULT), false),
            (&silent, Some("unix:/elsewhere.sock"), true),
            (&told, Some("unix:/elsewhere.sock"), false),
        ] {
            assert_eq!(address(builder, variable).is_some(), is_wrong, "{variable:?}");
        }
    }
}
