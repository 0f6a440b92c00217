//! Messages of the stream, as either side writes them.

use bytes::Bytes;
use prost::Message;
use selvedge_proto::fabric::ChaincodeMessage;
use selvedge_proxy::{Frame, Type};

/// The channel of every transaction, where a test does not name one.
pub(crate) const CHANNEL: &str = "mychannel";

/// Field 110, which no version of the messages has.
pub(crate) const UNKNOWN_FIELD: [u8; 6] = [0xf2, 0x06, 0x03, b'n', b'e', b'w'];

/// A message of a transaction.
pub(crate) fn of(kind: Type, txid: &str, payload: &[u8]) -> Frame {
    on(CHANNEL, kind, txid, payload)
}

/// A message of a transaction on a channel.
pub(crate) fn on(channel: &str, kind: Type, txid: &str, payload: &[u8]) -> Frame {
    numbered(channel, kind.into(), txid, payload)
}

/// A message with a type that may not exist, and with a field that does not.
pub(crate) fn from_the_future(kind: i32, txid: &str, payload: &[u8]) -> Frame {
    let mut bytes = numbered(CHANNEL, kind, txid, payload).bytes().to_vec();
    bytes.extend(UNKNOWN_FIELD);
    Frame::parse(bytes.into()).unwrap()
}

/// The peer's READY with the parameters of both kinds of batches.
pub(crate) fn ready() -> Frame {
    let batches = [0x08, 0x01, 0x10, 0xe8, 0x07, 0x18, 0x01, 0x20, 0xe8, 0x07];
    let known = numbered("", Type::Ready.into(), "", &batches);
    Frame::parse([&known.bytes()[..], &UNKNOWN_FIELD].concat().into()).unwrap()
}

fn numbered(channel: &str, kind: i32, txid: &str, payload: &[u8]) -> Frame {
    let message = ChaincodeMessage {
        r#type: kind,
        payload: payload.into(),
        txid: txid.into(),
        channel_id: channel.into(),
        ..Default::default()
    };
    Frame::parse(message.encode_to_vec().into()).unwrap()
}

/// The content of a message's payload.
pub(crate) fn payload(frame: &Frame) -> Vec<u8> {
    ChaincodeMessage::decode(&frame.bytes()[..]).unwrap().payload
}

/// A message as gRPC sends it: flag, length, bytes.
pub(crate) fn grpc(message: &[u8]) -> Bytes {
    let length = u32::try_from(message.len()).unwrap();
    [&[0], &length.to_be_bytes()[..], message].concat().into()
}
