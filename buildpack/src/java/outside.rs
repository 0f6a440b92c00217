//! How a JVM gets to what is outside: it knows none of the variables by which other tools are told of
//! proxies and authorities, but has properties of its own for that
//! (`net.properties` and the JSSE reference guide of the JDK).

use std::ffi::OsString;
use std::fs;
use std::io;
use std::path::Path;

use url::{Host, Url};

use super::variables::PINNED;
use crate::recipe::{BuildCommand, Toolchain};

/// What makes a store of authorities, by `java` alone.
const PROGRAM: &str = include_str!("Authorities.java");

/// Where that is, and where the store is, in the output of a build.
const PROGRAM_FILE: &str = "Authorities.java";
const STORE_FILE: &str = "authorities.jks";

/// The variables that name authorities: a list of directories, and a file.
const DIRECTORIES: &str = "SSL_CERT_DIR";
const FILE: &str = "SSL_CERT_FILE";

/// The variable whose options every `java` takes, since version 9: no shell reads them on the way, as
/// one does those of Maven's and Gradle's own variables. What these say comes later, and wins.
const OPTIONS: &str = "JDK_JAVA_OPTIONS";

/// Where else a caller may have said of it what is to hold.
const SAID: [&str; 5] = [OPTIONS, "JAVA_TOOL_OPTIONS", "MAVEN_OPTS", "MAVEN_ARGS", "GRADLE_OPTS"];

/// Makes the store, if somebody was named whom Java may not trust. A Java that is too old for it takes
/// no options by the variable either.
const MAKE: &str =
    "java \"$@\" || echo 'Java goes on with the authorities that it was made with' >&2";

/// The hosts to which a JVM goes itself unless it is told which these are.
const NEAR: [&str; 3] = ["localhost", "127.*", "[::1]"];

/// Lets Maven 3.9 take the JVM's word for proxies, as all before it do.
const HEEDED: &str = "-Daether.connector.http.useSystemProperties=true";

/// Puts the program into the output of a build.
pub(super) fn prepare(output: &Path) -> io::Result<()> {
    fs::write(output.join(PROGRAM_FILE), PROGRAM)
}

/// A tool's command, in `directory`, after what is to be done before it in `output`, which holds the
/// program for that.
pub(super) fn commands(
    toolchain: &Toolchain,
    output: &Path,
    program: &str,
    arguments: &[&str],
    directory: &Path,
) -> Vec<BuildCommand> {
    let options = options(toolchain, output);
    let options = options.as_deref().map(|options| (OPTIONS, options));
    let pinned: Vec<_> = PINNED.iter().copied().chain(options).collect();
    let arguments = arguments.iter().map(Into::into).collect();
    let command = toolchain.command(program, arguments, &pinned, directory);
    preparation(toolchain, output).into_iter().chain([command]).collect()
}

/// What is to be done in a directory before the tools run; nothing if they trust whom Java trusts.
fn preparation(toolchain: &Toolchain, output: &Path) -> Option<BuildCommand> {
    let named = named(toolchain);
    if named.is_empty() {
        return None;
    }
    let words = ["-c", MAKE, "java", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"];
    let files = [output.join(PROGRAM_FILE), output.join(STORE_FILE)].map(OsString::from);
    let arguments = words.into_iter().map(OsString::from).chain(files).chain(named).collect();
    Some(toolchain.command("sh", arguments, PINNED, output))
}

/// What the tools' own JVMs are told, with what the caller has for them; none if that is all.
fn options(toolchain: &Toolchain, output: &Path) -> Option<String> {
    let store = output.join(STORE_FILE);
    let trust = (!named(toolchain).is_empty())
        .then(|| format!("\"-Djavax.net.ssl.trustStore={}\"", store.display()));
    let own: Vec<String> = trust.into_iter().chain(proxies(toolchain)).collect();
    if own.is_empty() {
        return None;
    }
    let said = text(toolchain, OPTIONS).unwrap_or_default();
    Some(format!("{} {said}", own.join(" ")).trim_end().to_owned())
}

/// The files and directories with authorities.
fn named(toolchain: &Toolchain) -> Vec<OsString> {
    if is_said(toolchain, "javax.net.ssl.trustStore") {
        return Vec::new();
    }
    let directories = toolchain.get(DIRECTORIES).map(std::env::split_paths);
    let directories = directories.into_iter().flatten().map(OsString::from);
    directories.chain(toolchain.get(FILE).cloned()).collect()
}

/// The options of proxies. Who somebody is there is not said: it would be for all to see who may list
/// the machine's processes.
fn proxies(toolchain: &Toolchain) -> Vec<String> {
    let not_by = either(toolchain, "NO_PROXY", "no_proxy").unwrap_or_default();
    let Some(near) = near(not_by) else { return Vec::new() };
    if is_said(toolchain, "proxyHost") {
        return Vec::new();
    }
    let of = |scheme, upper, lower| {
        let (host, port) = proxy(either(toolchain, upper, lower)?)?;
        Some([format!("-D{scheme}.proxyHost={host}"), format!("-D{scheme}.proxyPort={port}")])
    };
    let [http, https] =
        [of("http", "HTTP_PROXY", "http_proxy"), of("https", "HTTPS_PROXY", "https_proxy")];
    let proxies: Vec<String> = http.into_iter().chain(https).flatten().collect();
    if proxies.is_empty() {
        return proxies;
    }
    let near = format!("\"-Dhttp.nonProxyHosts={near}\"");
    proxies.into_iter().chain([near, HEEDED.to_owned()]).collect()
}

/// A proxy's host and port. A JVM speaks to none by TLS.
fn proxy(text: &str) -> Option<(String, u16)> {
    let text = if text.contains("://") { text.to_owned() } else { format!("http://{text}") };
    let url: Url = text.parse().ok().filter(|url: &Url| url.scheme() == "http")?;
    let host = match url.host()? {
        Host::Ipv6(address) => address.to_string(),
        host => host.to_string(),
    };
    Some((host, url.port_or_known_default()?))
}

/// The hosts to which no proxy leads, as a JVM is told of them; none if it leads to none. A name is
/// meant with all below it. Networks and ports, which others know, a JVM does not.
fn near(hosts: &str) -> Option<String> {
    let hosts: Vec<&str> =
        hosts.split(',').map(str::trim).filter(|host| !host.is_empty()).collect();
    if hosts.contains(&"*") {
        return None;
    }
    let is_plain = |host: &&&str| {
        host.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._*".contains(&byte))
    };
    let told = hosts.iter().filter(is_plain).flat_map(|host| match host.strip_prefix('.') {
        Some(domain) => vec![format!("*.{domain}")],
        None if host.starts_with('*') || host.parse::<std::net::IpAddr>().is_ok() => {
            vec![(*host).to_owned()]
        }
        None => vec![(*host).to_owned(), format!("*.{host}")],
    });
    Some(NEAR.map(str::to_owned).into_iter().chain(told).collect::<Vec<_>>().join("|"))
}

fn is_said(toolchain: &Toolchain, property: &str) -> bool {
    SAID.iter()
        .any(|variable| text(toolchain, variable).is_some_and(|said| said.contains(property)))
}

fn either<'a>(toolchain: &'a Toolchain, upper: &str, lower: &str) -> Option<&'a str> {
    text(toolchain, upper).or_else(|| text(toolchain, lower))
}

fn text<'a>(toolchain: &'a Toolchain, variable: &str) -> Option<&'a str> {
    toolchain.get(variable).and_then(|value| value.to_str())
}

#[cfg(test)]
mod tests {
    use super::super::variables::ALLOWED;
    use super::*;

    fn toolchain(variables: &[(&str, &str)]) -> Toolchain {
        let variables = variables.iter().map(|(name, value)| (name.into(), value.into()));
        Toolchain::new(&mut variables.collect::<Vec<_>>().into_iter(), ALLOWED)
    }

    fn told(variables: &[(&str, &str)]) -> Option<String> {
        options(&toolchain(variables), Path::new("/out"))
    }

    const BOTH: [(&str, &str); 2] =
        [("HTTP_PROXY", "http://user:secret@proxy.example"), ("https_proxy", "10.0.0.7:3128")];

    #[test]
    fn by_way_of_proxies() {
        assert_eq!(
            told(&BOTH).unwrap(),
            "-Dhttp.proxyHost=proxy.example -Dhttp.proxyPort=80 -Dhttps.proxyHost=10.0.0.7 \
             -Dhttps.proxyPort=3128 \"-Dhttp.nonProxyHosts=localhost|127.*|[::1]\" \
             -Daether.connector.http.useSystemProperties=true"
        );
        let to = |hosts| told(&[BOTH[1], ("NO_PROXY", hosts)]);
        let near = to(".svc, a.example,10.1.2.3,*.b,10.0.0.0/8,c:80,\"x").unwrap();
        assert!(near.contains("|[::1]|*.svc|a.example|*.a.example|10.1.2.3|*.b\""), "{near}");
        assert_eq!(to("a,*"), None);
        for other in ["https://proxy.example", "socks5://proxy.example:1080", "://", ""] {
            assert_eq!(told(&[("HTTPS_PROXY", other)]), None, "{other}");
        }
        assert_eq!(proxy("http://[fd00::1]:3128").unwrap(), ("fd00::1".to_owned(), 3128));
    }

    #[test]
    fn with_authorities() {
        let variables = [("SSL_CERT_DIR", "/a:/b"), ("SSL_CERT_FILE", "/c"), (OPTIONS, "-Xmx1g")];
        let store = "\"-Djavax.net.ssl.trustStore=/out/authorities.jks\" -Xmx1g";
        assert_eq!(told(&variables).unwrap(), store);
        let command = preparation(&toolchain(&variables), Path::new("/out")).unwrap();
        let end = &command.arguments[command.arguments.len() - 5..];
        assert_eq!(end, ["/out/Authorities.java", "/out/authorities.jks", "/a", "/b", "/c"]);
        assert!(preparation(&toolchain(&[]), Path::new("/out")).is_none());
        assert_eq!(told(&[(OPTIONS, "-Xmx1g")]), None);
    }

    #[test]
    fn what_the_caller_says_wins() {
        let own = ("MAVEN_OPTS", "-Djavax.net.ssl.trustStore=/own -Dhttps.proxyHost=own");
        let variables = [BOTH[0], BOTH[1], ("SSL_CERT_FILE", "/c"), own];
        assert_eq!(told(&variables), None);
        assert!(preparation(&toolchain(&variables), Path::new("/out")).is_none());
    }
}
