//! gRPC's framing: a flag, a length, and as many bytes (gRPC over HTTP/2, "Length-Prefixed-Message").

use std::mem;

use bytes::{Buf, Bytes, BytesMut};

/// A byte that says whether the message is compressed, and its length in four.
pub(crate) const PREFIX: usize = 5;

/// The memory set aside for a message of which only the length is known yet.
const TRUSTED: usize = 64 << 10;

/// Why bytes are no messages.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FramingError {
    #[error("it sent a compressed message, which was not agreed on")]
    Compressed,
    #[error("it sent a message with the flag {0}, which says neither compressed nor not")]
    Flag(u8),
    #[error("it sent a message that is too large: {length} bytes, the limit is {limit}")]
    TooLarge { length: usize, limit: usize },
}

/// Finds the messages in a stream of bytes. What comes in one piece is not copied.
pub(crate) struct Deframer {
    limit: usize,
    /// What came last, as far as it is not taken.
    rest: Bytes,
    /// The length of the message whose prefix was read.
    length: Option<usize>,
    /// The beginning of a prefix or message of which more is to come.
    begun: BytesMut,
}

impl Deframer {
    /// For messages of up to `limit` bytes.
    pub(crate) fn new(limit: usize) -> Self {
        Self { limit, rest: Bytes::new(), length: None, begun: BytesMut::new() }
    }

    /// The next bytes; only when [`Self::next`] has nothing more.
    pub(crate) fn push(&mut self, chunk: Bytes) {
        debug_assert!(self.rest.is_empty());
        self.rest = chunk;
    }

    /// The next message, if it is there as a whole.
    pub(crate) fn next(&mut self) -> Result<Option<Bytes>, FramingError> {
        if self.length.is_none() {
            let Some(prefix) = self.take_prefix() else { return Ok(None) };
            self.length = Some(self.check(prefix)?);
        }
        let message = self.length.and_then(|length| self.take(length));
        if message.is_some() {
            self.length = None;
        }
        Ok(message)
    }

    /// From the next message on, up to `limit` bytes.
    pub(crate) fn set_limit(&mut self, limit: usize) {
        self.limit = limit;
    }

    /// The length of the message that is coming, in bytes, if that is known.
    pub(crate) fn announced(&self) -> Option<usize> {
        self.length
    }

    /// Whether the bytes end amidst a message.
    pub(crate) fn is_amidst(&self) -> bool {
        self.length.is_some() || !self.begun.is_empty()
    }

    fn take_prefix(&mut self) -> Option<[u8; PREFIX]> {
        // What most prefixes are: in one piece, and not worth a share in the memory.
        if self.begun.is_empty()
            && let Some(prefix) = self.rest.first_chunk().copied()
        {
            self.rest.advance(PREFIX);
            return Some(prefix);
        }
        self.take(PREFIX).and_then(|prefix| prefix.first_chunk().copied())
    }

    fn check(&self, [flag, length @ ..]: [u8; PREFIX]) -> Result<usize, FramingError> {
        match flag {
            0 => {}
            1 => return Err(FramingError::Compressed),
            flag => return Err(FramingError::Flag(flag)),
        }
        let length = u32::from_be_bytes(length) as usize;
        let limit = self.limit;
        if length > limit { Err(FramingError::TooLarge { length, limit }) } else { Ok(length) }
    }

    fn take(&mut self, length: usize) -> Option<Bytes> {
        if self.begun.is_empty() && self.rest.len() >= length {
            return Some(self.rest.split_to(length));
        }
        if self.begun.is_empty() {
            self.begun.reserve(length.min(TRUSTED));
        }
        let missing = (length - self.begun.len()).min(self.rest.len());
        self.begun.extend_from_slice(&self.rest.split_to(missing));
        (self.begun.len() == length).then(|| mem::take(&mut self.begun).freeze())
    }
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;
    use proptest::test_runner::RngSeed;

    use super::*;

    fn bytes(messages: &[&[u8]]) -> Bytes {
        let mut bytes = Vec::new();
        for message in messages {
            bytes.push(0);
            bytes.extend(u32::try_from(message.len()).unwrap().to_be_bytes());
            bytes.extend_from_slice(message);
        }
        bytes.into()
    }

    #[test]
    fn messages_are_found_however_the_bytes_are_cut() {
        let messages = [&b"one"[..], b"", b"a longer one", b"x"];
        let all = bytes(&messages);
        for size in 1..=all.len() {
            let mut deframer = Deframer::new(12);
            let mut found = Vec::new();
            for chunk in all.chunks(size) {
                deframer.push(Bytes::copy_from_slice(chunk));
                while let Some(message) = deframer.next().unwrap() {
                    found.push(message);
                }
            }
            assert_eq!(found, messages, "{size}");
            assert!(!deframer.is_amidst());
        }
    }

    #[test]
    fn every_cut_message_is_noticed() {
        let all = bytes(&[b"one"]);
        for length in 1..all.len() {
            let mut deframer = Deframer::new(12);
            deframer.push(all.slice(..length));
            assert!(deframer.next().unwrap().is_none());
            assert!(deframer.is_amidst(), "{length}");
        }
    }

    #[test]
    fn what_is_no_message_is_refused() {
        let refused = |bytes: &'static [u8]| {
            let mut deframer = Deframer::new(3);
            deframer.push(Bytes::from_static(bytes));
            deframer.next().unwrap_err()
        };
        assert!(matches!(refused(&[1, 0, 0, 0, 1, 7]), FramingError::Compressed));
        assert!(matches!(refused(&[2, 0, 0, 0, 1, 7]), FramingError::Flag(2)));
        let too_large = refused(&[0, 0xff, 0xff, 0xff, 0xff]);
        assert!(matches!(too_large, FramingError::TooLarge { limit: 3, .. }));
    }

    /// The messages in bytes that are all there, whether they end well, and whether amidst a message.
    fn read_at_once(mut bytes: &[u8], limit: usize) -> (Vec<Bytes>, bool, bool) {
        let mut found = Vec::new();
        while let Some(([flag, length @ ..], rest)) = bytes.split_first_chunk::<PREFIX>() {
            let length = u32::from_be_bytes(*length) as usize;
            if *flag != 0 || length > limit {
                return (found, false, false);
            }
            let Some((message, rest)) = rest.split_at_checked(length) else { break };
            found.push(Bytes::copy_from_slice(message));
            bytes = rest;
        }
        let is_amidst = !bytes.is_empty();
        (found, true, is_amidst)
    }

    /// A message, or something else.
    fn part() -> impl Strategy<Value = Vec<u8>> {
        let message = vec(any::<u8>(), 0..40).prop_map(|message| bytes(&[&message]).to_vec());
        prop_oneof![4 => message, 1 => vec(any::<u8>(), 0..8), 1 => vec(Just(0), 0..12)]
    }

    proptest! {
        #![proptest_config(ProptestConfig {
            rng_seed: RngSeed::Fixed(0),
            failure_persistence: None,
            ..ProptestConfig::with_cases(2_000)
        })]

        #[test]
        fn whatever_comes_is_read_as_if_it_were_all_there_at_once(
            parts in vec(part(), 0..8),
            sizes in vec(1..40_usize, 1..20),
        ) {
            const LIMIT: usize = 30;
            let all = parts.concat();
            let (mut deframer, mut found, mut is_well) = (Deframer::new(LIMIT), Vec::new(), true);
            let (mut rest, mut sizes) = (&all[..], sizes.iter().cycle());
            while is_well && !rest.is_empty() {
                let (chunk, after) = rest.split_at(rest.len().min(*sizes.next().unwrap()));
                rest = after;
                deframer.push(Bytes::copy_from_slice(chunk));
                loop {
                    match deframer.next() {
                        Ok(Some(message)) => found.push(message),
                        Ok(None) => break,
                        Err(_) => {
                            is_well = false;
                            break;
                        }
                    }
                }
                prop_assert!(deframer.begun.len() <= PREFIX + LIMIT);
            }
            let is_amidst = is_well && deframer.is_amidst();
            prop_assert_eq!((found, is_well, is_amidst), read_at_once(&all, LIMIT));
        }
    }
}
