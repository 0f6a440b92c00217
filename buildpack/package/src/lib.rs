//! What a chaincode package says of itself, read as a peer reads it.
//!
//! A crate of its own, since two have to agree who share nothing else: the executables that the
//! peer forks, which are small and see a package after the peer has taken it apart, and the
//! buildpack, which reads whole packages and says beforehand what will become of them.

mod connection;
mod executable;
mod go_json;
mod image;
mod kind;
mod label;
mod meta_inf;
mod metadata;
mod port;

pub use connection::{
    AddressFault, CONFIG_VARIABLE, CONNECTION_FILE, Connection, ConnectionError, ConnectionFault,
    ConnectionFaults, Field, InvalidValues, MAX_CONNECTION_BYTES, PemFault, Protection, Server,
    TemplateFault, ValueFault, Values,
};
pub use executable::{Executable, NotExecutable, PROGRAMS_VARIABLE};
pub use go_json::GoJsonError;
pub use image::{IMAGE_FILE, Listens, RawImage, RawImageError};
pub use kind::{ChaincodeType, Handling};
pub use label::{InvalidLabel, Label};
pub use meta_inf::{IndexFault, MAX_INDEX_BYTES, META_INF, MetaInfFile, Uselessness, check_index};
pub use metadata::{MAX_METADATA_BYTES, METADATA_FILE, MetadataFault, RawMetadata};
pub use port::{ServerPort, UnfitPort};
