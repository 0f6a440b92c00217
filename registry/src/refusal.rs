//! What a registry says where it does not do what it is asked (`spec.md` of the distribution
//! specification, "Error Codes").

use oci_client::errors::{OciDistributionError, OciEnvelope, OciErrorCode};

/// Whether a manifest is not taken since a blob that it names is not there.
pub(crate) fn lacks_a_blob(error: &OciDistributionError) -> bool {
    look(error, |said| has(said, &[OciErrorCode::ManifestBlobUnknown])) == Some(true)
}

/// Whether the registry does not accept who asks.
pub(crate) fn is_refusal(error: &OciDistributionError) -> bool {
    match error {
        OciDistributionError::AuthenticationFailure(_)
        | OciDistributionError::UnauthorizedError { .. } => true,
        OciDistributionError::ServerError { code, .. } => matches!(code, 401 | 403),
        OciDistributionError::RequestError(cause) => {
            cause.status().is_some_and(|status| matches!(status.as_u16(), 401 | 403))
        }
        OciDistributionError::RegistryError { envelope, .. } => {
            has(envelope, &[OciErrorCode::Unauthorized, OciErrorCode::Denied])
        }
        _ => false,
    }
}

/// Its own words for a person, on one line; none if it has none.
pub(crate) fn words(error: &OciDistributionError) -> Option<String> {
    let words: Vec<String> = look(error, |said| {
        let words = said.errors.iter().map(|error| error.message.replace(char::is_control, " "));
        words.filter(|words| !words.is_empty()).collect()
    })?;
    (!words.is_empty()).then(|| words.join("; "))
}

/// Looks at what an answer says in the specification's form. The client reads that of some answers, and
/// leaves it of others, such as those to a push, as it came.
fn look<T>(error: &OciDistributionError, at: impl FnOnce(&OciEnvelope) -> T) -> Option<T> {
    match error {
        OciDistributionError::RegistryError { envelope, .. } => Some(at(envelope)),
        OciDistributionError::ServerError { message, .. } => {
            serde_json::from_str(message).ok().map(|envelope| at(&envelope))
        }
        _ => None,
    }
}

fn has(envelope: &OciEnvelope, codes: &[OciErrorCode]) -> bool {
    envelope.errors.iter().any(|error| codes.contains(&error.code))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answered(message: &str) -> OciDistributionError {
        let (url, message) = ("http://registry".to_owned(), message.to_owned());
        OciDistributionError::ServerError { code: 400, url, message }
    }

    #[test]
    fn what_is_said_in_the_specifications_form_is_understood() {
        let lacks = answered(
            "{\"errors\":[{\"code\":\"MANIFEST_BLOB_UNKNOWN\",\"message\":\"push\\nthat first\"}]}",
        );
        assert!(lacks_a_blob(&lacks) && !is_refusal(&lacks));
        assert_eq!(words(&lacks).as_deref(), Some("push that first"));
        for other in ["busy", "", "{\"errors\":[]}", "{\"errors\":[{\"code\":\"UNKNOWN\"}]}"] {
            let other = answered(other);
            assert!(!lacks_a_blob(&other) && words(&other).is_none(), "{other}");
        }
    }
}
