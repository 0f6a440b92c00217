//! A Kubernetes API of a few lines: keeps what it is given, lists, watches and deletes it, and can
//! be told to fail. Selectors select nothing. What an API really does, the cluster suites try.

use std::collections::{BTreeMap, BTreeSet};
use std::convert::Infallible;
use std::net::IpAddr;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::body::Frame;
use kube::Client;
use kube::client::Body;
use selvedge_manifest::PeerPod;
use serde_json::{Value, json};
use tokio::sync::mpsc;
use tokio_stream::StreamExt;
use tokio_stream::wrappers::UnboundedReceiverStream;

use super::ground::{Ground, OwnPod};

type Content = BoxBody<Bytes, Infallible>;

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
    /// Answers for all requests whose `VERB path` contains this.
    refused: Vec<(String, u16)>,
    /// The namespaces in which nothing is granted.
    forbidden: BTreeSet<String>,
    /// The pods whose launcher the API does not hear.
    cut_off: BTreeSet<String>,
    /// What is done to each object that is written, as by an admission webhook.
    webhook: Option<fn(&mut Value)>,
    /// Who watches a kind, by path.
    watchers: Vec<(String, mpsc::UnboundedSender<Value>)>,
    version: u64,
}

impl Api {
    /// The cluster, as the launcher in the pod sees it.
    pub(super) fn ground(&self, pod: &str) -> Arc<Ground> {
        let (api, own) = (self.clone(), pod.to_owned());
        let service = tower::service_fn(move |request: http::Request<Body>| {
            let (api, own) = (api.clone(), own.clone());
            async move { Ok::<_, Infallible>(api.answer(&own, request).await) }
        });
        Arc::new(Ground {
            client: Client::new(service, "chaincode"),
            namespace: "chaincode".into(),
            home: "chaincode".into(),
            peer: "peer0".into(),
            pod: OwnPod {
                name: pod.into(),
                uid: format!("uid-of-{pod}"),
                ip: IpAddr::from([10, 1, 2, 3]),
                node_ip: None,
                peer: PeerPod {
                    namespace: "org1".into(),
                    node: "node-1".into(),
                    labels: BTreeMap::new(),
                    tolerations: Vec::new(),
                },
            },
        })
    }

    /// The next request is answered with this status.
    pub(super) fn fail_next(&self, code: u16, message: &str) {
        self.0.lock().unwrap().failures.push((code, message.into()));
    }

    /// Requests whose `VERB path` contains this are refused from now on.
    pub(super) fn refuse(&self, what: &str, code: u16) {
        self.0.lock().unwrap().refused.push((what.into(), code));
    }

    /// Nothing is granted in the namespace.
    pub(super) fn forbid(&self, namespace: &str) {
        self.0.lock().unwrap().forbidden.insert(namespace.into());
    }

    /// No request is refused any more.
    pub(super) fn refuse_nothing(&self) {
        let mut state = self.0.lock().unwrap();
        state.refused.clear();
        state.forbidden.clear();
    }

    /// The API hears nothing of the launcher in the pod from now on, or again.
    pub(super) fn cut_off(&self, pod: &str, is_cut_off: bool) {
        let pods = &mut self.0.lock().unwrap().cut_off;
        if is_cut_off {
            pods.insert(pod.into())
        } else {
            pods.remove(pod)
        };
    }

    /// Has a webhook change whatever is written from now on.
    pub(super) fn admit_by(&self, webhook: fn(&mut Value)) {
        self.0.lock().unwrap().webhook = Some(webhook);
    }

    /// Puts an object there.
    pub(super) fn put(&self, path: &str, object: Value) {
        self.0.lock().unwrap().keep(path, object);
    }

    /// Puts an object there of which no watch tells yet.
    pub(super) fn put_unseen(&self, path: &str, object: Value) {
        self.0.lock().unwrap().objects.insert(path.into(), object);
    }

    /// The object at the path is gone.
    pub(super) fn remove(&self, path: &str) {
        let mut state = self.0.lock().unwrap();
        if let Some(object) = state.objects.remove(path) {
            state.tell(path, "DELETED", &object);
        }
    }

    /// The object at the path.
    pub(super) fn object(&self, path: &str) -> Option<Value> {
        self.0.lock().unwrap().objects.get(path).cloned()
    }

    /// How many objects there are whose path contains this.
    pub(super) fn objects(&self, what: &str) -> usize {
        self.0.lock().unwrap().objects.keys().filter(|path| path.contains(what)).count()
    }

    /// The objects whose path contains this, by path.
    pub(super) fn all(&self, what: &str) -> Vec<Value> {
        let state = self.0.lock().unwrap();
        let found = state.objects.iter().filter(|(path, _)| path.contains(what));
        found.map(|(_, object)| object.clone()).collect()
    }

    /// `VERB path` of each request that succeeded.
    pub(super) fn requests(&self) -> Vec<String> {
        self.0.lock().unwrap().requests.clone()
    }

    async fn answer(&self, pod: &str, request: http::Request<Body>) -> http::Response<Content> {
        let (parts, body) = request.into_parts();
        if self.0.lock().unwrap().cut_off.contains(pod) {
            std::future::pending::<()>().await;
        }
        if parts.uri.query().is_some_and(|query| query.contains("watch=true")) {
            let (watcher, events) = mpsc::unbounded_channel();
            self.0.lock().unwrap().watchers.push((parts.uri.path().to_owned(), watcher));
            let lines = UnboundedReceiverStream::new(events)
                .map(|event| Ok(Frame::data(Bytes::from(format!("{event}\n")))));
            return http::Response::new(StreamBody::new(lines).boxed());
        }
        let body = body.collect().await.unwrap().to_bytes();
        let body: Value = serde_json::from_slice(&body).unwrap_or_default();
        let (code, answer) =
            self.0.lock().unwrap().act(parts.method.as_str(), parts.uri.path(), body);
        http::Response::builder()
            .status(code)
            .body(Full::from(serde_json::to_vec(&answer).unwrap()).boxed())
            .unwrap()
    }
}

impl State {
    fn act(&mut self, method: &str, path: &str, body: Value) -> (u16, Value) {
        if !self.failures.is_empty() {
            let (code, message) = self.failures.remove(0);
            return refusal(code, reason(code), &message);
        }
        let request = format!("{method} {path}");
        if let Some((_, code)) = self.refused.iter().find(|(what, _)| request.contains(what)) {
            return refusal(*code, reason(*code), "it is refused");
        }
        if let Some(message) = self.denial(method, path) {
            return refusal(403, reason(403), &message);
        }
        if method == "GET" && is_collection(path) {
            return (200, self.list(path));
        }
        let path = match method {
            "POST" => format!("{path}/{}", body["metadata"]["name"].as_str().unwrap_or_default()),
            _ => path.to_owned(),
        };
        let known = self.objects.get(&path);
        let object = match (method, known) {
            ("GET", Some(object)) => object.clone(),
            ("DELETE", Some(object)) => {
                let uid = &body["preconditions"]["uid"];
                if !uid.is_null() && *uid != object["metadata"]["uid"] {
                    return refusal(409, "Conflict", "it is another one");
                }
                object.clone()
            }
            ("POST", None) | ("PUT", Some(_)) => self.stored(body),
            // What is applied is made if need be; it says its kind.
            ("PATCH", known) if known.is_some() || !body["kind"].is_null() => {
                let known = known.cloned();
                let mut object = known.clone().unwrap_or_else(|| json!({}));
                merge(&mut object, &body);
                if let Some(webhook) = self.webhook {
                    webhook(&mut object);
                }
                if known.as_ref() == Some(&object) {
                    // What changes nothing is no new version.
                    self.requests.push(request);
                    return (200, object);
                }
                self.stored(object)
            }
            ("POST", Some(_)) => return refusal(409, "AlreadyExists", "it is there already"),
            _ => return refusal(404, "NotFound", "it is not there"),
        };
        self.requests.push(format!("{method} {path}"));
        match method {
            "GET" => {}
            "DELETE" => {
                self.objects.remove(&path);
                self.tell(&path, "DELETED", &object);
            }
            _ => self.keep(&path, object.clone()),
        }
        (200, object)
    }

    /// What a cluster's access control says of a request in a namespace in which nothing is granted.
    fn denial(&self, method: &str, path: &str) -> Option<String> {
        let (_, rest) = path.split_once("/namespaces/")?;
        let (namespace, rest) = rest.split_once('/')?;
        let resource = rest.split('/').next()?;
        let verb = match method {
            "GET" if is_collection(path) => "list",
            "POST" => "create",
            _ => &method.to_lowercase(),
        };
        self.forbidden.contains(namespace).then(|| {
            format!(
                "{resource} is forbidden: User \"system:serviceaccount:org1:peer\" cannot {verb} \
                 resource \"{resource}\" in API group \"\" in the namespace \"{namespace}\""
            )
        })
    }

    fn keep(&mut self, path: &str, object: Value) {
        self.tell(path, "MODIFIED", &object);
        self.objects.insert(path.into(), object);
    }

    fn tell(&mut self, path: &str, what: &str, object: &Value) {
        let kind = path.rsplit_once('/').unwrap().0;
        let event = json!({ "type": what, "object": object });
        self.watchers.retain(|(of, watcher)| of != kind || watcher.send(event.clone()).is_ok());
    }

    /// All objects of a kind, whatever is selected.
    fn list(&self, path: &str) -> Value {
        let objects =
            self.objects.iter().filter(|(own, _)| own.rsplit_once('/').unwrap().0 == path);
        let items: Vec<&Value> = objects.map(|(_, object)| object).collect();
        json!({
            "kind": "List", "apiVersion": "v1", "items": items,
            "metadata": { "resourceVersion": self.version.to_string() },
        })
    }

    fn stored(&mut self, mut object: Value) -> Value {
        self.version += 1;
        object["metadata"]["resourceVersion"] = json!(self.version.to_string());
        if object["metadata"]["uid"].is_null() {
            object["metadata"]["uid"] = json!(format!("uid-{}", self.version));
        }
        if object["kind"] == "Service" && object["spec"]["clusterIP"].is_null() {
            object["spec"]["clusterIP"] = json!("10.96.0.7");
            object["spec"]["clusterIPs"] = json!(["10.96.0.7"]);
        }
        object
    }
}

/// Whether the path is that of a kind in a namespace, and not of one object.
fn is_collection(path: &str) -> bool {
    path.split_once("/namespaces/").is_some_and(|(_, rest)| rest.split('/').count() == 2)
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
