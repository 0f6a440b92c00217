//! Where a ccaas chaincode is served, as its package and this peer's environment say together.
//!
//! The gaps in the package are filled here, and the peer keeps what comes of it: what the variable
//! says later changes nothing, as with Fabric's own builder.

use std::{env, path::Path};

use selvedge_package::{
    CONFIG_VARIABLE, Connection, ConnectionError, InvalidValues, Server, Values,
};

/// Why the peer can not be told where the chaincode is.
#[derive(Debug, thiserror::Error)]
pub enum ServerError {
    /// The package.
    #[error(transparent)]
    Connection(#[from] ConnectionError),
    /// The peer's environment.
    #[error(transparent)]
    Values(#[from] InvalidValues),
}

/// The server that a package names, with what this peer's operator fills in.
pub(crate) fn of_package(source: &Path) -> Result<Server, ServerError> {
    let connection = Connection::of_code(source)?;
    let values = env::var_os(CONFIG_VARIABLE).unwrap_or_default();
    let values = Values::parse(&values.to_string_lossy())?;
    Ok(connection.server(&values).map_err(ConnectionError::from)?)
}
