//! From the source of a Java chaincode to an image: what is ready needs no tools for that.

use std::fs::{self, File};
use std::io::Write;
use std::path::Path;

use selvedge_buildpack::image::{
    self, Base, ImagePlan, Layout, Origin, assemble, oci_spec::image::Descriptor, sha256, validate,
};
use selvedge_buildpack::language::Language;
use selvedge_buildpack::package::{Dependencies, Draft};
use selvedge_buildpack::platform::Platform;
use selvedge_buildpack::recipe::Workplace;
use selvedge_buildpack::source::Source;
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, DateTime, ZipWriter};

use crate::chaincode::tree;
use crate::images::{CERTIFICATE, tag};

const ROUTER: &str = "org.hyperledger.fabric.contract.ContractRouter";

/// A jar with the shim's main class, made in this year.
fn jar(path: &Path, year: u16, main_class: &str) {
    jar_with(path, year, main_class, &[]);
}

/// One with more in it.
fn jar_with(path: &Path, year: u16, main_class: &str, more: &[(&str, &str)]) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    let mut writer = ZipWriter::new(File::create(path).unwrap());
    let time = DateTime::from_date_and_time(year, 11, 26, 15, 30, 0).unwrap();
    let options = SimpleFileOptions::default()
        .compression_method(CompressionMethod::Deflated)
        .last_modified_time(time);
    let class = format!("{}.class", ROUTER.replace('.', "/"));
    let manifest = format!("Manifest-Version: 1.0\n{main_class}\n");
    let own = [("META-INF/MANIFEST.MF", manifest.as_str()), (&class, "class")];
    for (name, text) in own.iter().chain(more) {
        writer.start_file(*name, options).unwrap();
        writer.write_all(text.as_bytes()).unwrap();
    }
    writer.finish().unwrap();
}

/// What was made of the source in `place`, for which `build` does what the tool would have done; or
/// why nothing.
fn made(
    place: &Path,
    layout: &Layout,
    build: impl FnOnce(&Path),
) -> Result<(Descriptor, Origin), String> {
    let source = Source::open(&place.join("source")).unwrap();
    let platform = Platform::LinuxAmd64;
    let recipe = Language::Java.recipe(&source, "/wherever/it/was", platform).unwrap();
    let output = place.join("output");
    fs::create_dir(&output).unwrap();
    let workplace = Workplace { source: source.root(), output: &output };
    let toolchain = Language::Java.toolchain([], place).unwrap();
    recipe.prepare(&toolchain, &workplace).unwrap();
    build(&output.join("build"));
    let parts = recipe.parts(&workplace).map_err(|refusal| refusal.to_string())?;
    let (form, base) = (recipe.form(), Base::from_pem(CERTIFICATE).unwrap());
    let digest = source.digest().unwrap();
    let plan = ImagePlan { base: &base, form: &form, parts: &parts, source: digest, platform };
    let assembled = assemble(&plan, &layout.scratch()).unwrap();
    let image = layout.add(assembled, &tag("java")).unwrap();
    let base = base.diff_id().unwrap();
    Ok((image, Origin { base, source: digest, form, platform }))
}

/// What Maven builds of a project with one class of its own.
fn built(build: &Path, year: u16, class: &str) {
    assert!(build.join("src/A.java").is_file());
    tree(build, &[("target/classes/A.class", class)]);
    let (jar, named) = (build.join("target/chaincode.jar"), format!("Main-Class: {ROUTER}"));
    jar_with(&jar, year, &named, &[("A.class", class)]);
}

#[test]
fn what_maven_has_built_is_the_same_image_whenever_it_was() {
    let directory = tempfile::tempdir().unwrap();
    let layout = Layout::create(&directory.path().join("images")).unwrap();
    let of = |year: u16, class: &str| {
        let place = directory.path().join(format!("{class}-{year}"));
        tree(&place.join("source"), &[("src/pom.xml", "<project/>"), ("src/src/A.java", class)]);
        let (image, origin) = made(&place, &layout, |build| built(build, year, class)).unwrap();
        let digest = sha256(&image).unwrap();
        assert_eq!(validate(&layout, digest).unwrap(), []);
        assert!(origin.made(&layout, &image).unwrap());
        let layers = layout.manifest(&image).unwrap().layers().clone();
        (image, layers.iter().map(|layer| sha256(layer).unwrap()).collect::<Vec<_>>())
    };
    let ((_, renewed), (image, layers)) = (of(2027, "another"), of(2026, "one"));
    assert_eq!(image, of(2027, "one").0);
    assert_eq!(layers[..2], renewed[..2], "the base, and what it depends on");
    assert!(layers.len() == 3 && layers[2] != renewed[2]);

    let root = directory.path().join("root");
    let configuration = image::unpack(&layout, &image, &root).unwrap();
    let config = configuration.config().as_ref().unwrap();
    let start = config.entrypoint().as_deref().unwrap();
    assert_eq!(
        (start[0].as_str(), &start[4..]),
        ("sh", &["-jar", "chaincode.jar"].map(str::to_owned)[..])
    );
    assert_eq!(config.working_dir().as_deref(), Some("/usr/local/src"));
    let names = |directory: &str| {
        let files = fs::read_dir(root.join(directory)).unwrap();
        let mut names: Vec<_> = files.map(|file| file.unwrap().file_name()).collect();
        names.sort();
        names
    };
    // The jars, and nothing of what made them.
    assert_eq!(names("usr/local/src"), ["chaincode.jar", "lib"]);
    assert_eq!(names("usr/local/src/lib"), ["dependencies.jar"]);
}

#[test]
fn a_jar_that_cannot_be_started_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let layout = Layout::create(&directory.path().join("images")).unwrap();
    for (name, main_class, reason) in [
        ("without", "Created-By: me", "target/chaincode.jar names no Main-Class in its manifest"),
        ("elsewhere", "Main-Class: a.B", "target/chaincode.jar is started by `a.B`, which is not"),
    ] {
        let place = directory.path().join(name);
        tree(&place.join("source"), &[("src/pom.xml", "<project/>")]);
        let build = |build: &Path| jar(&build.join("target/chaincode.jar"), 2026, main_class);
        let told = made(&place, &layout, build).unwrap_err();
        assert!(told.starts_with(reason), "{told}");
    }
}

#[test]
fn ready_jars_go_in_as_they_are() {
    let directory = tempfile::tempdir().unwrap();
    let layout = Layout::create(&directory.path().join("images")).unwrap();
    let source = directory.path().join("source");
    tree(&source, &[("src/notes", ""), ("META-INF/statedb/couchdb/indexes/a.json", "{}")]);
    jar(&source.join("src/lib/chaincode.jar"), 2026, "Created-By: me");
    let (image, origin) = made(directory.path(), &layout, |_| ()).unwrap();
    assert!(origin.made(&layout, &image).unwrap());
    let root = directory.path().join("root");
    let configuration = image::unpack(&layout, &image, &root).unwrap();
    let start = configuration.config().as_ref().unwrap().entrypoint().clone().unwrap();
    assert_eq!(start[4..], ["-cp", "src/lib/chaincode.jar", ROUTER].map(str::to_owned));
    let code = root.join("usr/local/src/src");
    let read = |path: &Path| fs::read(path).unwrap();
    let same = read(&code.join("lib/chaincode.jar")) == read(&source.join("src/lib/chaincode.jar"));
    assert!(same && !code.join("notes").exists());
}

#[test]
fn what_of_a_directory_goes_into_a_package() {
    let directory = tempfile::tempdir().unwrap();
    let index = r#"{"index":{"fields":["owner"]},"ddoc":"d","name":"n","type":"json"}"#;
    tree(
        directory.path(),
        &[
            ("META-INF/statedb/couchdb/indexes/owner.json", index),
            (".env", "SECRET=1"),
            (".mvn/jvm.config", "-Xmx1g\n"),
            (".mvn/settings.xml", "<settings><password>secret</password></settings>"),
            (".mvn/wrapper/maven-wrapper.properties", "distributionUrl=x\n"),
            ("Loose.class", ""),
            ("maven-repository/com/example/build/a/1/_remote.repositories", "#a time\n"),
            ("maven-repository/com/example/build/a/1/a-1.pom", ""),
            ("member/target/member.jar", ""),
            ("mvnw", "#!/bin/sh\n"),
            ("pom.xml", "<project/>"),
            ("src/main/java/example/Ledger.java", ""),
            ("target/chaincode.jar", ""),
        ],
    );
    let draft = Draft::collect(directory.path(), Dependencies::Installed).unwrap();
    assert_eq!((draft.kind.name(), draft.path.as_str()), ("java", "."));
    let files: Vec<_> = draft.files.iter().map(|file| file.path.as_str()).collect();
    assert_eq!(
        files,
        [
            "META-INF/statedb/couchdb/indexes/owner.json",
            "src/.mvn/jvm.config",
            "src/.mvn/wrapper/maven-wrapper.properties",
            "src/maven-repository/com/example/build/a/1/a-1.pom",
            "src/mvnw",
            "src/pom.xml",
            "src/src/main/java/example/Ledger.java",
        ]
    );
    let left_out = draft.left_out.iter().map(|out| (out.path.as_str(), out.reason));
    let made = "what a build made";
    assert_eq!(
        left_out.collect::<Vec<_>>(),
        [
            (".env", "hidden"),
            (".mvn/settings.xml", "it holds a credential"),
            ("Loose.class", "compiled"),
            (
                "maven-repository/com/example/build/a/1/_remote.repositories",
                "what Maven notes for itself",
            ),
            ("member/target/", made),
            ("target/", made),
        ]
    );
}

#[test]
fn a_directory_with_a_jar_is_a_chaincode_that_is_ready() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("chaincode.jar");
    jar(&file, 2026, "Created-By: me");
    let draft = Draft::collect(directory.path(), Dependencies::Installed).unwrap();
    assert_eq!((draft.kind.name(), draft.files.len()), ("java", 1));
    fs::write(&file, "text").unwrap();
    let refused = Draft::collect(directory.path(), Dependencies::Installed).unwrap_err();
    let reason = std::error::Error::source(&refused).unwrap().to_string();
    assert!(reason.starts_with("src/chaincode.jar is not a jar: "), "{reason}");
}
