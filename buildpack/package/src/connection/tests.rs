//! Whole files: what Fabric's builder takes and a peer can dial, and every way to get it wrong.

use super::*;

const CERTIFICATE: &str = "-----BEGIN CERTIFICATE-----\nc2VjcmV0\n-----END CERTIFICATE-----\n";
const KEY: &str = "-----BEGIN EC PRIVATE KEY-----\nc2VjcmV0\n-----END EC PRIVATE KEY-----\n";

/// The file that a peer reads, of a package with this one.
fn released(json: &str, values: &str) -> Result<serde_json::Value, String> {
    let connection = Connection::read(json.as_bytes()).map_err(|faults| faults.to_string())?;
    let server = connection.server(&Values::parse(values).unwrap());
    let server = server.map_err(|faults| faults.to_string())?;
    Ok(serde_json::to_value(server.file()).unwrap())
}

fn refused(json: &str) -> String {
    Connection::read(json.as_bytes()).unwrap_err().to_string()
}

/// As [`KEY`] in JSON.
fn json(text: &str) -> String {
    serde_json::to_string(text).unwrap()
}

fn mutual(root: &str, key: &str, cert: &str) -> String {
    format!(
        r#"{{"address":"a:1","tls_required":true,"client_auth_required":true,"root_cert":{},
            "client_key":{},"client_cert":{}}}"#,
        json(root),
        json(key),
        json(cert)
    )
}

#[test]
fn what_is_left_out_stays_out() {
    let file = serde_json::json!({
        "address": "asset.example.com:9999", "tls_required": false, "client_auth_required": false,
    });
    for written in [
        r#"{"address":"asset.example.com:9999"}"#,
        r#"{"address":"asset.example.com:9999","dial_timeout":"","tls_required":false}"#,
        r#"{"address":"asset.example.com:9999","dial_timeout":null,"tls_required":null}"#,
        r#"{"Address":"x","ADDRESS":"asset.example.com:9999","more":{"deep":[1e999]}}"#,
        // Without TLS nothing counts that is for TLS.
        r#"{"address":"asset.example.com:9999","client_auth_required":true,"domain":"d",
            "root_cert":"none","client_key":"{{if}}","client_cert":"{{.missing}}"}"#,
    ] {
        assert_eq!(released(written, "").unwrap(), file, "{written}");
    }
}

#[test]
fn what_is_there_reaches_the_peer() {
    let tls = format!(
        r#"{{"address":"a:1","dial_timeout":"10s","domain":"d.example","tls_required":true,
            "root_cert":{}}}"#,
        json(CERTIFICATE)
    );
    let file = serde_json::json!({
        "address": "a:1", "dial_timeout": "10s", "domain": "d.example", "tls_required": true,
        "client_auth_required": false, "root_cert": CERTIFICATE,
    });
    assert_eq!(released(&tls, "").unwrap(), file);
    let file = serde_json::json!({
        "address": "a:1", "tls_required": true, "client_auth_required": true,
        "root_cert": CERTIFICATE, "client_key": KEY, "client_cert": CERTIFICATE,
    });
    assert_eq!(released(&mutual(CERTIFICATE, KEY, CERTIFICATE), "").unwrap(), file);
}

/// As in `TestTemplating` of Fabric's `ccaas_builder/cmd/build/main_test.go`, with real PEM.
#[test]
fn gaps_are_filled_in_every_text() {
    let written = r#"{"address":"{{.address}}:9999","dial_timeout":"{{.wait}}s","domain":"{{.d}}",
        "tls_required":true,"root_cert":"{{.root_cert}}","client_key":"{{.client.key}}",
        "client_cert":"{{.client.cert}}","client_auth_required":true}"#;
    let values = serde_json::json!({
        "address": "URLAddress", "wait": 10, "d": "", "root_cert": CERTIFICATE,
        "client": {"key": KEY, "cert": CERTIFICATE},
    });
    let file = serde_json::json!({
        "address": "URLAddress:9999", "dial_timeout": "10s", "tls_required": true,
        "client_auth_required": true, "root_cert": CERTIFICATE, "client_key": KEY,
        "client_cert": CERTIFICATE,
    });
    assert_eq!(released(written, &values.to_string()).unwrap(), file);

    let connection = Connection::read(written.as_bytes()).unwrap();
    assert_eq!(connection.address(), "{{.address}}:9999");
    assert_eq!(connection.dial_timeout().unwrap(), "{{.wait}}s");
    assert_eq!(connection.protection(), Protection::Mutual);
    let wanted = ["address", "client.cert", "client.key", "d", "root_cert", "wait"];
    assert_eq!(connection.wanted(), wanted);
}

#[test]
fn what_was_filled_in_is_checked_like_what_was_written() {
    let written = r#"{"address":"{{.host}}:{{.port}}","dial_timeout":"{{.wait}}"}"#;
    for (values, told) in [
        (r#"{"host":"a","port":0,"wait":"1s"}"#, "`address` is \"a:0\", which has no port from"),
        (r#"{"host":"a b","port":1,"wait":"1s"}"#, "`address` is \"a b:1\", which has a charac"),
        (r#"{"host":"a","port":1,"wait":10}"#, "`dial_timeout` is \"10\": it must be a number wi"),
        (r#"{"host":"a","port":1}"#, "`dial_timeout` wants `{{.wait}}`, and CHAINCODE_AS_A_SER"),
        ("", "`address` wants `{{.host}}`, and CHAINCODE_AS_A_SERVICE_BUILDER_CONFIG is not set"),
    ] {
        let refused = released(written, values).unwrap_err();
        assert!(refused.starts_with(told), "{refused}");
    }
    let pem = format!(
        r#"{{"address":"a:1","tls_required":true,"root_cert":"{{{{.root}}}}","x":{}}}"#,
        json(KEY)
    );
    let values = serde_json::json!({"root": CERTIFICATE.replace('\n', " ")}).to_string();
    let refused = released(&pem, &values).unwrap_err();
    assert!(refused.starts_with("`root_cert` has its lines run together"), "{refused}");
}

#[test]
fn a_wrong_type_is_named_in_each_field() {
    let text_fields = ["address", "dial_timeout", "domain", "root_cert", "client_key"];
    for field in text_fields.into_iter().chain(["client_cert"]) {
        for (value, found) in
            [("5", "the number 5"), ("true", "true"), ("[\"a\"]", "an array"), ("{}", "an object")]
        {
            let told = refused(&format!(r#"{{"address":"a:1","{field}":{value}}}"#));
            assert!(told.starts_with(&format!("`{field}` is {found}: it must be ")), "{told}");
        }
    }
    for field in ["tls_required", "client_auth_required"] {
        for (value, found) in [
            (r#""true""#, "the text \"true\""),
            ("1", "the number 1"),
            ("[]", "an array"),
            ("{}", "an object"),
        ] {
            let told = refused(&format!(r#"{{"address":"a:1","{field}":{value}}}"#));
            let expected =
                format!("`{field}` is {found}: it must be true or false, without quotes");
            assert_eq!(told, expected);
        }
    }
    // Go refuses the first of two, and reads the second.
    let twice = refused(r#"{"address":1,"address":"a:1"}"#);
    assert!(twice.starts_with("`address` is the number 1: "), "{twice}");
}

#[test]
fn everything_that_is_wrong_is_told_at_once() {
    let told = refused(r#"{"address":7,"dial_timeout":true,"tls_required":"false"}"#);
    let fields: Vec<&str> = told.split("; ").filter_map(|fault| fault.split('`').nth(1)).collect();
    assert_eq!(fields, ["address", "dial_timeout", "tls_required"], "{told}");
    let told = refused(r#"{"address":"a","dial_timeout":"soon","tls_required":true}"#);
    let fields: Vec<&str> = told.split("; ").filter_map(|fault| fault.split('`').nth(1)).collect();
    assert_eq!(fields, ["address", "dial_timeout", "root_cert"], "{told}");
}

#[test]
fn what_is_missing_is_named_with_what_wants_it() {
    for nothing in ["{}", "null", r#"{"address":""}"#, r#"{"address":null}"#] {
        let told = refused(nothing);
        assert!(told.starts_with("`address` is missing: it must be host and port"), "{told}");
    }
    for (file, told) in [
        (
            r#"{"address":"a:1","tls_required":true}"#.to_owned(),
            "`root_cert` is missing, and `tls_required` is true: it must be the PEM certificate",
        ),
        (
            mutual(CERTIFICATE, "", CERTIFICATE),
            "`client_key` is missing, and `client_auth_required` is true: it must be the peer's pr",
        ),
        (
            mutual(CERTIFICATE, KEY, ""),
            "`client_cert` is missing, and `client_auth_required` is true: it must be the peer's c",
        ),
    ] {
        let refused = refused(&file);
        assert!(refused.starts_with(told), "{refused}");
    }
}

#[test]
fn what_a_peer_could_not_dial_by_is_named() {
    for (file, told) in [
        (r#"{"address":"asset"}"#, "`address` is \"asset\", which has no port: it must be host a"),
        (r#"{"address":"http://a:1"}"#, "`address` is \"http://a:1\", which is a URL: leave out"),
        (r#"{"address":"a:1","dial_timeout":"10"}"#, "`dial_timeout` is \"10\": it must be a nu"),
        (r#"{"address":"a:1","dial_timeout":"10 s"}"#, "`dial_timeout` is \"10 s\": it must be"),
        (r#"{"address":"a:1","dial_timeout":"-1s"}"#, "`dial_timeout` is \"-1s\": it must be a"),
        (r#"{"address":"{{.a"}"#, "`address` has `{{.a`, which no `}}` closes"),
        (r#"{"address":"{{if .a}}a:1{{end}}"}"#, "`address` has `{{if .a}}`: of Go's templates"),
        ("{", "it is not a JSON object: EOF"),
        ("[]", "it is not a JSON object: invalid type: sequence"),
        ("", "it is not a JSON object: EOF"),
        ("{} {}", "it is not a JSON object: trailing characters"),
    ] {
        let refused = refused(file);
        assert!(refused.starts_with(told), "{refused}");
    }
    let large = format!(r#"{{"address":"a:1","x":"{}"}}"#, "x".repeat(1 << 20));
    assert_eq!(refused(&large), "it is larger than 1048576 bytes");
}

#[test]
fn a_key_is_never_shown() {
    let secret = KEY.replace("c2VjcmV0", "c2VjcmV0!");
    for file in [
        mutual(&secret, KEY, CERTIFICATE),
        mutual(CERTIFICATE, &secret, CERTIFICATE),
        mutual(CERTIFICATE, KEY, &secret),
        mutual(CERTIFICATE, &secret.replace('\n', ""), CERTIFICATE),
        mutual(CERTIFICATE, "c2VjcmV0", CERTIFICATE),
    ] {
        let told = refused(&file);
        assert!(!told.contains("c2Vj"), "{told}");
    }
}
