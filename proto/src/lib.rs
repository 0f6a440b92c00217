//! The chaincode wire messages and the launcher API.
