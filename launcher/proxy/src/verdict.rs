//! What the end of a transaction says to who called: whether it went well.

use prost::Message;

use crate::frame::{Frame, Type};

/// From this status on a peer endorses nothing (`ERRORTHRESHOLD` of the shims, `core/endorser`).
const FAILED: i32 = 400;

/// What a client is told of a response that is none.
const MALFORMED: &str = "the chaincode's response is malformed";

/// `Response` of `peer/proposal_response.proto`, without its payload.
#[derive(Message)]
struct Response {
    #[prost(int32, tag = 1)]
    status: i32,
    #[prost(string, tag = 2)]
    message: String,
}

/// How a transaction has failed that ends with this message for the peer; `None` of one that went
/// well.
pub(crate) fn failure(end: &Frame) -> Option<String> {
    if end.kind() != Some(Type::Completed) {
        return Some(String::from_utf8_lossy(end.payload()).into_owned());
    }
    match Response::decode(end.payload()) {
        Ok(response) if response.status < FAILED => None,
        Ok(response) => Some(response.message),
        Err(_) => Some(MALFORMED.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use selvedge_proto::fabric::ChaincodeMessage;

    use super::*;

    fn end(kind: Type, payload: Vec<u8>) -> Frame {
        let message = ChaincodeMessage { r#type: kind.into(), payload, ..Default::default() };
        Frame::parse(message.encode_to_vec().into()).unwrap()
    }

    fn completed(status: i32, message: &str) -> Frame {
        let mut payload = Response { status, message: message.to_owned() }.encode_to_vec();
        // The payload: field 3.
        payload.extend([0x1a, 0x02, b'o', b'k']);
        end(Type::Completed, payload)
    }

    #[test]
    fn a_response_fails_from_a_status_of_400_on() {
        assert_eq!(failure(&completed(200, "")), None);
        assert_eq!(failure(&completed(399, "so so")), None);
        assert_eq!(failure(&completed(400, "no such asset")).as_deref(), Some("no such asset"));
        assert_eq!(failure(&completed(500, "")).as_deref(), Some(""));
    }

    #[test]
    fn an_error_and_what_is_no_response_are_failures() {
        let error = end(Type::Error, b"the replica ended".to_vec());
        assert_eq!(failure(&error).as_deref(), Some("the replica ended"));
        let malformed = end(Type::Completed, vec![0x0a, 0x7f]);
        assert_eq!(failure(&malformed).as_deref(), Some(MALFORMED));
    }
}
