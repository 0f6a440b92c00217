//! A message of the chaincode stream, kept as the bytes it came with.
//!
//! Peers and shims are upgraded apart from Selvedge: what this version does not
//! know must pass through it unchanged. So a frame is read just far enough to
//! route it, and forwarded as it is.

use std::hash::{Hash, Hasher};
use std::ops::Range;

use bytes::{Buf, Bytes};
use prost::Message;
use prost::encoding::{DecodeContext, WireType, decode_key, decode_varint, skip_field};
use selvedge_proto::fabric::{ChaincodeEvent, ChaincodeId, ChaincodeMessage, SignedProposal};

pub use selvedge_proto::fabric::chaincode_message::Type;

use crate::excerpt::excerpt;

/// The fields of `ChaincodeMessage` that the proxy looks at.
mod field {
    pub(super) const TYPE: u32 = 1;
    pub(super) const TIMESTAMP: u32 = 2;
    pub(super) const PAYLOAD: u32 = 3;
    pub(super) const TXID: u32 = 4;
    pub(super) const PROPOSAL: u32 = 5;
    pub(super) const EVENT: u32 = 6;
    pub(super) const CHANNEL: u32 = 7;
}

/// How much a client is told of why its transaction failed, in characters.
const REASON: usize = 300;

/// Shorter messages are copied where they are kept, in bytes: `h2` reads up to 16 KiB at once.
const SHORT: usize = 4 << 10;

/// `ErrorStreamTerminated` of `core/chaincode/handler.go`.
const STREAM_TERMINATED: &str = "chaincode stream terminated";

/// A chaincode message as it was on the wire, with its routing fields found.
#[derive(Clone, Debug)]
pub struct Frame {
    bytes: Bytes,
    kind: i32,
    channel: Range<usize>,
    txid: Range<usize>,
    payload: Range<usize>,
}

/// Why bytes are not a chaincode message that a peer would decode.
///
/// A peer ends the whole stream on a message that it cannot decode
/// (`core/chaincode/handler.go`, `ProcessStream`), so what comes from a replica
/// is checked as strictly as the peer would before it is forwarded.
#[derive(Debug, thiserror::Error)]
pub enum FrameError {
    /// The bytes do not parse as a protobuf message.
    #[error("malformed protobuf")]
    Malformed,
    /// A known field has a wire type that is not its own.
    #[error("field {0} has a wire type that is not its own")]
    WireType(u32),
    /// The channel or the transaction ID is not UTF-8, which proto3 demands of strings.
    #[error("field {0} is not UTF-8")]
    Text(u32),
}

/// A transaction as chaincode and peer know it: unique per channel only.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TransactionKey {
    channel: Bytes,
    txid: Bytes,
}

impl Frame {
    /// Finds the routing fields of an encoded `ChaincodeMessage`.
    ///
    /// As in proto3, the last of a repeated scalar field counts.
    pub fn parse(bytes: Bytes) -> Result<Self, FrameError> {
        let mut frame =
            Self { kind: 0, channel: 0..0, txid: 0..0, payload: 0..0, bytes: Bytes::new() };
        let mut rest = &bytes[..];
        while rest.has_remaining() {
            let (tag, wire) = decode_key(&mut rest).map_err(|_| FrameError::Malformed)?;
            match (tag, wire) {
                // An enum is an int32: longer varints are cut, as Go's and every other decoder does.
                #[expect(clippy::cast_possible_truncation, reason = "the wire format cuts it so")]
                (field::TYPE, WireType::Varint) => {
                    frame.kind =
                        decode_varint(&mut rest).map_err(|_| FrameError::Malformed)? as i32;
                }
                (field::TXID, WireType::LengthDelimited) => {
                    frame.txid = text(tag, &bytes, &mut rest)?;
                }
                (field::CHANNEL, WireType::LengthDelimited) => {
                    frame.channel = text(tag, &bytes, &mut rest)?;
                }
                (field::PAYLOAD, WireType::LengthDelimited) => {
                    frame.payload = content(&bytes, &mut rest)?;
                }
                (field::TIMESTAMP, WireType::LengthDelimited) => {
                    nested::<Timestamp>(&bytes, &mut rest)?;
                }
                (field::PROPOSAL, WireType::LengthDelimited) => {
                    nested::<SignedProposal>(&bytes, &mut rest)?;
                }
                (field::EVENT, WireType::LengthDelimited) => {
                    nested::<ChaincodeEvent>(&bytes, &mut rest)?;
                }
                (1..=7, _) => {
                    return Err(FrameError::WireType(tag));
                }
                _ => skip_field(wire, tag, &mut rest, DecodeContext::default())
                    .map_err(|_| FrameError::Malformed)?,
            }
        }
        frame.bytes = bytes;
        Ok(frame)
    }

    /// The message as it came.
    pub fn bytes(&self) -> &Bytes {
        &self.bytes
    }

    /// What the message is about; what that is depends on its type.
    pub fn payload(&self) -> &[u8] {
        &self.bytes[self.payload.clone()]
    }

    /// The same without copying.
    pub(crate) fn payload_bytes(&self) -> Bytes {
        self.bytes.slice(self.payload.clone())
    }

    /// The same, which if it is short keeps nothing else of what it came with: a message may be a
    /// small part of what was read at once.
    pub(crate) fn apart(&self) -> Self {
        let is_short = self.bytes.len() < SHORT;
        let copied = is_short.then(|| Bytes::copy_from_slice(&self.bytes));
        Self { bytes: copied.unwrap_or_else(|| self.bytes.clone()), ..self.clone() }
    }

    /// What the message is; `None` for a type that this version does not know.
    pub fn kind(&self) -> Option<Type> {
        Type::try_from(self.kind).ok()
    }

    /// The type's number, for a log line about one that is not known.
    pub fn kind_number(&self) -> i32 {
        self.kind
    }

    /// The transaction that the message belongs to, without copying.
    pub fn transaction(&self) -> TransactionKey {
        TransactionKey {
            channel: self.bytes.slice(self.channel.clone()),
            txid: self.bytes.slice(self.txid.clone()),
        }
    }

    /// The whole message decoded; for the few messages that the proxy answers itself.
    pub(crate) fn decode(&self) -> Result<ChaincodeMessage, FrameError> {
        ChaincodeMessage::decode(self.bytes.clone()).map_err(|_| FrameError::Malformed)
    }

    /// `REGISTER` for a package ID (`core/chaincode/handler.go`, `HandleRegister`).
    pub fn register(package_id: &str) -> Self {
        let chaincode = ChaincodeId { name: package_id.into(), ..Default::default() };
        Self::of(Type::Register, chaincode.encode_to_vec(), ("", ""))
    }

    /// `REGISTERED`, the answer to `REGISTER`.
    pub fn registered() -> Self {
        Self::of(Type::Registered, Vec::new(), ("", ""))
    }

    /// `KEEPALIVE`, which is answered by the same.
    pub fn keepalive() -> Self {
        Self::of(Type::Keepalive, Vec::new(), ("", ""))
    }

    /// `QUERY_STATE_CLOSE`, which the peer answers (`core/chaincode/handler.go`,
    /// `HandleQueryStateClose`).
    pub(crate) fn close_iterator(transaction: &TransactionKey, id: String) -> Self {
        let payload = QueryStateClose { id }.encode_to_vec();
        Self::of(Type::QueryStateClose, payload, (&transaction.channel(), &transaction.txid()))
    }

    /// `WRITE_BATCH_STATE`, with an encoded `WriteBatchState`.
    pub(crate) fn write_batch(transaction: &TransactionKey, payload: Vec<u8>) -> Self {
        let place = (&*transaction.channel(), &*transaction.txid());
        Self::of(Type::WriteBatchState, payload, place)
    }

    /// `ERROR` for a transaction; the peer hands the text to the client, so that it is cut: the
    /// reason of an end may quote what the chaincode wrote, and is told once per transaction.
    pub fn error(transaction: &TransactionKey, text: &str) -> Self {
        let mut text = excerpt(text.to_owned(), REASON);
        // By this end the Gateway knows a peer that is of no use (`internal/pkg/gateway`).
        if text.ends_with(STREAM_TERMINATED) {
            text.push('.');
        }
        Self::of(Type::Error, text.into(), (&transaction.channel(), &transaction.txid()))
    }

    fn of(kind: Type, payload: Vec<u8>, (channel, txid): (&str, &str)) -> Self {
        let message = ChaincodeMessage {
            r#type: kind.into(),
            payload,
            channel_id: channel.into(),
            txid: txid.into(),
            ..Default::default()
        };
        Self::parse(message.encode_to_vec().into()).expect("an encoded message parses")
    }
}

impl Hash for TransactionKey {
    /// Of the ID alone, which is as good as unique: a hash is made for every message.
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write(&self.txid);
    }
}

impl TransactionKey {
    /// The same, which keeps nothing else of the message that it was in.
    pub(crate) fn apart(&self) -> Self {
        let [channel, txid] = [&self.channel, &self.txid].map(|part| Bytes::copy_from_slice(part));
        Self { channel, txid }
    }

    /// The channel's name.
    pub fn channel(&self) -> String {
        String::from_utf8_lossy(&self.channel).into_owned()
    }

    /// The transaction's ID.
    pub fn txid(&self) -> String {
        String::from_utf8_lossy(&self.txid).into_owned()
    }
}

/// `QueryStateClose` of `peer/chaincode_shim.proto`.
#[derive(Clone, PartialEq, prost::Message)]
struct QueryStateClose {
    #[prost(string, tag = "1")]
    id: String,
}

/// `google.protobuf.Timestamp`, of which only the well-formedness matters here.
#[derive(Clone, PartialEq, prost::Message)]
struct Timestamp {
    #[prost(int64, tag = "1")]
    seconds: i64,
    #[prost(int32, tag = "2")]
    nanos: i32,
}

/// The place of a length-delimited field's content in `bytes`; `rest` is the tail not yet read.
fn content(bytes: &Bytes, rest: &mut &[u8]) -> Result<Range<usize>, FrameError> {
    let length = decode_varint(rest).map_err(|_| FrameError::Malformed)?;
    let start = bytes.len() - rest.len();
    let length = usize::try_from(length)
        .ok()
        .filter(|length| *length <= rest.len())
        .ok_or(FrameError::Malformed)?;
    rest.advance(length);
    Ok(start..start + length)
}

fn text(tag: u32, bytes: &Bytes, rest: &mut &[u8]) -> Result<Range<usize>, FrameError> {
    let place = content(bytes, rest)?;
    std::str::from_utf8(&bytes[place.clone()]).map_err(|_| FrameError::Text(tag))?;
    Ok(place)
}

fn nested<M: Message + Default>(bytes: &Bytes, rest: &mut &[u8]) -> Result<(), FrameError> {
    let place = content(bytes, rest)?;
    M::decode(&bytes[place]).map(drop).map_err(|_| FrameError::Malformed)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message() -> ChaincodeMessage {
        ChaincodeMessage {
            r#type: Type::GetState.into(),
            payload: b"key".to_vec(),
            txid: "tx1".into(),
            channel_id: "mychannel".into(),
            ..Default::default()
        }
    }

    #[test]
    fn finds_what_routing_needs() {
        let frame = Frame::parse(message().encode_to_vec().into()).unwrap();
        assert_eq!(frame.kind(), Some(Type::GetState));
        assert_eq!(frame.transaction().channel(), "mychannel");
        assert_eq!(frame.transaction().txid(), "tx1");
    }

    #[test]
    fn keeps_unknown_fields_and_types() {
        let mut bytes = vec![0x08, 0xe7, 0x07]; // type 999
        bytes.extend([0xf2, 0x06, 0x03, b'n', b'e', b'w']); // field 110, which no version has
        bytes.extend(message().encode_to_vec().split_off(2));
        let frame = Frame::parse(bytes.clone().into()).unwrap();
        assert_eq!(frame.kind(), None);
        assert_eq!(frame.kind_number(), 999);
        assert_eq!(frame.transaction().txid(), "tx1");
        assert_eq!(frame.bytes(), &bytes);
    }

    #[test]
    fn the_last_of_a_repeated_field_counts_as_it_does_for_the_peer() {
        let mut bytes = message().encode_to_vec();
        bytes.extend([0x22, 0x03, b't', b'x', b'2']);
        let frame = Frame::parse(bytes.into()).unwrap();
        assert_eq!(frame.transaction().txid(), "tx2");
    }

    #[test]
    fn refuses_what_the_peer_could_not_decode() {
        let whole = message().encode_to_vec();
        let cut = Bytes::copy_from_slice(&whole[..whole.len() - 1]);
        assert!(matches!(Frame::parse(cut), Err(FrameError::Malformed)));
        let no_text = Bytes::from_static(&[0x22, 0x01, 0xff]);
        assert!(matches!(Frame::parse(no_text), Err(FrameError::Text(4))));
        let number_for_payload = Bytes::from_static(&[0x18, 0x01]);
        assert!(matches!(Frame::parse(number_for_payload), Err(FrameError::WireType(3))));
        let broken_event = Bytes::from_static(&[0x32, 0x02, 0x0a, 0x05]);
        assert!(matches!(Frame::parse(broken_event), Err(FrameError::Malformed)));
        let longer_than_it_is = Bytes::from_static(&[0x1a, 0x7f, 0x00]);
        assert!(matches!(Frame::parse(longer_than_it_is), Err(FrameError::Malformed)));
    }

    #[test]
    fn what_a_client_is_told_is_short_and_does_not_condemn_the_peer() {
        let key = Frame::parse(message().encode_to_vec().into()).unwrap().transaction();
        let told = |text: &str| {
            String::from_utf8(Frame::error(&key, text).decode().unwrap().payload).unwrap()
        };
        assert_eq!(told("exit status 3"), "exit status 3");
        assert_eq!(told(&"x".repeat(100_000)).chars().count(), REASON + 1);
        assert!(!told("it said: chaincode stream terminated").ends_with(STREAM_TERMINATED));
    }
}
