//! Decompression of zstd (RFC 8878), as it comes in layers that somebody else has made.

use std::error::Error;
use std::io::{self, BufRead, BufReader, Read};
use std::iter;

use ruzstd::decoding::errors::{FrameDecoderError, ReadFrameHeaderError};
use ruzstd::decoding::{BlockDecodingStrategy, FrameDecoder};

/// How far back a frame may refer, in bytes, all of which are kept: what `zstd` itself takes unless it
/// is told otherwise (`ZSTD_WINDOWLOG_LIMIT_DEFAULT`).
const WINDOW: u64 = 128 << 20;

/// Decompresses all frames, and skips those that are to be skipped: what makes layers that can be
/// fetched in parts writes many (zstd:chunked of containers/storage).
pub(crate) fn unzstd(reader: impl Read) -> impl Read {
    let mut decoder = FrameDecoder::new();
    decoder.set_max_window_size(WINDOW);
    Frames { source: BufReader::with_capacity(64 * 1024, reader), decoder }
}

struct Frames<R> {
    source: BufReader<R>,
    decoder: FrameDecoder,
}

impl<R: Read> Frames<R> {
    /// Begins the next frame, if there is one.
    fn begin(&mut self) -> io::Result<bool> {
        while !self.source.fill_buf()?.is_empty() {
            match self.decoder.init(&mut self.source) {
                Ok(()) => return Ok(true),
                Err(FrameDecoderError::ReadFrameHeaderError(ReadFrameHeaderError::SkipFrame {
                    length,
                    ..
                })) => self.skip(length.into())?,
                Err(error) => return Err(unreadable(error)),
            }
        }
        Ok(false)
    }

    fn skip(&mut self, length: u64) -> io::Result<()> {
        let skipped = io::copy(&mut self.source.by_ref().take(length), &mut io::sink())?;
        if skipped == length { Ok(()) } else { Err(io::ErrorKind::UnexpectedEof.into()) }
    }
}

impl<R: Read> Read for Frames<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.decoder.can_collect() == 0 {
            if !self.decoder.is_finished() {
                let one = BlockDecodingStrategy::UptoBlocks(1);
                self.decoder.decode_blocks(&mut self.source, one).map_err(unreadable)?;
            } else if !self.begin()? {
                return Ok(0);
            }
        }
        self.decoder.read(buffer)
    }
}

/// What cannot be read further, as what it is that could not be: its end may have come too early.
fn unreadable(error: FrameDecoderError) -> io::Error {
    let causes = iter::successors(Some(&error as &dyn Error), |error| (*error).source());
    let kind = causes.filter_map(|cause| cause.downcast_ref::<io::Error>()).map(io::Error::kind);
    match kind.last() {
        Some(kind) => io::Error::new(kind, error),
        None => io::Error::other(error),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// What zstd 1.5.4 has made of [`content`]: `zstd -3`, `--ultra -22 --no-check` and `-19`.
    const DEFAULT: (&[u8], usize) = (include_bytes!("zstd/default.zst"), 20_000);
    const MOST: (&[u8], usize) = (include_bytes!("zstd/most.zst"), 20_000);
    const BLOCKS: (&[u8], usize) = (include_bytes!("zstd/blocks.zst"), 300_000);

    /// What it has made of nothing.
    const NONE: (&[u8], usize) = (include_bytes!("zstd/none.zst"), 0);

    /// `--long=27`, and `--long=28`.
    const WINDOW: (&[u8], usize) = (include_bytes!("zstd/window-27.zst"), 1000);
    const TOO_WIDE: &[u8] = include_bytes!("zstd/window-28.zst");

    fn unpacked(compressed: &[u8]) -> io::Result<Vec<u8>> {
        let mut content = Vec::new();
        unzstd(compressed).read_to_end(&mut content)?;
        Ok(content)
    }

    /// Text that neither is one letter nor noise.
    fn content(bytes: usize) -> Vec<u8> {
        let words = (0_u64..).flat_map(|n| format!("{} ", n * n % 9973).into_bytes());
        words.take(bytes).collect()
    }

    #[test]
    fn what_zstd_has_compressed() {
        for (frame, bytes) in [DEFAULT, MOST, BLOCKS, NONE, WINDOW] {
            assert!(unpacked(frame).unwrap() == content(bytes), "{bytes}");
        }
    }

    #[test]
    fn several_frames_and_some_that_are_to_be_skipped() {
        let skipped = [&0x184D_2A5E_u32.to_le_bytes()[..], &3_u32.to_le_bytes(), b"toc"].concat();
        let all = [&skipped[..], DEFAULT.0, NONE.0, &skipped, WINDOW.0, &skipped].concat();
        assert!(unpacked(&all).unwrap() == [content(DEFAULT.1), content(WINDOW.1)].concat());
        let error = unpacked(&all[..all.len() - 1]).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof, "{error}");
    }

    #[test]
    fn one_that_refers_too_far_back_is_refused() {
        let told = unpacked(TOO_WIDE).unwrap_err().to_string();
        assert!(told.contains("268435456") && told.contains("134217728"), "{told}");
    }

    #[test]
    fn one_that_ends_too_early_is_told_from_what_is_none() {
        for (whole, _) in [DEFAULT, MOST, BLOCKS] {
            for length in [1, 4, 5, 7, whole.len() / 2, whole.len() - 1] {
                let error = unpacked(&whole[..length]).unwrap_err();
                assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof, "{length}: {error}");
            }
        }
        let error = unpacked(b"\x1f\x8b is gzip").unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::Other, "{error}");
    }

    proptest! {
        /// A launcher that panics is gone, and all that it runs: nothing that a registry may send does
        /// that.
        #[test]
        fn frames_that_are_damaged_are_an_error_or_other_content(
            of in 0..4_usize,
            changes in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8),
        ) {
            let mut frame = [DEFAULT, MOST, BLOCKS, WINDOW][of].0.to_vec();
            for (place, byte) in changes {
                let place = place.index(frame.len());
                frame[place] = byte;
            }
            // As much as is meant, and no more than a bound: whatever comes of it.
            let _ = io::copy(&mut unzstd(&frame[..]).take(1 << 20), &mut io::sink());
        }
    }
}
