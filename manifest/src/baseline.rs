//! The security baseline of chaincode's pods, which an overlay lifts only as far as it is allowed.
