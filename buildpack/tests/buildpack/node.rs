//! From the source of a Node chaincode to an image: what brings its dependencies along needs no
//! tools for that.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use crafted::{Crafted, EntryType};
use selvedge_buildpack::image::{
    self, Base, ImagePlan, Layout, Origin, assemble, oci_spec::image::Descriptor, sha256, validate,
};
use selvedge_buildpack::language::Language;
use selvedge_buildpack::package::{Dependencies, Draft};
use selvedge_buildpack::platform::Platform;
use selvedge_buildpack::recipe::Workplace;
use selvedge_buildpack::source::Source;

use crate::chaincode::tree;
use crate::images::{CERTIFICATE, Specimen, tag};

const PACKAGE_JSON: &str = r#"{
    "main": "index.js",
    "scripts": {"start": "fabric-chaincode-node start"},
    "dependencies": {"fabric-shim": "2.5.8"}
}"#;

/// What no image and no package may hold.
const SECRET: &str = "npm_config__authToken=secret";

const FILES: [(&str, &str); 5] = [
    ("META-INF/statedb/couchdb/indexes/owner.json", "{}"),
    ("src/package.json", PACKAGE_JSON),
    ("src/index.js", "// code\n"),
    ("src/.npmrc", "//registry.example/:_authToken=secret\n"),
    ("src/node_modules/fabric-shim/cli.js", "// shim\n"),
];

/// An image made of the source in `place`, where `change` may have its way with what was built.
fn made(place: &Path, layout: &Layout, change: impl FnOnce(&Path)) -> (Descriptor, Origin) {
    let source = Source::open(&place.join("source")).unwrap();
    let platform = Platform::LinuxAmd64;
    let recipe = Language::Node.recipe(&source, "/wherever/it/was", platform).unwrap();
    let output = place.join("output");
    fs::create_dir(&output).unwrap();
    let workplace = Workplace { source: source.root(), output: &output };
    let toolchain = Language::Node.toolchain([], place).unwrap();
    recipe.prepare(&toolchain, &workplace).unwrap();
    assert!(recipe.commands(&toolchain, &workplace).is_empty());
    change(&output.join("chaincode"));
    let (form, parts) = (recipe.form(), recipe.parts(&workplace).unwrap());
    let base = Base::from_pem(CERTIFICATE).unwrap();
    let digest = source.digest().unwrap();
    let plan = ImagePlan { base: &base, form: &form, parts: &parts, source: digest, platform };
    let assembled = assemble(&plan, &layout.scratch()).unwrap();
    let image = layout.add(assembled, &tag("node")).unwrap();
    let base = base.diff_id().unwrap();
    (image, Origin { base, source: digest, form, platform })
}

/// All files below a directory; links with where they lead.
fn files(root: &Path) -> BTreeMap<String, String> {
    let entries = walkdir::WalkDir::new(root).into_iter().map(Result::unwrap);
    let files = entries.filter(|entry| !entry.file_type().is_dir()).map(|entry| {
        let name = entry.path().strip_prefix(root).unwrap().display().to_string();
        let content = if entry.file_type().is_symlink() {
            format!("-> {}", fs::read_link(entry.path()).unwrap().display())
        } else {
            fs::read_to_string(entry.path()).unwrap()
        };
        (name, content)
    });
    files.collect()
}

#[test]
fn what_is_packed_becomes_an_image_with_dependencies_and_code_apart() {
    let directory = tempfile::tempdir().unwrap();
    let layout = Layout::create(&directory.path().join("images")).unwrap();
    let digests = ["one", "two"].map(|name| {
        let place = directory.path().join(name);
        tree(&place.join("source"), &FILES);
        let (image, origin) = made(&place, &layout, |chaincode| {
            let programs = chaincode.join("node_modules/.bin");
            fs::create_dir(&programs).unwrap();
            symlink("../fabric-shim/cli.js", programs.join("fabric-chaincode-node")).unwrap();
            // As node-gyp leaves it, with what npm was told of a registry.
            for module in ["", "node_modules/native/"] {
                let build = chaincode.join(module).join("build");
                let compiled = [("Release/native.node", "program"), ("Makefile", SECRET)];
                let more = [("config.gypi", SECRET), ("Release/obj.target/native.o", name)];
                tree(&build, &compiled);
                tree(&build, &more);
            }
        });
        let digest = sha256(&image).unwrap();
        assert_eq!(validate(&layout, digest).unwrap(), []);
        assert!(origin.made(&layout, &image).unwrap());
        assert_eq!(layout.manifest(&image).unwrap().layers().len(), 3);
        digest
    });
    assert_eq!(digests[0], digests[1]);

    let image = layout.find(digests[0]).unwrap().unwrap();
    let root = directory.path().join("root");
    let configuration = image::unpack(&layout, &image, &root).unwrap();
    let config = configuration.config().as_ref().unwrap();
    let start = ["node", "node_modules/fabric-shim/cli.js", "start"].map(str::to_owned);
    assert_eq!(config.entrypoint().as_deref(), Some(&start[..]));
    assert_eq!(config.working_dir().as_deref(), Some("/usr/local/src"));
    let expected = [
        ("build/Release/native.node", "program"),
        ("index.js", "// code\n"),
        ("node_modules/.bin/fabric-chaincode-node", "-> ../fabric-shim/cli.js"),
        ("node_modules/fabric-shim/cli.js", "// shim\n"),
        ("node_modules/native/build/Release/native.node", "program"),
        ("package.json", PACKAGE_JSON),
    ];
    let expected = expected.map(|(name, content)| (name.to_owned(), content.to_owned()));
    assert_eq!(files(&root.join("usr/local/src")), expected.into());
}

#[test]
fn nothing_is_written_to_where_a_link_leads() {
    let through = |entries: Vec<Crafted>| {
        let specimen = Specimen::new().with_entries(entries);
        let faults = validate(&specimen.layout, sha256(&specimen.descriptor).unwrap()).unwrap();
        let target = specimen.directory.path().join("root");
        let unpacked = image::unpack(&specimen.layout, &specimen.descriptor, &target);
        (faults.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"), unpacked.is_ok())
    };
    let link = |name: &str, target: &str| Crafted::link(name, EntryType::Symlink, target);
    let program = || Crafted::file("usr/local/bin/chaincode", "x");
    let (faults, unpacked) = through(vec![link("a", "/etc"), program()]);
    assert!(faults.contains("`a` is a symbolic link to `/etc`, which does not lead"), "{faults}");
    assert!(!unpacked);
    let (faults, unpacked) = through(vec![link("a", "etc"), Crafted::file("a/passwd", "x")]);
    assert!(faults.contains("`a/passwd` is both a file and a directory"), "{faults}");
    assert!(!unpacked);
    let (_, unpacked) = through(vec![link("a", "etc/passwd"), link("b", "a")]);
    assert!(unpacked, "links to what lies in the image");
}

#[test]
fn what_of_a_directory_goes_into_a_package() {
    let directory = tempfile::tempdir().unwrap();
    let mut all: Vec<(&str, &str)> =
        FILES.iter().map(|(name, text)| (name.trim_start_matches("src/"), *text)).collect();
    all[0].1 = r#"{"index":{"fields":["owner"]},"ddoc":"d","name":"n","type":"json"}"#;
    all.extend([
        ("packages/a/package.json", "{}"),
        ("packages/a/node_modules/b/index.js", ""),
        (".env", "SECRET=1"),
        (".yarnrc.yml", "nodeLinker: node-modules\n"),
        (".yarn/releases/yarn-4.0.0.cjs", ""),
        (".yarn/cache/b.zip", ""),
        (".pnpmfile.cjs", ""),
    ]);
    tree(directory.path(), &all);
    let draft = Draft::collect(directory.path(), Dependencies::Installed).unwrap();
    assert_eq!((draft.kind.name(), draft.path.as_str()), ("node", "."));
    let files: Vec<_> = draft.files.iter().map(|file| file.path.as_str()).collect();
    assert_eq!(
        files,
        [
            "META-INF/statedb/couchdb/indexes/owner.json",
            "src/.pnpmfile.cjs",
            "src/.yarn/releases/yarn-4.0.0.cjs",
            "src/.yarnrc.yml",
            "src/index.js",
            "src/package.json",
            "src/packages/a/package.json",
        ]
    );
    let left_out = draft.left_out.iter().map(|out| (out.path.as_str(), out.reason));
    let dependencies = "dependencies, which are installed where it is built";
    assert_eq!(
        left_out.collect::<Vec<_>>(),
        [
            (".env", "hidden"),
            (".npmrc", "it holds a credential"),
            (".yarn/cache/", "hidden"),
            ("node_modules/", dependencies),
            ("packages/a/node_modules/", dependencies),
        ]
    );
    let packed = Draft::collect(directory.path(), Dependencies::Packed).unwrap();
    let shim = "src/node_modules/fabric-shim/cli.js";
    assert!(packed.files.iter().any(|file| file.path.as_str() == shim));
    assert!(packed.remarks.is_empty(), "nothing is open");
    let native = [("config.gypi", SECRET), ("Makefile", SECRET), ("Release/a.node", "program")];
    tree(&directory.path().join("node_modules/a/build"), &native);
    let notes = [("node_modules/.package-lock.json", SECRET), ("build/config.gypi", SECRET)];
    tree(directory.path(), &notes);
    let packed = Draft::collect(directory.path(), Dependencies::Packed).unwrap();
    let told =
        packed.files.iter().filter(|file| fs::read_to_string(&file.on_disk).unwrap() == SECRET);
    assert_eq!(told.map(|file| file.path.as_str()).collect::<Vec<_>>(), Vec::<&str>::new());
    let compiled = "src/node_modules/a/build/Release/a.node";
    assert!(packed.files.iter().any(|file| file.path.as_str() == compiled));

    let remarks: Vec<_> = draft.remarks.iter().map(|remark| remark.file.as_str()).collect();
    assert_eq!(remarks, ["package.json"], "no lock file");

    fs::remove_file(directory.path().join("index.js")).unwrap();
    let refused = Draft::collect(directory.path(), Dependencies::Installed).unwrap_err();
    let reason = std::error::Error::source(&refused).unwrap().to_string();
    assert!(reason.contains("starts `index.js`, which is not in the package"), "{reason}");
}
