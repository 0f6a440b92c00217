//! Where chaincode is called, and what is seen of it there.

use std::path::Path;

use anyhow::{Context, Result};
use e2e::Gateway;
use serde_json::Value;

/// Where chaincode is called.
pub(super) trait Place {
    /// Deploys a source; the package ID.
    fn deploy(&self, source: &Path, name: &str) -> Result<String>;

    /// A client of a chaincode.
    fn gateway(&self, name: &str) -> Gateway;

    /// The processes of a chaincode.
    fn processes(&self, package_id: &str) -> Result<Vec<i32>>;

    /// What the launcher tells who asks (`selvedge status --json`).
    fn status(&self) -> Result<String>;

    /// Whether nothing of what stays between calls is missing or left over, beside processes.
    fn is_settled(&self, package_id: &str, is_podless: bool) -> Result<bool>;

    /// How many processes of a chaincode are registered.
    fn registered(&self, package_id: &str) -> Result<u64> {
        let told: Value = serde_json::from_str(&self.status()?)?;
        let mut all = told["chaincodes"].as_array().into_iter().flatten();
        let found = all.find(|chaincode| chaincode["package_id"] == package_id);
        let found = found.with_context(|| format!("no {package_id} in {told:#}"))?;
        Ok(found["replicas_registered"].as_u64().unwrap_or_default())
    }
}
