//! The served registry as a server of HTTP, before the clients that it has: the specification's own suite,
//! the launcher's client, `crane`, and people who mean no good.

mod bounds;
mod clients;
mod conformance;
mod crash;
mod refusals;
mod served;
