//! What a chaincode's pod may reach, and what it holds: tried from inside, by the chaincode.

use std::net::TcpListener;
use std::process::{Child, Command, Stdio};

use cluster::{Cluster, Namespace, until};
use e2e::{Gateway, Op};
use fabric_on_kubernetes::PeerPod;
use k8s_openapi::api::core::v1::Pod;
use serde_json::{Value, json};

use crate::shared::{LIMIT, MSP_ID, deploy_ledger, gateway, on_fabric, one};

/// What a packet that is not let through gets for its answer, in milliseconds.
const PATIENCE: &str = "1500";

fn dial(gateway: &mut Gateway, address: &str) -> Result<String, String> {
    gateway.call(Op::Evaluate, &["Dial", "tcp", address, PATIENCE])
}

/// A pod beside the chaincode's that no policy is about.
pub(crate) struct Unconfined<'a>(&'a Namespace);

impl<'a> Unconfined<'a> {
    const POD: &'static str = "unconfined";

    pub(crate) async fn start(cluster: &Cluster, namespace: &'a Namespace) -> Self {
        let shell = json!({
            "name": "shell",
            "image": cluster.image("busybox"),
            "command": ["sleep", "infinity"],
            "securityContext": {
                "allowPrivilegeEscalation": false,
                "capabilities": { "drop": ["ALL"] },
                "runAsNonRoot": true,
                "runAsUser": 65532,
                "seccompProfile": { "type": "RuntimeDefault" },
            },
        });
        let pod = json!({
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": { "name": Self::POD },
            "spec": { "terminationGracePeriodSeconds": 0, "containers": [shell] },
        });
        namespace.apply(&pod).unwrap();
        namespace.await_ready(Self::POD).await.unwrap();
        Self(namespace)
    }

    fn resolves(&self, name: &str) -> bool {
        self.0.exec(Self::POD, &["nslookup", name]).is_ok()
    }

    pub(crate) fn reaches(&self, address: &str) -> bool {
        let (host, port) = address.rsplit_once(':').expect("HOST:PORT");
        self.0.exec(Self::POD, &["nc", "-w", "2", host, port, "-e", "true"]).is_ok()
    }
}

#[test]
fn a_chaincode_reaches_its_proxy_and_nothing_else() {
    on_fabric(&one("confinement"), async |cluster, fabric| {
        let peer = fabric.peer(MSP_ID);
        deploy_ledger(fabric, "ledger");
        let mut chaincode = gateway(fabric, peer, "ledger");
        let proxy = chaincode.call(Op::Evaluate, &["Env", "CORE_PEER_ADDRESS"]).unwrap();
        assert_eq!(dial(&mut chaincode, &proxy).unwrap(), "open");
        let service = |namespace, name| {
            let address = ["--namespace", namespace, "get", "service", name, "-o"];
            let address = [&address[..], &["jsonpath={.spec.clusterIP}"]].concat();
            cluster.kubectl().run(&address).unwrap()
        };
        let api = service("default", "kubernetes");
        let names = format!("{}:53", service("kube-system", "kube-dns"));

        let pod = fabric.namespace().api::<Pod>().get(peer.pod()).await.unwrap();
        let peer_ip = pod.status.unwrap().pod_ip.unwrap();
        let host = TcpListener::bind((cluster.host_address(), 0)).unwrap();
        let forbidden = [
            format!("{api}:443"),
            names.clone(),
            cluster.registry(),
            fabric.network().peers()[0].address().to_string(),
            format!("{peer_ip}:7051"),
            format!("{peer_ip}:7059"),
            format!("{}:10250", cluster.nodes()[0].address()),
            host.local_addr().unwrap().to_string(),
        ];
        let unconfined = Unconfined::start(cluster, fabric.namespace()).await;
        for address in forbidden {
            // The firewall takes a moment to learn of a new pod.
            until(&format!("the refusal of {address}"), LIMIT, async || {
                match dial(&mut chaincode, &address) {
                    Ok(_) => Err("it was reached".to_owned()),
                    Err(_) => Ok(()),
                }
            })
            .await
            .unwrap();
            // It is the policy that refuses: without one, the same is open.
            assert!(unconfined.reaches(&address), "nobody reaches {address}");
        }
        // By either protocol: a name that is asked for is a message to whoever answers for it.
        let name = "kubernetes.default.svc.cluster.local.";
        for server in [&[][..], &[&*names]] {
            let question = [&["LookUp", name], server].concat();
            let error = chaincode.call(Op::Evaluate, &question).unwrap_err();
            assert!(error.contains("lookup kubernetes.default.svc"), "{error}");
        }
        assert!(unconfined.resolves(name));
        // The peer's port for chaincode is its pod's alone.
        let of_pod = format!("{peer_ip}:7052");
        assert!(dial(&mut chaincode, &of_pod).is_err() && !unconfined.reaches(&of_pod));
        assert_eq!(dial(&mut chaincode, &proxy).unwrap(), "open");
    });
}

#[test]
fn nothing_reaches_a_chaincode_that_listens_where_nobody_told_it_to() {
    on_fabric(&one("unreached"), async |cluster, fabric| {
        let peer = fabric.peer(MSP_ID);
        deploy_ledger(fabric, "ledger");
        let mut chaincode = gateway(fabric, peer, "ledger");
        let address = chaincode.call(Op::Evaluate, &["Listen", "tcp", ":0"]).unwrap();
        assert_eq!(dial(&mut chaincode, &address).unwrap(), "open");
        let unconfined = Unconfined::start(cluster, fabric.namespace()).await;
        assert!(!unconfined.reaches(&address), "{address}");
        let from_peer = |address: &str| {
            let (host, port) = address.rsplit_once(':').expect("HOST:PORT");
            let dial = format!("nc -w 2 {host} {port} -e true");
            peer.exec("peer", &["sh", "-c", &dial]).is_ok()
        };
        assert!(from_peer(&cluster.registry()) && !from_peer(&address), "{address}");

        // Where its keeper takes orders, the launcher's pod is let in, and nobody else.
        let (host, _) = address.rsplit_once(':').expect("HOST:PORT");
        let keeper = format!("{host}:9998");
        until("the launcher's way to the keeper", LIMIT, async || {
            if from_peer(&keeper) { Ok(()) } else { Err(format!("{keeper} is not reached")) }
        })
        .await
        .unwrap();
        assert!(!unconfined.reaches(&keeper), "{keeper}");
    });
}

#[test]
fn a_chaincode_holds_nothing_of_the_clusters_and_writes_nowhere_but_to_tmp() {
    on_fabric(&one("holdings"), async |_, fabric| {
        let peer = fabric.peer(MSP_ID);
        deploy_ledger(fabric, "ledger");
        let mut chaincode = gateway(fabric, peer, "ledger");
        let token = "/var/run/secrets/kubernetes.io/serviceaccount/token";
        let error = chaincode.call(Op::Evaluate, &["File", token]).unwrap_err();
        assert!(error.contains("no such file"), "{error}");
        for (file, well) in [("/tmp/a", true), ("/a", false), ("/etc/hyperledger/fabric/a", false)]
        {
            let written = chaincode.call(Op::Evaluate, &["Write", file]);
            assert_eq!(written.is_ok(), well, "{file}: {written:?}");
        }
    });
}

/// A way from this machine to a port of a pod's loopback.
struct Forward(Child);

impl Forward {
    async fn open(cluster: &Cluster, peer: &PeerPod, port: u16) -> (Self, String) {
        let log = cluster.dir().join(format!("forward-{}", peer.namespace().name()));
        let child = Command::new(cluster.tools().program("kubectl"))
            .args(["--namespace", peer.namespace().name(), "port-forward", peer.pod()])
            .arg(format!(":{port}"))
            .env("KUBECONFIG", cluster.kubeconfig())
            .stdout(std::fs::File::create(&log).unwrap())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let forward = Self(child);
        let address = until("the forwarded port", LIMIT, async || {
            let said = std::fs::read_to_string(&log).unwrap_or_default();
            let address = said.split_whitespace().find(|word| word.starts_with("127.0.0.1:"));
            address.map(ToOwned::to_owned).ok_or(said)
        })
        .await
        .unwrap();
        (forward, address)
    }
}

impl Drop for Forward {
    fn drop(&mut self) {
        // Gone already is as good.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn what_a_chaincode_holds_does_not_let_it_register_with_the_peer() {
    on_fabric(&one("register"), async |cluster, fabric| {
        let peer = fabric.peer(MSP_ID);
        deploy_ledger(fabric, "ledger");
        let mut chaincode = gateway(fabric, peer, "ledger");
        let files = chaincode.call(Op::Evaluate, &["Files", "/etc/hyperledger/fabric/*"]).unwrap();
        let mut held = Vec::new();
        // A Secret's volume is links to files in a directory that has a date for its name.
        for file in files.lines().filter(|file| !file.contains("/..")) {
            held.push((file, chaincode.call(Op::Evaluate, &["File", file]).unwrap()));
        }
        let given = peer.exec("peer", &["sh", "-c", "cat /tmp/*/chaincode.json"]).unwrap();
        let given: Value = serde_json::from_str(&given).unwrap();
        let text = |field: &str| given[field].as_str().unwrap().to_owned();
        for secret in ["client_key", "client_cert", "root_cert"] {
            let body = text(secret).lines().nth(1).unwrap().to_owned();
            for (file, content) in &held {
                assert!(!content.contains(&body), "{file} has the peer's {secret}");
            }
        }

        let (_forward, address) = Forward::open(cluster, peer, 7052).await;
        let host = text("peer_address");
        let host = host.rsplit_once(':').expect("host:port").0;
        let root = text("root_cert");
        let greeted =
            |certificate: &str, key: &str| e2e::greeting(&address, host, &root, certificate, key);
        greeted(&text("client_cert"), &text("client_key")).unwrap();
        let own = |name: &str| {
            let file = held.iter().find(|(file, _)| file.ends_with(name));
            file.unwrap_or_else(|| panic!("no {name} in {files}")).1.clone()
        };
        let refused = greeted(&own("client_pem.crt"), &own("client_pem.key")).unwrap_err();
        assert!(refused.to_string().contains("alert"), "{refused}");
    });
}

/// Its image has them: a pod has nothing of the node's, and Go's toolchain is not in it.
#[test]
fn a_chaincode_knows_the_time_zones_of_the_world() {
    on_fabric(&one("zones"), async |_, fabric| {
        deploy_ledger(fabric, "ledger");
        let mut chaincode = gateway(fabric, fabric.peer(MSP_ID), "ledger");
        let time = chaincode.call(Op::Evaluate, &["In", "Asia/Seoul"]).unwrap();
        assert!(time.ends_with("+09:00"), "{time}");
    });
}
