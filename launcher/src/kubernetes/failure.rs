//! What the Kubernetes API refused, in one line that says what to do about it.

use std::error::Error;
use std::time::Duration;

use kube::core::Status;
use kube::core::response::reason;

/// How long one call may take.
pub(crate) const CALL_LIMIT: Duration = Duration::from_secs(10);

/// Why a call to the Kubernetes API failed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ApiFailure {
    /// Its role lacks a verb.
    #[error(transparent)]
    Forbidden(#[from] Forbidden),
    /// The namespace is not there.
    #[error("there is no namespace {0}; create it, or choose another for the chaincode")]
    NoNamespace(String),
    /// It was understood, and refused.
    #[error("the Kubernetes API refused to {act}: {message}")]
    Refused { act: String, code: u16, reason: String, message: String },
    /// It could not be asked.
    #[error("cannot reach the Kubernetes API to {act}")]
    Unreachable { act: String, source: Box<dyn Error + Send + Sync> },
    /// It did not answer.
    #[error("the Kubernetes API did not {act} within {} s", CALL_LIMIT.as_secs())]
    TimedOut { act: String },
}

impl ApiFailure {
    /// The failure to `act`: a verb and its object, for people.
    pub(crate) fn new(act: &str, error: kube::Error) -> Self {
        match error {
            kube::Error::Api(status) => Self::of_status(act, *status),
            other => Self::Unreachable { act: act.into(), source: other.into() },
        }
    }

    /// The failure that a status tells of.
    pub(crate) fn of_status(act: &str, status: Status) -> Self {
        if status.code == 403
            && let Some(denied) = Forbidden::parse(&status.message)
        {
            return Self::Forbidden(denied);
        }
        if status.code == 404
            && let Some(details) = &status.details
            && details.kind == "namespaces"
        {
            return Self::NoNamespace(details.name.clone());
        }
        let Status { code, reason, message, .. } = status;
        Self::Refused { act: act.into(), code, reason, message }
    }

    /// Whether the same call may succeed a little later by itself.
    pub(crate) fn is_passing(&self) -> bool {
        match self {
            // 429 and 5xx: the server has too much, or is not itself.
            Self::Refused { code, .. } => self.is_conflict() || *code == 429 || *code >= 500,
            Self::Unreachable { .. } | Self::TimedOut { .. } => true,
            Self::Forbidden(_) | Self::NoNamespace(_) => false,
        }
    }

    /// Whether what the call was about is not there.
    pub(crate) fn is_not_found(&self) -> bool {
        matches!(self, Self::Refused { code: 404, .. })
    }

    /// Whether the object that was to be created is there already. Its reason alone tells that from
    /// a conflict: both have the code 409.
    pub(crate) fn is_there_already(&self) -> bool {
        matches!(self, Self::Refused { code: 409, reason, .. } if reason == reason::ALREADY_EXISTS)
    }

    /// Whether another writer was quicker, to this object or to what is counted with it: who
    /// creates an object at the same time as others is told of a conflict over the namespace's
    /// quota (`k8s.io/apiserver/pkg/admission/plugin/resourcequota/controller.go`, `checkQuotas`).
    pub(crate) fn is_conflict(&self) -> bool {
        matches!(self, Self::Refused { code: 409, .. }) && !self.is_there_already()
    }
}

/// Makes one call, within its limit.
pub(crate) async fn call<T>(
    act: &str,
    call: impl Future<Output = kube::Result<T>>,
) -> Result<T, ApiFailure> {
    // A request's future is kilobytes large, and callers have several.
    match tokio::time::timeout(CALL_LIMIT, Box::pin(call)).await {
        Ok(answer) => answer.map_err(|error| ApiFailure::new(act, error)),
        Err(_) => Err(ApiFailure::TimedOut { act: act.into() }),
    }
}

/// What role-based access control denied. Its answer tells it in words alone
/// (`k8s.io/apiserver/pkg/endpoints/handlers/responsewriters/errors.go`, `forbiddenMessage`):
/// `User "U" cannot VERB resource "R" in API group "G" in the namespace "N"`.
#[derive(Debug, thiserror::Error)]
#[error("the service account {account} may not {verb} {resource} in the namespace {namespace}; {}", self.remedy())]
pub(crate) struct Forbidden {
    account: String,
    verb: String,
    resource: String,
    namespace: String,
}

impl Forbidden {
    /// Of a namespace that is not there, nobody has a Role: whoever asks is just denied.
    fn remedy(&self) -> &'static str {
        match self.account.split_once('/') {
            Some((own, _)) if own != self.namespace => {
                "grant it by a Role and a RoleBinding there, if there is such a namespace"
            }
            _ => "add the verb to its Role",
        }
    }

    fn parse(message: &str) -> Option<Self> {
        let (_, rest) = message.split_once("User \"")?;
        let (user, rest) = rest.split_once("\" cannot ")?;
        let (verb, rest) = rest.split_once(" resource \"")?;
        let (resource, rest) = rest.split_once('"')?;
        let namespace = rest
            .split_once("in the namespace \"")
            .and_then(|(_, rest)| rest.split_once('"'))
            .map_or("", |(namespace, _)| namespace);
        let account = match user.strip_prefix("system:serviceaccount:") {
            Some(account) => account.replacen(':', "/", 1),
            None => user.into(),
        };
        Some(Self {
            account,
            verb: verb.into(),
            resource: resource.into(),
            namespace: namespace.into(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(code: u16, message: &str) -> ApiFailure {
        with_reason(code, "", message)
    }

    fn with_reason(code: u16, reason: &str, message: &str) -> ApiFailure {
        let (reason, message) = (reason.into(), message.into());
        let status = Status { code, reason, message, ..Status::default() };
        ApiFailure::new("apply the Service basic", kube::Error::Api(status.boxed()))
    }

    #[test]
    fn names_the_verb_that_a_role_lacks() {
        for (namespace, remedy) in [
            ("org1", "add the verb to its Role"),
            (
                "chaincode",
                "grant it by a Role and a RoleBinding there, if there is such a namespace",
            ),
        ] {
            let failure = refused(
                403,
                &format!(
                    "services \"basic\" is forbidden: User \"system:serviceaccount:org1:peer0\" \
                     cannot patch resource \"services\" in API group \"\" in the namespace \
                     \"{namespace}\"",
                ),
            );
            let expected = format!(
                "the service account org1/peer0 may not patch services in the namespace \
                 {namespace}; {remedy}"
            );
            assert_eq!(failure.to_string(), expected);
            assert!(!failure.is_passing());
        }
    }

    #[test]
    fn keeps_the_words_of_a_quota_and_of_an_admission() {
        let words = "services \"basic\" is forbidden: exceeded quota: small, requested: services=1";
        let failure = refused(403, words);
        assert_eq!(
            failure.to_string(),
            format!("the Kubernetes API refused to apply the Service basic: {words}")
        );
        assert!(!failure.is_passing());
    }

    #[test]
    fn only_what_may_pass_is_tried_again() {
        for (code, passing) in [(400, false), (404, false), (409, true), (429, true), (503, true)] {
            assert_eq!(refused(code, "no").is_passing(), passing, "{code}");
        }
    }

    #[test]
    fn what_is_there_already_is_no_conflict() {
        let there = with_reason(409, "AlreadyExists", "secrets \"a\" already exists");
        assert!(there.is_there_already() && !there.is_conflict() && !there.is_passing());
        let quota = "Operation cannot be fulfilled on resourcequotas \"small\": the object has been \
                     modified; please apply your changes to the latest version and try again";
        let quicker = with_reason(409, "Conflict", quota);
        assert!(!quicker.is_there_already() && quicker.is_conflict() && quicker.is_passing());
    }
}
