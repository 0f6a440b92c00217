//! `Frame::parse` against a whole decoder: what that refuses, a peer would refuse too.

use bytes::Bytes;
use prost::{DecodeError, Message};
use selvedge_proto::fabric::{ChaincodeEvent, ChaincodeMessage, SignedProposal};
use selvedge_proxy::{Frame, Type};

/// A small generator (`SplitMix64`), so that a failure comes again with the same seed.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut word = self.0;
        word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        word ^ (word >> 31)
    }

    fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.next() % bound as u64).unwrap()
    }

    fn byte(&mut self) -> u8 {
        self.next().to_le_bytes()[0]
    }
}

/// Messages that have every field that the proxy reads, and some that it does not know.
fn samples() -> Vec<Vec<u8>> {
    let whole = ChaincodeMessage {
        r#type: Type::Completed.into(),
        payload: b"payload".to_vec(),
        txid: "tx-ü".into(),
        channel_id: "mychannel".into(),
        proposal: Some(SignedProposal {
            proposal_bytes: b"proposal".to_vec(),
            signature: b"signature".to_vec(),
        }),
        chaincode_event: Some(ChaincodeEvent {
            chaincode_id: "basic".into(),
            tx_id: "tx-ü".into(),
            event_name: "created".into(),
            payload: b"event".to_vec(),
        }),
    };
    let mut newer = whole.encode_to_vec();
    newer.extend([0x12, 0x04, 0x08, 0x01, 0x10, 0x02]); // the timestamp
    newer.extend([0xf2, 0x06, 0x03, b'n', b'e', b'w']); // field 110
    newer.extend([0x43, 0x4b, 0x08, 0x01, 0x4c, 0x44]); // groups within groups
    newer.extend([0x49, 1, 2, 3, 4, 5, 6, 7, 8, 0x55, 1, 2, 3, 4]); // fixed64, fixed32
    let short = ChaincodeMessage { r#type: 8, txid: "t".into(), ..Default::default() };
    vec![whole.encode_to_vec(), newer, short.encode_to_vec()]
}

/// Changes up to four places; most results decode in part, and some as a whole.
fn mutate(bytes: &mut Vec<u8>, random: &mut Random) {
    for _ in 0..=random.below(4) {
        let place = random.below(bytes.len() + 1);
        match random.below(6) {
            0 => bytes.truncate(place),
            1 => bytes.insert(place, random.byte()),
            2 => bytes.extend_from_within(place..),
            // The first field numbers, with every wire type.
            3 => bytes.insert(place, random.byte() & 0x7f),
            _ if place < bytes.len() => match random.below(3) {
                0 => bytes[place] ^= 1 << random.below(8),
                1 => bytes[place] = random.byte(),
                _ => drop(bytes.remove(place)),
            },
            _ => {}
        }
    }
}

/// The one field that the peer's definition has and ours leaves out.
#[derive(Clone, PartialEq, prost::Message)]
struct Timestamped {
    #[prost(message, optional, tag = "2")]
    timestamp: Option<Timestamp>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct Timestamp {
    #[prost(int64, tag = "1")]
    seconds: i64,
    #[prost(int32, tag = "2")]
    nanos: i32,
}

/// The message, if a decoder that knows every field takes it.
fn decode(bytes: &Bytes) -> Result<ChaincodeMessage, DecodeError> {
    Timestamped::decode(bytes.clone())?;
    ChaincodeMessage::decode(bytes.clone())
}

#[test]
fn a_frame_is_what_a_decoder_takes_and_reads_the_same() {
    let samples = samples();
    let mut random = Random(3);
    let (mut read, mut refused) = (0, 0);
    for _ in 0..200_000 {
        let mut bytes = samples[random.below(samples.len())].clone();
        mutate(&mut bytes, &mut random);
        let bytes = Bytes::from(bytes);
        match (Frame::parse(bytes.clone()), decode(&bytes)) {
            (Ok(frame), Ok(message)) => {
                read += 1;
                assert_eq!(frame.kind_number(), message.r#type, "{bytes:?}");
                assert_eq!(frame.transaction().txid(), message.txid, "{bytes:?}");
                assert_eq!(frame.transaction().channel(), message.channel_id, "{bytes:?}");
                assert_eq!(frame.bytes(), &bytes);
            }
            (Err(_), Err(_)) => refused += 1,
            (Ok(_), Err(error)) => panic!("only the decoder refuses {bytes:?}: {error}"),
            (Err(error), Ok(_)) => panic!("only the frame refuses {bytes:?}: {error}"),
        }
    }
    // The mutations reach both sides.
    assert!(read > 20_000 && refused > 20_000, "{read} read, {refused} refused");
}
