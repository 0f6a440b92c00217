//! What Maven fetches is kept for the next build, by a container that a build can ask, and do nothing
//! else with.

use std::fs;
use std::path::{Path, PathBuf};

use e2e::chaincode_dir;
use fabric_on_kubernetes::{BuildCache, Fabric};
use sha1::{Digest, Sha1};

use crate::dependencies::with_cache;
use crate::shared::{BUILDER, LIMIT, MSP_ID, copy, on_fabric_of, package};

const NAMESPACE: &str = "maven-cache";

/// Our own chaincode for Java, of which no registry has an image.
fn source(fabric: &Fabric, name: &str) -> PathBuf {
    let source = fabric.network().dir().join("sources").join(name);
    copy(&chaincode_dir("java"), &source);
    let own = format!(
        "package example;\n\nfinal class Own {{ static final String NAME = \"{name}\"; }}\n"
    );
    fs::write(source.join("src/main/java/example/Own.java"), own).unwrap();
    source
}

/// The same with a program that its build runs.
fn attacker(fabric: &Fabric) -> PathBuf {
    let source = source(fabric, "maven-attacker");
    fs::write(source.join("Attack.java"), ATTACK).unwrap();
    let pom = fs::read_to_string(source.join("pom.xml")).unwrap();
    let attacking = pom.replacen("<plugins>", &format!("<plugins>{RUNS}"), 1);
    assert_ne!(attacking, pom);
    fs::write(source.join("pom.xml"), attacking).unwrap();
    package(fabric, &source, "maven-attacker_1.0")
}

const RUNS: &str = "<plugin><groupId>org.codehaus.mojo</groupId>\
    <artifactId>exec-maven-plugin</artifactId><version>3.5.0</version><executions><execution>\
    <phase>validate</phase><goals><goal>exec</goal></goals><configuration>\
    <executable>java</executable><arguments><argument>${project.basedir}/Attack.java</argument>\
    </arguments></configuration></execution></executions></plugin>";

/// It ends the build with an error unless all is as it should be.
const ATTACK: &str = r#"
import java.io.File;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.nio.charset.StandardCharsets;

class Attack {
    static final int PORT = 7058;
    static final String JAR = "/org/example/planted/1.0/planted-1.0.jar";

    public static void main(String[] arguments) throws Exception {
        for (String place : new String[] {"/selvedge-dependencies", "/selvedge-credentials"}) {
            expect(!new File(place).exists(), place + " is here");
        }
        String[] requests = {
            "PUT " + JAR, "POST " + JAR, "DELETE " + JAR, "PATCH " + JAR,
            "GET /../../../../proc/self/environ", "GET /org/%2e%2e/%2e%2e/etc/passwd",
            "GET /org/..%2f..%2f..%2fetc%2fpasswd", "GET http://127.0.0.1" + JAR,
            "GET " + JAR + "?x=http://127.0.0.1/",
        };
        for (String request : requests) {
            String answer = ask(request + " HTTP/1.1\r\nHost: x\r\nContent-Length: 7\r\n\r\nplanted");
            expect(answer.startsWith("HTTP/1.1 40"), request + ": " + answer);
        }
        String none = ask("GET " + JAR + " HTTP/1.1\r\nHost: x\r\n\r\n");
        expect(none.startsWith("HTTP/1.1 404"), none);
        try (ServerSocket own = new ServerSocket(PORT, 1, InetAddress.getLoopbackAddress())) {
            throw new Error("the mirror's place was free");
        } catch (java.net.BindException taken) {
            System.out.println("the attack has failed");
        }
    }

    static String ask(String request) throws Exception {
        try (Socket socket = new Socket(InetAddress.getLoopbackAddress(), PORT)) {
            socket.getOutputStream().write(request.getBytes(StandardCharsets.US_ASCII));
            return new String(socket.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
        } catch (java.net.SocketException reset) {
            // It did not wait for the rest.
            return "HTTP/1.1 400";
        }
    }

    static void expect(boolean is, String otherwise) {
        if (!is) {
            throw new Error(otherwise);
        }
    }
}
"#;

/// How many files are kept below a directory, each of which has the checksum beside it.
fn sound_files(directory: &Path) -> usize {
    let mut sound = 0;
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sound += sound_files(&path);
        } else if path.extension().is_none_or(|extension| extension != "sha1") {
            let mut beside = path.clone().into_os_string();
            beside.push(".sha1");
            let content = fs::read(&path).unwrap();
            let sum = hex::encode(Sha1::digest(content));
            assert_eq!(fs::read_to_string(beside).unwrap(), sum, "{}", path.display());
            sound += 1;
        }
    }
    sound
}

#[test]
fn what_maven_needs_is_fetched_once_and_no_build_can_write_where_it_is() {
    let spec = |cluster: &cluster::Cluster| with_cache(cluster, NAMESPACE);
    on_fabric_of(spec, async |cluster, fabric| {
        let peer = fabric.peer(MSP_ID);
        peer.install(&attacker(fabric)).unwrap();
        peer.await_line("peer", &[BUILDER, "the attack has failed"], LIMIT).await.unwrap();
        let kept = BuildCache::at(cluster, NAMESPACE).directory().join("mirrors/maven");
        let files = sound_files(&kept);
        assert!(files > 100, "{files}");

        // Of another chaincode, all that lasts is there. What comes from outside are lists of versions:
        // the shim leaves it open which of some library it takes.
        let another = source(fabric, "maven-another");
        peer.install(&package(fabric, &another, "maven-another_1.0")).unwrap();
        let account = "(0.0 MiB) were fetched, 0 files (0.0 MiB) of those are kept now";
        peer.await_line("peer", &[BUILDER, "repo.maven.apache.org", account], LIMIT).await.unwrap();
        assert_eq!(sound_files(&kept), files);
    });
}
