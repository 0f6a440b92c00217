//! Go sources as people have them: what is told before anybody installs them.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use crafted::{Crafted, package};

use crate::{GO_MOD, MAIN_GO, METADATA, check, command, names, selvedge};

const INDEX: &str = r#"{"index":{"fields":["owner"]},"ddoc":"d","name":"n","type":"json"}"#;

fn tree(root: &Path, files: &[(&str, &str)]) {
    for (path, content) in files {
        let path = root.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }
}

/// Embeds what `directive` names, and uses it.
fn embedding(directive: &str) -> String {
    format!(
        "package main\n\nimport \"embed\"\n\n//go:embed {directive}\nvar files embed.FS\n\n\
         func main() {{ println(files.Open(\"x\")) }}\n"
    )
}

#[test]
fn hidden_files_go_in_where_the_code_embeds_them() {
    let directory = tempfile::tempdir().unwrap();
    let root = directory.path();
    let pages = [("pages/a.txt", "a"), ("pages/.b.txt", "b"), ("pages/.deeper/c.txt", "c")];
    for (name, directive, inside, outside) in [
        ("direct", ".defaults.json", &["src/.defaults.json"][..], &[".env (hidden)"][..]),
        ("all", "all:pages", &["src/pages/.b.txt", "src/pages/.deeper/c.txt"], &[".env (hidden)"]),
        ("plain", "pages", &["src/pages/a.txt"], &["pages/.b.txt (h", "pages/.deeper/ (hidden)"]),
    ] {
        let source = root.join(name);
        tree(&source, &[("go.mod", GO_MOD), ("main.go", &embedding(directive))]);
        tree(&source, &[(".defaults.json", "{}"), (".env", "SECRET=1")]);
        tree(&source, &pages);
        let output = selvedge(root, &["package", name, "-l", name]);
        let told = [&["Wrote", "left out\n"], inside, outside].concat();
        check(&output, 0, &told, &[]);
        let file = format!("{name}.tar.gz");
        check(&selvedge(root, &["inspect", "-c", &file]), 0, &["nothing speaks against it"], &[]);
    }
}

/// What stays out may be what the code needs: the directory compiles, and its package does not.
#[test]
fn what_goes_in_is_compiled_and_not_the_directory() {
    let directory = tempfile::tempdir().unwrap();
    let root = directory.path();
    let hidden = "module example.com/hidden\n";
    let go_mod = format!(
        "{GO_MOD}require example.com/hidden v0.0.0\nreplace example.com/hidden => ./.hidden\n"
    );
    let main = "package main\n\nimport \"example.com/hidden\"\n\nfunc main() { hidden.Do() }\n";
    tree(&root.join("asset"), &[("go.mod", &go_mod), ("main.go", main)]);
    let library = "package hidden\n\nfunc Do() {}\n";
    tree(&root.join("asset"), &[(".hidden/go.mod", hidden), (".hidden/hidden.go", library)]);
    let output = selvedge(root, &["package", "asset", "-l", "a"]);
    check(&output, 1, &[], &["the chaincode does not compile", "example.com/hidden"]);
    assert!(!String::from_utf8_lossy(&output.stderr).contains("/tmp"), "{output:?}");
    assert_eq!(names(root), ["asset"]);
}

/// A module of the same repository, in the place of a published one: no package could hold it where
/// it is.
#[test]
fn what_lies_outside_of_the_module_is_taken_along() {
    let directory = tempfile::tempdir().unwrap();
    let root = directory.path();
    let go_mod =
        format!("{GO_MOD}require example.com/lib v0.0.0\nreplace example.com/lib => ../lib\n");
    let main = "package main\n\nimport \"example.com/lib\"\n\nfunc main() { lib.Do() }\n";
    tree(&root.join("asset"), &[("go.mod", &go_mod), ("main.go", main)]);
    let library = "package lib\n\nfunc Do() {}\n";
    tree(&root.join("lib"), &[("go.mod", "module example.com/lib\n"), ("lib.go", library)]);
    let told = ["which lies outside of the module", "--vendor"];
    check(&selvedge(root, &["package", "asset", "-l", "a"]), 1, &[], &told);

    let output = selvedge(root, &["package", "asset", "-l", "a", "--vendor"]);
    let inside = ["src/vendor/modules.txt", "src/vendor/example.com/lib/lib.go"];
    check(&output, 0, &inside, &["taking dependencies along: go mod vendor"]);
    check(&selvedge(root, &["inspect", "-c", "a.tar.gz"]), 0, &["nothing speaks against it"], &[]);
    assert_eq!(names(&root.join("asset")), ["go.mod", "main.go"], "the directory is another now");
}

#[test]
fn dependencies_that_cannot_be_had_are_told_of() {
    let directory = tempfile::tempdir().unwrap();
    let root = directory.path();
    let go_mod = format!("{GO_MOD}require example.com/lib v0.0.0\n");
    let main = "package main\n\nimport \"example.com/lib\"\n\nfunc main() { lib.Do() }\n";
    tree(&root.join("asset"), &[("go.mod", &go_mod), ("main.go", main)]);
    let mut package = command(root, &["package", "asset", "-l", "a", "--vendor"]);
    let output = package.env("GOPROXY", "off").output().unwrap();
    check(&output, 1, &[], &["`go mod vendor` failed", "example.com/lib: missing go.sum entry"]);
    // The go.sum is older than the go.mod.
    let output = selvedge(root, &["package", "asset", "-l", "a"]);
    let missing = "missing go.sum entry for module providing package example.com/lib";
    check(&output, 1, &[], &["does not compile", missing]);
    assert_eq!(names(root), ["asset"]);
}

#[test]
fn a_package_that_is_no_main_is_refused_by_its_name() {
    let directory = tempfile::tempdir().unwrap();
    let root = directory.path();
    let library = "package asset\n\nfunc main() {}\n";
    let generator = "//go:build ignore\n\npackage main\n\nfunc main() {}\n";
    tree(&root.join("plain"), &[("go.mod", GO_MOD), ("asset.go", library)]);
    tree(&root.join("generator"), &[("go.mod", GO_MOD), ("asset.go", library)]);
    tree(&root.join("generator"), &[("generate.go", generator)]);
    for name in ["plain", "generator"] {
        for more in [&[][..], &["--no-compile"]] {
            let arguments = [&["package", name, "-l", "a"], more].concat();
            let reason = "is not a main package but `package asset`";
            check(&selvedge(root, &arguments), 1, &[], &[reason, "name it `package main`"]);
        }
    }
    let by_hand = package(
        METADATA,
        [("src/go.mod", GO_MOD), ("src/asset.go", library), ("src/generate.go", generator)]
            .map(|(name, content)| Crafted::file(name, content)),
    );
    fs::write(root.join("hand.tar.gz"), by_hand).unwrap();
    let told = ["by Selvedge: code.tar.gz: src is not a main package but `package asset`"];
    check(&selvedge(root, &["inspect", "hand.tar.gz"]), 1, &told, &[]);
    assert_eq!(names(root), ["generator", "hand.tar.gz", "plain"]);
}

/// Of another module than the chaincode's, only Go can tell.
#[test]
fn a_path_of_another_modules_library_makes_no_program() {
    let directory = tempfile::tempdir().unwrap();
    let root = directory.path();
    let go_mod =
        format!("{GO_MOD}require example.com/lib v0.0.0\nreplace example.com/lib => ./lib\n");
    let files = [
        ("src/go.mod", go_mod.as_str()),
        ("src/main.go", "package main\n\nimport _ \"example.com/lib\"\n\nfunc main() {}\n"),
        ("src/lib/go.mod", "module example.com/lib\n"),
        ("src/lib/lib.go", "package lib\n"),
    ];
    let metadata = METADATA.replace("example.com/asset", "example.com/lib");
    let package = package(&metadata, files.map(|(name, content)| Crafted::file(name, content)));
    fs::write(root.join("lib.tar.gz"), package).unwrap();
    let told = ["code.tar.gz: does not compile: `example.com/lib`", "is not a main package"];
    check(&selvedge(root, &["inspect", "-c", "lib.tar.gz"]), 1, &told, &[]);
}

const TWICE: &str = "package main\n\n// static int twice(int n) { return 2 * n; }\nimport \"C\"\n\n\
                     func twice(n int) int { return int(C.twice(C.int(n))) }\n";

/// A PATH on which there is Go, and no C compiler.
fn go_alone(root: &Path) -> PathBuf {
    let bin = root.join("bin");
    fs::create_dir(&bin).unwrap();
    let path = std::env::var_os("PATH").unwrap();
    let go = std::env::split_paths(&path).map(|dir| dir.join("go")).find(|go| go.is_file());
    symlink(go.unwrap(), bin.join("go")).unwrap();
    bin
}

#[test]
fn code_with_c_is_compiled_and_without_a_c_compiler_its_file_is_named() {
    let directory = tempfile::tempdir().unwrap();
    let root = directory.path();
    let go_alone = go_alone(root);
    let main = "package main\n\nfunc main() { println(twice(21)) }\n";
    let whole = format!("{TWICE}\nfunc main() {{ println(twice(21)) }}\n");
    let tagged = format!("//go:build cgo\n\n{whole}");
    let library = TWICE.replace("package main", "package deep").replace("func twice", "func Twice");
    let user =
        "package main\n\nimport \"example.com/asset/deep\"\n\nfunc main() { deep.Twice(1) }\n";
    for (name, files, file) in [
        ("function", &[("main.go", main), ("twice.go", TWICE)][..], "twice.go"),
        ("whole", &[("main.go", &whole)], "main.go"),
        ("tagged", &[("main.go", &tagged)], "main.go"),
        ("below", &[("main.go", user), ("deep/deep.go", &library)], "deep/deep.go"),
    ] {
        tree(&root.join(name), &[("go.mod", GO_MOD)]);
        tree(&root.join(name), files);
        check(&selvedge(root, &["package", name, "-l", name]), 0, &["Wrote"], &[]);
        let reason = format!("\n  {file} imports \"C\", and there is no C compiler: use ");
        let mut without = command(root, &["package", name, "-l", "a"]);
        let output = without.env("PATH", &go_alone).output().unwrap();
        check(&output, 1, &[], &["does not compile", &reason, "install gcc"]);
    }
    // Found whatever it is that Go misses: the program itself, a method, what has another name.
    let method = TWICE.replace("func twice(n int) int", "func (T) Twice(n int) int");
    let typed = "package main\n\ntype T struct{}\n\nfunc main() { println(T{}.Twice(21)) }\n";
    let aliased = user.replace("import \"", "import d \"").replace("deep.Twice", "d.Twice");
    for (name, files) in [
        ("main-in-c", &[("main.go", whole.as_str()), ("more.go", "package main\n")][..]),
        ("method", &[("main.go", typed), ("twice.go", &method)]),
        (
            "alias",
            &[("main.go", &aliased), ("deep/deep.go", &library), ("deep/x.go", "package deep\n")],
        ),
    ] {
        tree(&root.join(name), &[("go.mod", GO_MOD)]);
        tree(&root.join(name), files);
        check(&selvedge(root, &["package", name, "-l", name]), 0, &["Wrote"], &[]);
    }
    // What a C compiler says of C.
    let wrong = TWICE.replace("return 2 * n", "return 2 *");
    tree(&root.join("wrong"), &[("go.mod", GO_MOD), ("main.go", main), ("twice.go", &wrong)]);
    let output = selvedge(root, &["package", "wrong", "-l", "w"]);
    check(&output, 1, &[], &["does not compile", "twice.go:3", "expected expression"]);
    // Code that says what to do without cgo is none that needs it, whatever else is wrong with it.
    let fallback = "//go:build !cgo\n\npackage main\n\nfunc twice(n int) int { return 2 * n }\n";
    let files = [("go.mod", GO_MOD), ("main.go", main), ("twice.go", TWICE), ("pure.go", fallback)];
    tree(&root.join("fallback"), &files);
    check(&selvedge(root, &["package", "fallback", "-l", "f"]), 0, &["Wrote"], &[]);
    // A file that needs cgo is not to blame for what else is wrong.
    let wrong =
        "package main\n\nimport _ \"example.com/asset/deep\"\n\nfunc main() { missing() }\n";
    let files =
        [("main.go", wrong), ("deep/deep.go", &library), ("deep/pure.go", "package deep\n")];
    tree(&root.join("other"), &[("go.mod", GO_MOD)]);
    tree(&root.join("other"), &files);
    let output = selvedge(root, &["package", "other", "-l", "o"]);
    check(&output, 1, &[], &["undefined: missing"]);
    assert!(!String::from_utf8_lossy(&output.stderr).contains("C compiler"), "{output:?}");
    let mut without = command(root, &["package", "other", "-l", "o"]);
    let output = without.env("PATH", &go_alone).output().unwrap();
    check(&output, 1, &[], &["undefined: missing"]);
}

#[test]
fn without_a_home_nobody_blames_the_code() {
    let directory = tempfile::tempdir().unwrap();
    let root = directory.path();
    tree(&root.join("asset"), &[("go.mod", GO_MOD), ("main.go", MAIN_GO)]);
    let path = std::env::var_os("PATH").unwrap();
    for home in [None, Some("/dev/null")] {
        let arguments = ["package", "asset", "-l", "a", "--force"];
        let mut packaged = command(root, &arguments);
        packaged.env_clear().env("PATH", &path).envs(home.map(|home| ("HOME", home)));
        let told =
            ["not compiled before packaging: golang has no directory for its caches", "HOME"];
        check(&packaged.output().unwrap(), 0, &["Wrote a.tar.gz"], &told);
        let mut inspected = command(root, &["inspect", "-c", "a.tar.gz"]);
        inspected.env_clear().env("PATH", &path).envs(home.map(|home| ("HOME", home)));
        let told = ["error: --compile cannot compile: golang has no directory for its caches"];
        check(&inspected.output().unwrap(), 1, &[], &told);
    }
    let caches = ["GOCACHE", "GOMODCACHE"].map(|name| (name, root.join(name)));
    let mut packaged = command(root, &["package", "asset", "-l", "a", "--force"]);
    packaged.env_clear().env("PATH", &path).envs(caches);
    check(&packaged.output().unwrap(), 0, &["Wrote a.tar.gz"], &[]);
}

#[test]
fn a_module_that_cannot_be_downloaded_names_the_settings() {
    let directory = tempfile::tempdir().unwrap();
    let root = directory.path();
    let go_mod = format!("{GO_MOD}require example.com/private v1.0.0\n");
    let main = "package main\n\nimport _ \"example.com/private\"\n\nfunc main() {}\n";
    let sum = "example.com/private v1.0.0 h1:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n\
               example.com/private v1.0.0/go.mod h1:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n";
    tree(&root.join("asset"), &[("go.mod", &go_mod), ("main.go", main), ("go.sum", sum)]);
    // Nothing listens on port 1.
    for proxy in ["off", "http://127.0.0.1:1"] {
        let mut package = command(root, &["package", "asset", "-l", "a"]);
        let output = package.env("GOPROXY", proxy).output().unwrap();
        let settings = [
            "GOPROXY",
            "GOPRIVATE",
            "settings made with `go env -w` are not read",
            "it was given up after ",
        ];
        check(&output, 1, &[], &[&["does not compile"], &settings[..]].concat());
    }
}

#[test]
fn an_index_where_no_peer_looks_is_named() {
    let directory = tempfile::tempdir().unwrap();
    let root = directory.path();
    let lib = "package lib\n\nconst Name = \"fleet\"\n";
    let main =
        "package main\n\nimport \"example.com/asset/lib\"\n\nfunc main() { println(lib.Name) }\n";
    tree(
        &root.join("fleet"),
        &[
            ("go.mod", GO_MOD),
            ("lib/lib.go", lib),
            ("cmd/asset/main.go", main),
            ("cmd/asset/META-INF/statedb/couchdb/indexes/good.json", INDEX),
            ("cmd/tool/main.go", main),
            ("META-INF/statedb/couchdb/indexes/owner.json", INDEX),
            ("metadata/statedb/couchdb/indexes/owner.json", INDEX),
        ],
    );
    let output = selvedge(root, &["package", "fleet/cmd/asset", "-l", "f"]);
    let told = [
        "path        example.com/asset/cmd/asset\n",
        "to know\n  META-INF/statedb/couchdb/indexes/owner.json becomes no index: a peer gets",
        "\n  metadata/statedb/couchdb/indexes/owner.json becomes no index",
    ];
    check(&output, 0, &told, &[]);
    assert!(!String::from_utf8_lossy(&output.stdout).contains("good.json becomes"), "{output:?}");
    let told = [
        "indexes\n  good.json (of the public state)\n",
        "  src/META-INF/statedb/couchdb/indexes/owner.json becomes no index",
    ];
    check(&selvedge(root, &["inspect", "f.tar.gz"]), 0, &told, &[]);
    let json = selvedge(root, &["package", "fleet/cmd/asset", "-l", "f", "-f", "--json"]);
    let written: serde_json::Value = serde_json::from_slice(&json.stdout).unwrap();
    assert_eq!(written["remarks"].as_array().unwrap().len(), 2, "{written}");
}
