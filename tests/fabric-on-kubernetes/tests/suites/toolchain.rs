//! The toolchain's image is what its name stands for at the time of the build.

use cluster::{Cluster, until};
use serde_json::json;

use crate::images::crane;
use crate::shared::{BUILDER, LIMIT, MSP_ID, new_program, on_fabric_of, one, package};

#[test]
fn a_tag_that_moves_to_another_compiler_is_another_build() {
    let moving = |cluster: &Cluster| format!("{}/moving:latest", cluster.registry());
    let spec = |cluster: &Cluster| {
        crane(cluster, &["copy", &cluster.image("toolchain"), &moving(cluster)]);
        one("toolchain").say("builds.toolchains.go.image", json!(moving(cluster)))
    };
    on_fabric_of(spec, async |cluster, fabric| {
        let peer = fabric.peer(MSP_ID);
        let source = new_program(fabric, "toolchain");
        let install = |label: &str| peer.install(&package(fabric, &source, label)).unwrap();
        let compilers = || {
            let output = "jsonpath={.items[*].spec.template.spec.containers[0].image}";
            fabric.namespace().kubectl(&["get", "jobs", "-o", output]).unwrap()
        };
        install("first_1.0");
        install("first_1.1");
        let first = crane(cluster, &["digest", &moving(cluster)]);
        assert!(compilers().ends_with(&first), "{}", compilers());
        assert_eq!(compilers().split(' ').count(), 1);

        crane(
            cluster,
            &["mutate", &moving(cluster), "--label", "compiler=other", "-t", &moving(cluster)],
        );
        let second = crane(cluster, &["digest", &moving(cluster)]);
        install("second_1.0");
        assert_ne!(first, second);
        // The first Job may have been cleared away by now.
        assert!(compilers().contains(&second), "{}", compilers());

        // Nobody to ask: the nodes may have it, but these have not, however often they try.
        let unreachable = json!("127.0.0.1:1/moving:latest");
        peer.say("builds.toolchains.go.image", unreachable).await.unwrap();
        peer.install(&package(fabric, &source, "third_1.0")).unwrap_err();
        for parts in [
            &[
                "cannot tell which image 127.0.0.1:1/moving:latest is now",
                "builds.toolchains.go.image",
            ][..],
            &["cannot start: ErrImagePull", "127.0.0.1:1/moving:latest", "trying again"],
        ] {
            peer.await_line("peer", &[&[BUILDER], parts].concat(), LIMIT).await.unwrap();
        }
        until("the builder's last word", LIMIT, async || {
            let log = peer.log("peer").await?;
            let last = log.lines().rfind(|line| line.contains("cannot start: "));
            let is_end = last.is_some_and(|line| !line.contains("trying again"));
            if is_end { Ok(()) } else { Err(log) }
        })
        .await
        .unwrap();
    });
}
