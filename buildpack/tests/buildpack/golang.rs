//! Go chaincode from package to image, with the real toolchain.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

use selvedge_buildpack::digest::Sha256;
use selvedge_buildpack::image::{
    self, Base, BuildKey, BuildKeyInputs, Form, ImagePlan, Layout, Part, assemble, validate,
};
use selvedge_buildpack::language::Language;
use selvedge_buildpack::package::{
    Dependencies, Draft, Existing, Inspection, Interrupt, PackageId, write,
};
use selvedge_buildpack::platform::Platform;
use selvedge_buildpack::recipe::{
    Answer, BuildCommand, BuildFailure, Toolchain, Workplace, Workshop, carry_out,
};
use selvedge_buildpack::source::Source;

use crate::chaincode::{GO_MOD, chaincode, tree};
use crate::images::CERTIFICATE;

/// This machine's.
struct Here;

impl Workshop for Here {
    type Error = io::Error;

    async fn run(&mut self, command: &BuildCommand) -> io::Result<Answer> {
        let ran = Command::new(&command.program)
            .args(&command.arguments)
            .env_clear()
            .envs(command.environment.iter().cloned())
            .current_dir(&command.directory)
            .output()?;
        let output = String::from_utf8_lossy(&[ran.stdout, ran.stderr].concat()).into_owned();
        Ok(Answer { succeeded: ran.status.success(), output })
    }

    async fn ask(&mut self, command: &BuildCommand) -> io::Result<Answer> {
        self.run(command).await
    }
}

fn toolchain(own: &Path) -> Toolchain {
    Language::Golang.toolchain(std::env::vars_os(), own).unwrap()
}

/// Builds the source in `root` for a platform; the program, or the compiler's first errors.
fn program(
    root: &Path,
    path: &str,
    platform: Platform,
    output: &Path,
) -> Result<PathBuf, Vec<String>> {
    let source = Source::open(root).unwrap();
    let recipe = Language::Golang.recipe(&source, path, platform).unwrap();
    fs::create_dir(output).unwrap();
    let place = Workplace { source: source.root(), output };
    let toolchain = toolchain(output.parent().unwrap());
    let built = pollster::block_on(carry_out(&*recipe, &toolchain, &place, &mut Here));
    match built {
        Ok(parts) => match <[Part; 1]>::try_from(parts) {
            Ok([Part::Program(program)]) => Ok(program),
            other => panic!("{other:?}"),
        },
        Err(BuildFailure::Compile(errors)) => Err(errors),
        Err(other) => panic!("{other:?}"),
    }
}

struct Built {
    package: PackageId,
    image: Sha256,
    key: BuildKey,
}

/// What a developer, a peer and Selvedge do with the chaincode in `directory`.
fn build(directory: &Path, work: &Path) -> Built {
    let draft = Draft::collect(directory, Dependencies::Installed).unwrap();
    let file = work.join("package.tar.gz");
    let label = "basic_1.0".parse().unwrap();
    let packed = write(&draft, &label, &file, Existing::Keep, &Interrupt::default()).unwrap();
    let inspection = Inspection::of(&file, &Interrupt::default()).unwrap();
    let source = Source::open(inspection.code()).unwrap();

    let platform = Platform::host().unwrap();
    let path = &packed.metadata.path;
    let program = program(source.root(), path, platform, &work.join("output")).unwrap();
    let version = Language::Golang.version(&toolchain(work)).unwrap();
    let version = pollster::block_on(Here.run(&version)).unwrap().output;
    assert!(version.starts_with("go1."), "{version}");

    let base = Base::from_pem(CERTIFICATE).unwrap();
    let digest = source.digest().unwrap();
    let key = BuildKey::new(&BuildKeyInputs {
        source: digest,
        recipe: &Language::Golang.recipe(&source, path, platform).unwrap().inputs(),
        toolchain: version.trim(),
        base: base.diff_id().unwrap(),
        platform,
    });
    let layout = Layout::create(&work.join("images")).unwrap();
    let (form, parts) = (Form::program(), [Part::Program(program)]);
    let plan = ImagePlan { base: &base, form: &form, parts: &parts, source: digest, platform };
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
    let output = directory.path().join("output");
    let errors = program(directory.path(), "", Platform::LinuxAmd64, &output).unwrap_err();
    assert_eq!(errors, ["./main.go:3:15: undefined: undefined"]);
}

#[test]
fn another_platform() {
    let directory = tempfile::tempdir().unwrap();
    tree(
        directory.path(),
        &[("src/go.mod", GO_MOD), ("src/main.go", "package main\nfunc main() {}\n")],
    );
    let output = directory.path().join("output");
    let program = program(directory.path(), ".", Platform::LinuxArm64, &output).unwrap();
    // ELF header, e_machine: 183 is AArch64.
    assert_eq!(fs::read(program).unwrap()[18], 183);
}
