//! Go code with C in it: compiled where the toolchain's image has a C compiler, and refused by the
//! name of the file where it has none.

use std::fs;
use std::path::PathBuf;

use serde_json::json;

use crate::living::lives_on;
use crate::shared::{
    BUILDER, LIMIT, MSP_ID, deploy, new_program, new_source, on_fabric, one, package,
};

/// A package that Go's compiler alone finds empty, without compiling anything first.
const DOUBLED: &str = r#"package doubled

// static int doubled(int n) { return 2 * n; }
import "C"

func Of(n int) int { return int(C.doubled(C.int(n))) }
"#;

/// Has a program say what it has computed in C.
fn with_c(source: PathBuf) -> PathBuf {
    let module = fs::read_to_string(source.join("go.mod")).unwrap();
    let module = module.lines().next().unwrap().trim_start_matches("module ");
    let says = format!(
        "package main\n\nimport \"{module}/doubled\"\n\n\
         func init() {{ println(\"of C:\", doubled.Of(21)) }}\n"
    );
    fs::write(source.join("says.go"), says).unwrap();
    fs::create_dir(source.join("doubled")).unwrap();
    fs::write(source.join("doubled/doubled.go"), DOUBLED).unwrap();
    source
}

#[test]
fn code_with_c_is_compiled_by_a_toolchain_with_a_c_compiler_and_lives_on() {
    on_fabric(&one("cgo"), async |cluster, fabric| {
        let peer = fabric.peer(MSP_ID);
        let file = package(fabric, &with_c(new_program(fabric, "refused")), "refused_1.0");
        peer.install(&file).unwrap_err();
        let reason = "doubled/doubled.go imports \"C\", and there is no C compiler";
        peer.await_line("peer", &[BUILDER, reason], LIMIT).await.unwrap();

        let image = json!(cluster.image("toolchain-c"));
        peer.say("builds.toolchains.go.image", image).await.unwrap();
        let package_id = deploy(fabric, &with_c(new_source(fabric, "cgo")), "cgo");
        lives_on(fabric, "cgo", &package_id).await;
        peer.await_line("peer", &["of C: 42"], LIMIT).await.unwrap();
    });
}
