//! `WRITE_BATCH_STATE`: many writes in one request, in an order that means nothing.
//!
//! A Go shim collects writes in a map and sends them as the map gives them, in parts of a limited
//! number (`shim/batch.go`, `sendBatch`; a peer offers it from v3.1 on). So the same run of the
//! same chaincode says the same in other batches each time; what can be compared is what is in
//! them. A key is written at most once in what is collected, so that the order is of no effect.

use bytes::Bytes;
use prost::encoding::{WireType, decode_key, decode_varint, encode_varint};

use crate::digest::Digest;
use crate::frame::{Frame, Type};

/// `WriteBatchState.rec` of `peer/chaincode_shim.proto`: field 1, a message.
const RECORD: u8 = 1 << 3 | 2;

/// One write, as it was encoded.
#[derive(Clone, Debug)]
pub(crate) struct Record(Bytes);

impl Record {
    pub(crate) fn digest(&self) -> Digest {
        Digest::of(&self.0)
    }
}

/// The writes of a request, if it is such a batch and holds nothing else.
pub(crate) fn records(request: &Frame) -> Option<Vec<Record>> {
    if request.kind() != Some(Type::WriteBatchState) {
        return None;
    }
    let payload = request.payload_bytes();
    let mut rest = &payload[..];
    let mut records = Vec::new();
    while !rest.is_empty() {
        let (1, WireType::LengthDelimited) = decode_key(&mut rest).ok()? else { return None };
        let length = usize::try_from(decode_varint(&mut rest).ok()?).ok()?;
        let (record, after) = rest.split_at_checked(length)?;
        records.push(Record(payload.slice_ref(record)));
        rest = after;
    }
    Some(records)
}

/// A request for these writes alone, in the place of one for more.
pub(crate) fn request(records: &[Record], instead_of: &Frame) -> Frame {
    let mut payload = Vec::with_capacity(records.iter().map(|record| record.0.len() + 6).sum());
    for Record(record) in records {
        payload.push(RECORD);
        encode_varint(record.len() as u64, &mut payload);
        payload.extend_from_slice(record);
    }
    Frame::write_batch(&instead_of.transaction(), payload)
}
