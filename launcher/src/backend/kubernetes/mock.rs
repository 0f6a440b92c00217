//! A Kubernetes API of a few lines: keeps what it is given, and can be told to
//! fail. What an API really does, the cluster suites try.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::net::IpAddr;
use std::sync::{Arc, Mutex};

use http_body_util::BodyExt;
use kube::Client;
use kube::client::Body;
use serde_json::{Value, json};

use super::ground::{Ground, PeerPod};

/// What a test sees of the API.
#[derive(Clone, Default)]
pub(super) struct Api(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    /// Objects by path.
    objects: BTreeMap<String, Value>,
    /// `VERB path` of every request that was answered with an object.
    requests: Vec<String>,
    /// Answers for the next requests, instead of the right ones.
    failures: Vec<(u16, String)>,
    version: u64,
}

impl Api {
    /// The cluster, as the launcher in the pod sees it.
    pub(super) fn ground(&self, pod: &str) -> Arc<Ground> {
        let api = self.clone();
        let service = tower::service_fn(move |request: http::Request<Body>| {
            let api = api.clone();
            async move { Ok::<_, Infallible>(api.answer(request).await) }
        });
        Arc::new(Ground {
            client: Client::new(service, "chaincode"),
            namespace: "chaincode".into(),
            peer: "peer0".into(),
            pod: PeerPod {
                name: pod.into(),
                namespace: "org1".into(),
                uid: format!("uid-of-{pod}"),
                node: "node-1".into(),
                ip: IpAddr::from([10, 1, 2, 3]),
                labels: BTreeMap::new(),
                tolerations: Vec::new(),
            },
        })
    }

    /// The next request is answered with this status.
    pub(super) fn fail_next(&self, code: u16, message: &str) {
        self.0.lock().unwrap().failures.push((code, message.into()));
    }

    /// Puts an object there.
    pub(super) fn put(&self, path: &str, object: Value) {
        self.0.lock().unwrap().objects.insert(path.into(), object);
    }

    /// The object at the path.
    pub(super) fn object(&self, path: &str) -> Option<Value> {
        self.0.lock().unwrap().objects.get(path).cloned()
    }

    /// `VERB path` of each request that succeeded.
    pub(super) fn requests(&self) -> Vec<String> {
        self.0.lock().unwrap().requests.clone()
    }

    async fn answer(&self, request: http::Request<Body>) -> http::Response<Body> {
        let (parts, body) = request.into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        let body: Value = serde_json::from_slice(&body).unwrap_or_default();
        let (code, answer) =
            self.0.lock().unwrap().act(parts.method.as_str(), parts.uri.path(), body);
        http::Response::builder()
            .status(code)
            .body(Body::from(serde_json::to_vec(&answer).unwrap()))
            .unwrap()
    }
}

impl State {
    fn act(&mut self, method: &str, path: &str, body: Value) -> (u16, Value) {
        if !self.failures.is_empty() {
            let (code, message) = self.failures.remove(0);
            return refusal(code, reason(code), &message);
        }
        let path = match method {
            "POST" => format!("{path}/{}", body["metadata"]["name"].as_str().unwrap()),
            _ => path.to_owned(),
        };
        let known = self.objects.get(&path);
        let object = match (method, known) {
            ("GET", Some(object)) => object.clone(),
            ("POST", None) | ("PUT", Some(_)) => self.stored(body),
            ("PATCH", _) => {
                let mut object = known.cloned().unwrap_or_else(|| json!({}));
                merge(&mut object, &body);
                self.stored(object)
            }
            ("POST", Some(_)) => return refusal(409, "AlreadyExists", "it is there already"),
            _ => return refusal(404, "NotFound", "it is not there"),
        };
        self.requests.push(format!("{method} {path}"));
        if method != "GET" {
            self.objects.insert(path, object.clone());
        }
        (200, object)
    }

    fn stored(&mut self, mut object: Value) -> Value {
        self.version += 1;
        object["metadata"]["resourceVersion"] = json!(self.version.to_string());
        if object["metadata"]["uid"].is_null() {
            object["metadata"]["uid"] = json!(format!("uid-{}", self.version));
        }
        if object["kind"] == "Service" {
            object["spec"]["clusterIP"] = json!("10.96.0.7");
            object["spec"]["clusterIPs"] = json!(["10.96.0.7"]);
        }
        object
    }
}

/// What a failure with this code is mostly about.
fn reason(code: u16) -> &'static str {
    match code {
        403 => "Forbidden",
        404 => "NotFound",
        409 => "Conflict",
        _ => "",
    }
}

fn refusal(code: u16, reason: &str, message: &str) -> (u16, Value) {
    let status = json!({
        "kind": "Status", "apiVersion": "v1", "status": "Failure",
        "code": code, "message": message, "reason": reason,
    });
    (code, status)
}

fn merge(object: &mut Value, patch: &Value) {
    match (object, patch) {
        (Value::Object(fields), Value::Object(patch)) => {
            for (name, value) in patch {
                merge(fields.entry(name).or_insert(Value::Null), value);
            }
        }
        (object, patch) => *object = patch.clone(),
    }
}
