//! Go code with C in it: compiled where the toolchain's image has a C compiler, and refused by the
//! name of the file where it has none.

use std::fs;
use std::path::PathBuf;

use e2e::Op;
use fabric_on_kubernetes::Fabric;
use serde_json::json;
use testbed::Definition;

use crate::shared::{BUILDER, LIMIT, MSP_ID, gateway, new_program, on_fabric, one, package};

/// A file that Go's compiler alone passes over.
const DOUBLED: &str = r#"package main

// static int doubled(int n) { return 2 * n; }
import "C"

func doubled(n int) int { return int(C.doubled(C.int(n))) }
"#;

/// A program that says what it has computed in C, and ends.
fn with_c(fabric: &Fabric, name: &str) -> PathBuf {
    let source = new_program(fabric, name);
    fs::write(source.join("doubled.go"), DOUBLED).unwrap();
    let says = "package main\n\nfunc init() { println(\"of C:\", doubled(21)) }\n";
    fs::write(source.join("says.go"), says).unwrap();
    source
}

#[test]
fn code_with_c_is_compiled_by_a_toolchain_with_a_c_compiler() {
    on_fabric(&one("cgo"), async |cluster, fabric| {
        let peer = fabric.peer(MSP_ID);
        let file = package(fabric, &with_c(fabric, "cgo"), "cgo_1.0");
        peer.install(&file).unwrap_err();
        let reason = "doubled.go imports \"C\", and there is no C compiler";
        peer.await_line("peer", &[BUILDER, reason], LIMIT).await.unwrap();

        let image = json!(cluster.image("toolchain-c"));
        peer.say("builds.toolchains.go.image", image).await.unwrap();
        let package_id = peer.install(&file).unwrap();
        let definition = Definition::new("cgo");
        peer.approve(&package_id, &definition).unwrap();
        peer.commit(&definition).unwrap();
        gateway(fabric, peer, "cgo").call(Op::Evaluate, &["Get", "k"]).unwrap_err();
        peer.await_line("peer", &["of C: 42"], LIMIT).await.unwrap();
    });
}
