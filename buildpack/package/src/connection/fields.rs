//! The fields of a `connection.json` that count, as a package has them and as a peer needs them.

use serde_json::Value;

use super::address;
use super::duration::nanoseconds;
use super::fault::{ConnectionFault, ConnectionFaults};
use super::field::Field;
use super::pem::Wanted;
use super::shown::shown;
use super::template::Template;
use crate::go_json;

/// What counts of the fields; each text is a `T`. Empty is as good as left out.
#[derive(Clone, Debug)]
pub(super) struct Fields<T> {
    pub(super) address: T,
    pub(super) dial_timeout: T,
    /// None without `tls_required`.
    pub(super) tls: Option<Tls<T>>,
}

/// What counts with `tls_required`.
#[derive(Clone, Debug)]
pub(super) struct Tls<T> {
    pub(super) domain: T,
    pub(super) root_cert: T,
    /// None without `client_auth_required`.
    pub(super) client: Option<Client<T>>,
}

/// What counts with `client_auth_required`.
#[derive(Clone, Debug)]
pub(super) struct Client<T> {
    pub(super) key: T,
    pub(super) cert: T,
}

impl Fields<Template> {
    /// Reads a file. A wrong type is refused wherever it stands, as Go does it, a text that is no
    /// template where it counts.
    pub(super) fn read(json: &[u8]) -> Result<Self, ConnectionFaults> {
        let given =
            go_json::values(json, Field::ALL.map(Field::name)).map_err(ConnectionFault::from)?;
        let [address, dial_timeout, tls, client_auth, domain, root_cert, key, cert] = given;
        let mut reading = Reading { faults: Vec::new() };
        let address = reading.text(Field::Address, &address);
        let dial_timeout = reading.text(Field::DialTimeout, &dial_timeout);
        let tls_required = reading.flag(Field::TlsRequired, &tls);
        let client_auth_required = reading.flag(Field::ClientAuthRequired, &client_auth);
        let domain = reading.text(Field::Domain, &domain);
        let root_cert = reading.text(Field::RootCert, &root_cert);
        let key = reading.text(Field::ClientKey, &key);
        let cert = reading.text(Field::ClientCert, &cert);
        ConnectionFaults::none_of(reading.faults)?;

        let client = client_auth_required.then_some(Client { key, cert });
        let tls = tls_required.then_some(Tls { domain, root_cert, client });
        let texts = Fields { address, dial_timeout, tls };
        texts.map(|field, text| {
            Template::parse(text).map_err(|fault| ConnectionFault::Template { field, fault })
        })
    }
}

impl<T> Fields<T> {
    /// All of them, named.
    pub(super) fn all(&self) -> Vec<(Field, &T)> {
        let mut all = vec![(Field::Address, &self.address)];
        all.push((Field::DialTimeout, &self.dial_timeout));
        if let Some(tls) = &self.tls {
            all.extend([(Field::Domain, &tls.domain), (Field::RootCert, &tls.root_cert)]);
            if let Some(client) = &tls.client {
                all.extend([(Field::ClientKey, &client.key), (Field::ClientCert, &client.cert)]);
            }
        }
        all
    }

    /// The same fields, each made into something else; every fault in that is found.
    pub(super) fn map<U>(
        &self,
        make: impl Fn(Field, &T) -> Result<U, ConnectionFault>,
    ) -> Result<Fields<U>, ConnectionFaults> {
        let (mut made, mut faults) = (Vec::new(), Vec::new());
        for (field, text) in self.all() {
            match make(field, text) {
                Ok(text) => made.push(text),
                Err(fault) => faults.push(fault),
            }
        }
        ConnectionFaults::none_of(faults)?;
        let mut made = made.into_iter();
        let mut next = || made.next().expect("each of the fields was made");
        Ok(Fields {
            address: next(),
            dial_timeout: next(),
            tls: self.tls.as_ref().map(|tls| Tls {
                domain: next(),
                root_cert: next(),
                client: tls.client.as_ref().map(|_| Client { key: next(), cert: next() }),
            }),
        })
    }

    /// What a peer could not dial by, in those fields whose text `known` knows.
    pub(super) fn faults<'a>(
        &'a self,
        known: impl Fn(&'a T) -> Option<&'a str>,
    ) -> Vec<ConnectionFault> {
        let check = |(field, text)| known(text).and_then(|text| check(field, text).err());
        self.all().into_iter().filter_map(check).collect()
    }
}

/// Checks the text of a field that counts.
fn check(field: Field, text: &str) -> Result<(), ConnectionFault> {
    let pem =
        |wanted: Wanted| wanted.check(text).map_err(|fault| ConnectionFault::Pem { field, fault });
    match field {
        Field::DialTimeout | Field::Domain if text.is_empty() => Ok(()),
        _ if text.is_empty() => Err(ConnectionFault::Missing { field }),
        Field::Address => address::check(text)
            .map_err(|fault| ConnectionFault::Address { address: text.to_owned(), fault }),
        Field::DialTimeout if nanoseconds(text).is_some_and(|time| time >= 0) => Ok(()),
        Field::DialTimeout => Err(ConnectionFault::Duration(text.to_owned())),
        Field::RootCert | Field::ClientCert => pem(Wanted::Certificate),
        Field::ClientKey => pem(Wanted::Key),
        // The first two are no texts; what a peer makes of a name, the handshake tells.
        Field::TlsRequired | Field::ClientAuthRequired | Field::Domain => Ok(()),
    }
}

/// A file being read, and what is wrong with it so far.
struct Reading {
    faults: Vec<ConnectionFault>,
}

impl Reading {
    fn text(&mut self, field: Field, given: &[Value]) -> String {
        self.last(field, given, |value| value.as_str().map(str::to_owned))
    }

    fn flag(&mut self, field: Field, given: &[Value]) -> bool {
        self.last(field, given, Value::as_bool)
    }

    /// The last of what the field is given; each of another type is a fault.
    fn last<T: Default>(
        &mut self,
        field: Field,
        given: &[Value],
        read: impl Fn(&Value) -> Option<T>,
    ) -> T {
        let mut last = T::default();
        for value in given {
            match read(value) {
                Some(read) => last = read,
                None => self.faults.push(ConnectionFault::Type { field, found: shown(value) }),
            }
        }
        last
    }
}
