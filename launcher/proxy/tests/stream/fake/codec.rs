//! tonic's codec for frames: bytes in, the same bytes out.

use bytes::{Buf, BufMut};
use tonic::Status;
use tonic::codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder};

use selvedge_proxy::Frame;

/// Reads and writes [`Frame`]s without decoding what is in them.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct FrameCodec;

impl Codec for FrameCodec {
    type Encode = Frame;
    type Decode = Frame;
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        Self
    }

    fn decoder(&mut self) -> Self {
        Self
    }
}

impl Encoder for FrameCodec {
    type Item = Frame;
    type Error = Status;

    fn encode(&mut self, frame: Frame, buffer: &mut EncodeBuf<'_>) -> Result<(), Status> {
        buffer.put_slice(frame.bytes());
        Ok(())
    }
}

impl Decoder for FrameCodec {
    type Item = Frame;
    type Error = Status;

    fn decode(&mut self, buffer: &mut DecodeBuf<'_>) -> Result<Option<Frame>, Status> {
        // Takes the bytes over from the receive buffer; they are not copied.
        let bytes = buffer.copy_to_bytes(buffer.remaining());
        Frame::parse(bytes)
            .map(Some)
            .map_err(|error| Status::invalid_argument(format!("not a chaincode message: {error}")))
    }
}
