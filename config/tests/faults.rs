//! What is told of a file that is not right: every fault at once, each with its place.

use selvedge_config::Operator;

const HEAD: &str = "apiVersion: selvedge/v1\nbackend: kubernetes\n";

const LOCAL: &str = "apiVersion: selvedge/v1\nbackend: local\n";

/// What is told of a text.
fn told(text: &str) -> Vec<String> {
    let faults = Operator::read(text.as_bytes()).expect_err(text);
    faults.to_string().lines().map(str::to_owned).collect()
}

#[track_caller]
fn is_told(text: &str, expected: &[&str]) {
    assert_eq!(told(&format!("{HEAD}{text}")), expected, "{text}");
}

/// The same of a file for the `local` backend.
#[track_caller]
fn is_told_on_local(text: &str, expected: &[&str]) {
    assert_eq!(told(&format!("{LOCAL}{text}")), expected, "{text}");
}

#[test]
fn all_faults_are_told_at_once_in_order() {
    is_told(
        "chaincode:\n  replcas: 2\n  tmp: 64MiB\noverrides:\n  - match: {label: a}\n    chaincode:\n      \
         replicas: many\n",
        &[
            "4:3: chaincode.replcas: unknown key; did you mean `replicas`?",
            "5:8: chaincode.tmp: expected a quantity such as 500m, 1.5 or 64Mi, found \"64MiB\"",
            "9:17: overrides[0].chaincode.replicas: expected a whole number, found \"many\"",
        ],
    );
}

#[test]
fn unknown_keys() {
    is_told(
        "chaincode: {tolerations: [{key: a, efect: NoSchedule}]}\n",
        &["3:36: chaincode.tolerations[0].efect: unknown key; did you mean `effect`?"],
    );
    is_told(
        "registry: {zzz: 1}\n",
        &[
            "3:12: registry.zzz: unknown key; known are `address`, `plainHttp`, `rewrites`, `secret`, \
             `serve`",
        ],
    );
    is_told(
        "chaincode:\n  podTemplate:\n    spec:\n      containers:\n        - name: x\n          \
         imagePullPolice: Always\n          $patch: delete\n",
        &[
            "8:11: chaincode.podTemplate.spec.containers[0].imagePullPolice: unknown key; did you mean \
           `imagePullPolicy`?",
        ],
    );
}

#[test]
fn doubled_keys() {
    is_told(
        "chaincode:\n  replicas: 1\n  tmp: 1Gi\n  replicas: 2\n",
        &["6:3: chaincode.replicas: the key is there already, in line 4; keep one"],
    );
    is_told("backend: local\n", &["3:1: backend: the key is there already, in line 2; keep one"]);
}

#[test]
fn wrong_types_and_values() {
    for (text, expected) in [
        ("chaincode: []\n", "3:12: chaincode: expected a map, found a list"),
        ("overrides: {}\n", "3:12: overrides: expected a list, found a map"),
        (
            "registry: {plainHttp: 'yes'}\n",
            "3:23: registry.plainHttp: expected true or false, found \"yes\"",
        ),
        ("chaincode: {replicas: 0}\n", "3:23: chaincode.replicas: must be at least 1"),
        ("chaincode: {replicas: 65}\n", "3:23: chaincode.replicas: must be at most 64"),
        ("chaincode: {tmp: -1}\n", "3:18: chaincode.tmp: must be at least 0"),
        (
            "chaincode: {peerNode: requird}\n",
            "3:23: chaincode.peerNode: \"requird\" is not known; did you mean `required`?; known are \
             `required`, `preferred`, `none`",
        ),
        (
            "chaincode: {environment: {A: 1}}\n",
            "3:30: chaincode.environment.A: expected a text, which wants quotes, or a map, found 1",
        ),
        (
            "chaincode: {environment: {A: {secretKeyRef: {name: s}}}}\n",
            "3:45: chaincode.environment.A.secretKeyRef: the key `key` is missing",
        ),
        (
            "chaincode: {timeouts: {start: 240}}\n",
            "3:31: chaincode.timeouts.start: expected a text, found 240",
        ),
        (
            "builds: {timeout: soon}\n",
            "3:19: builds.timeout: expected a time such as 90s, 5m or 1h 30m, found \"soon\"",
        ),
        (
            "builds: {egress: {allow: [10.0.0.0]}}\n",
            "3:27: builds.egress.allow[0]: expected a network such as 10.0.0.0/8, found \"10.0.0.0\"",
        ),
        (
            "chaincode: {namespace: Not_OK}\n",
            "3:24: chaincode.namespace: expected a namespace: lower-case letters, digits and dashes, 63 \
             at most, found \"Not_OK\"",
        ),
        (
            "registry: {address: 'https://registry.example.com'}\n",
            "3:21: registry.address: expected a registry and a path, such as \
             registry.example.com:5000/fabric, found \"https://registry.example.com\"",
        ),
        (
            "registry: {serve: {address: localhost}}\n",
            "3:29: registry.serve.address: expected a host and a port, such as localhost:30500, found \
             \"localhost\"",
        ),
        (
            "registry: {serve: {address: 'localhost:30500/selvedge'}}\n",
            "3:29: registry.serve.address: expected a host and a port, such as localhost:30500, found \
             \"localhost:30500/selvedge\"",
        ),
        (
            "overrides:\n  - match: {}\n    chaincode: {}\n",
            "4:12: overrides[0].match: must say something: one of `label`, `msp`, `peer` at least",
        ),
        (
            "overrides:\n  - match: {label: a}\n",
            "4:5: overrides[0]: the key `chaincode` is missing",
        ),
    ] {
        is_told(text, &[expected]);
    }
    assert_eq!(
        told("apiVersion: selvedge/v2\n"),
        ["1:13: apiVersion: \"selvedge/v2\" is not known; did you mean `selvedge/v1`?; known are \
          `selvedge/v1`"]
    );
    assert_eq!(told("backend: local\n"), ["1:1: the key `apiVersion` is missing"]);
}

#[test]
fn what_is_no_name_of_a_namespace() {
    let long = "a".repeat(64);
    let with = |name: &str| format!("{HEAD}chaincode: {{namespace: {name:?}}}\n");
    for name in ["", "Org1", "org1/../kube-system", "org.1", "-org1", "org1-", &long] {
        assert!(told(&with(name))[0].contains("expected a namespace"), "{name}");
    }
    Operator::read(with(&long[1..]).as_bytes()).unwrap();
}

#[test]
fn what_does_not_go_together() {
    for (text, expected) in [
        (
            "chaincode: {resources: {requests: {memory: 1Gi}}}\n",
            "3:44: chaincode.resources.requests.memory: a pod cannot be promised 1Gi, its limit is 512Mi",
        ),
        (
            "overrides:\n  - match: {label: a}\n    chaincode: {resources: {limits: {memory: 1Mi}}}\n",
            "overrides[0].chaincode.resources.requests.memory: a pod cannot be promised 64Mi, its limit \
             is 1Mi",
        ),
        (
            "chaincode: {environment: {A: {}}}\n",
            "3:30: chaincode.environment.A: comes from one place, and 0 are named",
        ),
        (
            "chaincode: {environment: {CORE_PEER_ADDRESS: x}}\n",
            "3:46: chaincode.environment.CORE_PEER_ADDRESS: is set already: by it the chaincode finds its \
             way",
        ),
        (
            "chaincode: {files: {/etc/a: {secretKeyRef: {name: s, key: k}, configMapKeyRef: {name: c, \
             key: k}}}}\n",
            "3:29: chaincode.files[\"/etc/a\"]: comes from `secretKeyRef` or from `configMapKeyRef`: name \
             one of them",
        ),
        (
            "chaincode: {files: {etc/a: {secretKeyRef: {name: s, key: k}}}}\n",
            "3:28: chaincode.files[\"etc/a\"]: is no absolute path, such as /etc/app/ca.pem",
        ),
        (
            "chaincode: {files: {/etc/hyperledger/fabric/peer.crt: {secretKeyRef: {name: s, key: k}}}}\n",
            "3:55: chaincode.files[\"/etc/hyperledger/fabric/peer.crt\"]: is where the chaincode's own \
             certificates are; choose another directory",
        ),
        (
            "chaincode: {files: {/tmp: {secretKeyRef: {name: s, key: k}}}}\n",
            "3:27: chaincode.files[\"/tmp\"]: is a file, and cannot be a directory for /tmp, too",
        ),
        (
            "chaincode: {files: {/etc/hyperledger: {secretKeyRef: {name: s, key: k}}}}\n",
            "3:39: chaincode.files[\"/etc/hyperledger\"]: is a file, and cannot be a directory for \
             /etc/hyperledger/fabric, too",
        ),
        (
            "chaincode: {egress: [{ports: [{port: 53}]}]}\n",
            "3:22: chaincode.egress[0]: lets everything be reached: say where in `to` (`ipBlock: {cidr: \
             0.0.0.0/0}` is everywhere)",
        ),
        (
            "chaincode: {annotations: {container.apparmor.security.beta.kubernetes.io/chaincode: \
             unconfined}}\n",
            "3:85: chaincode.annotations[\"container.apparmor.security.beta.kubernetes.io/chaincode\"]: is \
             of the pods' security: say it in `podTemplate`, with what `allow` permits",
        ),
        (
            "chaincode: {labels: {selvedge.dev/peer: x}}\n",
            "3:41: chaincode.labels[\"selvedge.dev/peer\"]: is Selvedge's own; choose another prefix",
        ),
        (
            "builds: {resources: {limits: {memory: 1Gi}}}\n",
            "builds.resources.requests.memory: a pod cannot be promised 2Gi, its limit is 1Gi",
        ),
        (
            "builds: {imagesLimit: 1GiB}\n",
            "3:10: builds.imagesLimit: means nothing on Kubernetes: leave it out, or set `backend: \
             local`",
        ),
        (
            "builds: {memoryLimit: 1GiB}\n",
            "3:10: builds.memoryLimit: means nothing on Kubernetes: leave it out, or set `backend: \
             local`",
        ),
    ] {
        is_told(text, &[expected]);
    }
}

#[test]
fn what_means_nothing_on_the_local_backend_is_refused() {
    let text = "apiVersion: selvedge/v1\nregistry: {address: r.example.com/x, rewrites: []}\nbuilds: {port: 1}\n\
                chaincode:\n  tmp: 1Gi\n  timeouts: {adopt: 1m, drain: 1s}\n  environment:\n    A: a\n    \
                B: {secretKeyRef: {name: s, key: k}}\noverrides:\n  - match: {label: a}\n    chaincode: \
                {namespace: x, replicas: 2}\n";
    let end = "means nothing on the `local` backend: leave it out, or set `backend: kubernetes`";
    assert_eq!(
        told(text),
        [
            "2:12: registry.address: ",
            "3:10: builds.port: ",
            "5:3: chaincode.tmp: ",
            "6:14: chaincode.timeouts.adopt: ",
            "9:5: chaincode.environment.B: ",
            "12:17: overrides[0].chaincode.namespace: ",
        ]
        .map(|start| format!("{start}{end}"))
    );
}

#[test]
fn keys_of_one_way_of_execution_mean_nothing_in_the_other() {
    let end = "means nothing without `execution: function`";
    is_told_on_local(
        "chaincode: {function: {idle: 5m}}\n",
        &[&format!("3:13: chaincode.function: {end}")],
    );
    is_told_on_local(
        "overrides:\n  - match: {label: a}\n    chaincode: {execution: service, function: {ahead: 1}}\n",
        &[&format!("5:37: overrides[0].chaincode.function: {end}")],
    );
    is_told_on_local(
        "chaincode: {execution: function, replicas: 2}\n",
        &["3:34: chaincode.replicas: means nothing with `execution: function`: say \
           `function.maxReplicas`"],
    );
    is_told_on_local(
        "chaincode: {execution: function, scaling: {maxReplicas: 2}}\n",
        &["3:34: chaincode.scaling: means nothing with `execution: function`: say \
           `function.maxReplicas`"],
    );
    // What an override asks for may be said by the defaults, and the other way about.
    let sound = "chaincode: {replicas: 2, function: {maxReplicas: 3}}\noverrides:\n  - match: {label: \
                 a}\n    chaincode: {execution: function}\n";
    Operator::read(format!("{LOCAL}{sound}").as_bytes()).unwrap();
}

#[test]
fn what_a_function_cannot_have() {
    for (text, expected) in [
        (
            "ahead: 2",
            "52: chaincode.function.ahead: is more than there may be at once (`maxReplicas`: 1)",
        ),
        ("concurrency: 0", "58: chaincode.function.concurrency: must be at least 1"),
        ("callsPerProcess: 0", "62: chaincode.function.callsPerProcess: must be at least 1"),
        (
            "wait: 11s",
            "51: chaincode.function.wait: expected a time such as 1500ms or 4s, 10s at most, found \"11s\"",
        ),
        ("maxReplicas: 65", "58: chaincode.function.maxReplicas: must be at most 64"),
    ] {
        let said = format!("chaincode: {{execution: function, function: {{{text}}}}}\n");
        is_told_on_local(&said, &[&format!("3:{expected}")]);
    }
    let end = "means nothing on the `local` backend: leave it out, or set `backend: kubernetes`";
    is_told_on_local(
        "chaincode: {execution: function, function: {keep: nothing}}\n",
        &[&format!("3:45: chaincode.function.keep: {end}")],
    );
}

#[test]
fn what_does_not_scale() {
    is_told_on_local(
        "chaincode: {scaling: {calm: 1m}}\n",
        &["3:13: chaincode.scaling: means nothing without `scaling.maxReplicas`"],
    );
    is_told_on_local(
        "chaincode: {replicas: 3, scaling: {maxReplicas: 2}}\n",
        &[
            "3:49: chaincode.scaling.maxReplicas: is less than there are in any case (`replicas`: 3)",
        ],
    );
}

#[test]
fn what_is_no_such_file_at_all() {
    assert_eq!(told(""), ["the file says nothing; its first line is `apiVersion: selvedge/v1`"]);
    assert_eq!(told("- a\n"), ["the file is no map of keys and values"]);
    assert_eq!(told("just a word"), ["the file is no map of keys and values"]);
    assert!(told("apiVersion: selvedge/v1\n---\nchaincode: {}\n")[0].contains("document"));
    assert!(told("apiVersion: selvedge/v1\nchaincode: {replicas: 1").len() == 1);
}

#[test]
fn what_the_defaults_have_wrong_is_told_once_and_what_an_override_makes_wrong_for_each() {
    let wrong = "chaincode: {environment: {HOME: /x}}\noverrides:\n  - match: {label: a}\n    chaincode: \
                 {resources: {limits: {memory: 1Mi}}}\n  - match: {label: b}\n    chaincode: {resources: \
                 {limits: {memory: 1Mi}}}\n";
    let promised = "resources.requests.memory: a pod cannot be promised 64Mi, its limit is 1Mi";
    is_told(
        wrong,
        &[
            &format!("overrides[0].chaincode.{promised}"),
            &format!("overrides[1].chaincode.{promised}"),
            "3:33: chaincode.environment.HOME: is set already: by it the chaincode finds its way",
        ],
    );
}

#[test]
fn what_no_launcher_apart_can_be_called() {
    let apart =
        |rest: &str| format!("apart:\n  address: 0.0.0.0:7060\n  mspId: Org1MSP\n  {rest}\n");
    is_told(
        &apart("names: ['a:1', fd00::1, launcher.example.com]\n  peers: [peer0, 'a peer']"),
        &[
            "6:11: apart.names[0]: is no name of a host, and no IP address; the port is that of \
             `apart.address`",
            "7:18: apart.peers[1]: is no peer's name: letters, digits, dashes, dots and underscores, \
             253 at most",
        ],
    );
    is_told(&apart("names: []\n  peers: []"), &["6:10: apart.names: [] has less than 1 item"]);
    is_told(&apart("names: [a]"), &["4:3: apart: the key `peers` is missing"]);
    is_told(
        "apart: {address: 'a:1', mspId: A, names: [a], peers: []}\n",
        &[
            "3:18: apart.address: expected an address and a port such as 0.0.0.0:8087, found \"a:1\"",
        ],
    );
}
