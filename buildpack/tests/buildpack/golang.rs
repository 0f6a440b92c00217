//! Go chaincode from package to image, with the real toolchain.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use selvedge_buildpack::digest::Sha256;
use selvedge_buildpack::golang::{BuildCommand, GoBuild, GoModule, GoToolchain, first_errors};
use selvedge_buildpack::image::{
    self, Base, BuildKey, BuildKeyInputs, ImagePlan, Layout, assemble, validate,
};
use selvedge_buildpack::package::{Draft, Existing, Inspection, Interrupt, PackageId, write};
use selvedge_buildpack::platform::Platform;
use selvedge_buildpack::source::Source;

use crate::chaincode::{GO_MOD, chaincode, tree};
use crate::images::CERTIFICATE;

fn run(command: &BuildCommand) -> Output {
    Command::new(&command.program)
        .args(&command.arguments)
        .env_clear()
        .envs(command.environment.iter().cloned())
        .current_dir(&command.directory)
        .output()
        .unwrap()
}

fn toolchain() -> GoToolchain {
    GoToolchain::new("go", std::env::vars_os())
}

struct Built {
    package: PackageId,
    image: Sha256,
    key: BuildKey,
}

/// What a developer, a peer and Selvedge do with the chaincode in `directory`.
fn build(directory: &Path, work: &Path) -> Built {
    let draft = Draft::collect(directory).unwrap();
    let file = work.join("package.tar.gz");
    let label = "basic_1.0".parse().unwrap();
    let packed = write(&draft, &label, &file, Existing::Keep, &Interrupt::default()).unwrap();
    let inspection = Inspection::of(&file, &Interrupt::default()).unwrap();
    let source = Source::open(inspection.code()).unwrap();

    let path = packed.metadata.path.parse().unwrap();
    let module = GoModule::find(&source.paths(), &path).unwrap();
    let go_build = GoBuild::new(module, Platform::host().unwrap());
    let program = work.join("program");
    let built = run(&go_build.command(&toolchain(), source.root(), &program));
    assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
    let version = run(&toolchain().version_command());
    let version = String::from_utf8(version.stdout).unwrap();
    assert!(version.starts_with("go1."), "{version}");

    let base = Base::from_pem(CERTIFICATE).unwrap();
    let digest = source.digest().unwrap();
    let key = BuildKey::new(&BuildKeyInputs {
        source: digest,
        recipe: &go_build.recipe(),
        toolchain: version.trim(),
        base: base.diff_id().unwrap(),
        platform: Platform::host().unwrap(),
    });
    let layout = Layout::create(&work.join("images")).unwrap();
    let plan = ImagePlan {
        base: &base,
        program: &program,
        source: digest,
        platform: Platform::host().unwrap(),
    };
    let assembled = assemble(&plan, &layout.scratch()).unwrap();
    let image = assembled.digest();
    layout.add(assembled, &key.tag()).unwrap();
    assert_eq!(validate(&layout, image).unwrap(), []);
    Built { package: packed.id, image, key }
}

#[test]
fn same_source_same_package_same_image() {
    let directory = tempfile::tempdir().unwrap();
    let (one, two) = (directory.path().join("one"), directory.path().join("somewhere/else/two"));
    let built = [one, two].map(|place| {
        chaincode(&place.join("code"));
        fs::create_dir(place.join("work")).unwrap();
        build(&place.join("code"), &place.join("work"))
    });
    assert_eq!(built[0].package, built[1].package);
    assert_eq!(built[0].image, built[1].image);
    assert_eq!(built[0].key, built[1].key);

    // And it runs, from what is unpacked of the image.
    let layout = Layout::open(&directory.path().join("one/work/images")).unwrap();
    let descriptor = layout.find_tag(&built[0].key.tag()).unwrap().unwrap();
    let rootfs = directory.path().join("rootfs");
    image::unpack(&layout, &descriptor, &rootfs).unwrap();
    let output = Command::new(rootfs.join("usr/local/bin/chaincode")).output().unwrap();
    assert_eq!(output.stdout, b"hello from chaincode\n");
}

#[test]
fn the_compilers_error_is_found() {
    let directory = tempfile::tempdir().unwrap();
    let broken = "package main\n\nfunc main() { undefined() }\n";
    tree(directory.path(), &[("src/go.mod", GO_MOD), ("src/main.go", broken)]);
    let source = Source::open(directory.path()).unwrap();
    let module = GoModule::find(&source.paths(), &"".parse().unwrap()).unwrap();
    let build = GoBuild::new(module, Platform::LinuxAmd64);
    let output = run(&build.command(&toolchain(), source.root(), &directory.path().join("out")));
    assert!(!output.status.success());
    let errors = first_errors(&String::from_utf8_lossy(&output.stderr));
    assert_eq!(errors, ["./main.go:3:15: undefined: undefined"]);
}

#[test]
fn another_platform() {
    let directory = tempfile::tempdir().unwrap();
    tree(
        directory.path(),
        &[("src/go.mod", GO_MOD), ("src/main.go", "package main\nfunc main() {}\n")],
    );
    let source = Source::open(directory.path()).unwrap();
    let module = GoModule::find(&source.paths(), &".".parse().unwrap()).unwrap();
    let out = directory.path().join("out");
    let built =
        run(&GoBuild::new(module, Platform::LinuxArm64).command(&toolchain(), source.root(), &out));
    assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
    // ELF header, e_machine: 183 is AArch64.
    assert_eq!(fs::read(out).unwrap()[18], 183);
}
