//! Who is let in, and what of the launcher is then his.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use selvedge_client::Connection;
use selvedge_proto::launcher::launcher_client::LauncherClient;
use selvedge_proto::launcher::launcher_server::LauncherServer;
use selvedge_proto::launcher::{
    BuildLogRequest, BuildRequest, BuildsRequest, ChaincodeSource, ExamineRequest, LogsRequest,
    RunEvent, RunRequest, RunStart, StatusRequest, StatusResponse, build_request, run_request,
};
use tokio_stream::StreamExt;
use tonic::{Code, Request, Streaming};

use super::scene::{Scene, file, status};
use crate::api::Way;

/// Calls as a peer's `run` does, and waits until the launcher has taken it up.
async fn run(client: &mut LauncherClient<Connection>, msp_id: &str) -> Streaming<RunEvent> {
    let start = RunStart {
        package_id: "basic_1.0:01".into(),
        peer_address: "127.0.0.1:7052".into(),
        msp_id: msp_id.into(),
        source: Some(ChaincodeSource { r#type: "golang".into(), ..ChaincodeSource::default() }),
        ..RunStart::default()
    };
    let start = RunRequest { content: Some(run_request::Content::Start(start)) };
    let requests = tokio_stream::once(start).chain(tokio_stream::pending());
    client.run(requests).await.unwrap().into_inner()
}

fn packages(status: &StatusResponse) -> Vec<(&str, &str)> {
    status.chaincodes.iter().map(|it| (&*it.peer, &*it.package_id)).collect()
}

#[tokio::test]
async fn a_peer_is_let_in_and_known_by_its_certificate() {
    let scene = Scene::new().await;
    let credentials = scene.issue("peer0");
    let mut client = scene.client(&credentials).await;
    assert_eq!(status(&mut client).await.launcher.unwrap().peer, "peer0");
    let examined = client.examine(ExamineRequest {}).await.unwrap().into_inner();
    let said: Vec<_> = examined.findings.into_iter().map(|found| found.said).collect();
    assert_eq!(said, ["the launcher knows this peer as peer0"]);
    let key = fs::metadata(credentials.join("tls.key")).unwrap();
    assert_eq!(key.permissions().mode() & 0o777, 0o600);
}

#[tokio::test]
async fn each_peer_has_to_do_with_its_own_chaincode_alone() {
    let scene = Scene::new().await;
    let mut one = scene.client(&scene.issue("peer0")).await;
    let mut other = scene.client(&scene.issue("peer1")).await;
    let mut mine = run(&mut one, "Org1MSP").await;
    mine.message().await.unwrap();
    let (basic, label) = ("basic_1.0:01", "basic_1.0");
    assert_eq!(packages(&status(&mut one).await), [("peer0", basic)]);
    assert_eq!(packages(&status(&mut other).await), []);
    let lines = |peer: &str| LogsRequest {
        chaincode: label.into(),
        peer: peer.into(),
        ..LogsRequest::default()
    };
    // Whatever it says of itself.
    let refused = other.logs(lines("peer0")).await.unwrap_err();
    assert!(refused.message().starts_with("no chaincode basic_1.0 was run"), "{refused}");

    // The same package for the same address: it ends nothing of another's.
    let mut its = run(&mut other, "Org1MSP").await;
    its.message().await.unwrap();
    assert_eq!(packages(&status(&mut other).await), [("peer1", basic)]);
    assert_eq!(packages(&status(&mut one).await), [("peer0", basic)]);
    for (client, peer) in [(&mut one, "peer1"), (&mut other, "peer0")] {
        let mut told = client.logs(lines(peer)).await.unwrap().into_inner();
        let told = told.message().await.unwrap().unwrap();
        assert_eq!(told.lines.len(), 1, "{told:?}");
    }

    // A build likewise.
    let start = ChaincodeSource { r#type: "golang".into(), ..ChaincodeSource::default() };
    let start = BuildRequest { content: Some(build_request::Content::Start(start)) };
    let requests = tokio_stream::once(start).chain(tokio_stream::pending());
    let mut build = one.build(requests).await.unwrap().into_inner();
    build.message().await.unwrap();
    let [known] = &one.builds(BuildsRequest {}).await.unwrap().into_inner().builds[..] else {
        panic!("one was called for")
    };
    assert_eq!(known.peer, "peer0");
    assert!(other.builds(BuildsRequest {}).await.unwrap().into_inner().builds.is_empty());
    let request = BuildLogRequest { id: known.id, follow: false };
    assert!(one.build_log(request).await.is_ok());
    assert_eq!(other.build_log(request).await.unwrap_err().code(), Code::NotFound);

    // Who is beside the launcher sees to all of it.
    let mut beside = LauncherClient::new(LauncherServer::new(scene.api.by(Way::Beside)));
    let all = beside.status(StatusRequest {}).await.unwrap().into_inner();
    assert_eq!(packages(&all), [("peer0", basic), ("peer1", basic)]);
    let refused = beside.logs(lines("")).await.unwrap_err();
    assert!(refused.message().ends_with("by --peer: peer0, peer1"), "{refused}");
    beside.logs(lines("peer1")).await.unwrap();
}

#[tokio::test]
async fn chaincode_of_another_organisation_is_not_run() {
    let scene = Scene::new().await;
    let mut client = scene.client(&scene.issue("peer0")).await;
    let refused = run(&mut client, "Org2MSP").await.message().await.unwrap_err();
    assert_eq!(refused.code(), Code::PermissionDenied);
    let expected = "the launcher is for peers of Org1MSP (apart.mspId), and peer0 has chaincode run for \
                    \"Org2MSP\"";
    assert_eq!(refused.message(), expected);
    assert!(status(&mut client).await.chaincodes.is_empty());
}

#[tokio::test]
async fn who_is_not_in_the_list_is_refused_by_name_from_the_next_call_on() {
    let scene = Scene::new().await;
    let third = scene.issue("peer2");
    let address = scene.address(&third);
    let refused = scene.client(&third).await.status(StatusRequest {}).await.unwrap_err();
    assert_eq!(refused.code(), Code::PermissionDenied);
    let told = address.fault(&refused).to_string();
    assert!(
        told.starts_with("the launcher is not for peer2, as this peer's certificate"),
        "{told}"
    );
    assert!(told.contains("add it to apart.peers"), "{told}");

    let mut client = scene.client(&scene.issue("peer1")).await;
    status(&mut client).await;
    let mut configuration = scene.configuration.clone();
    fs::write(scene.path("selvedge.yaml"), file("[peer0, peer2]")).unwrap();
    configuration.changed().await;
    let refused = client.status(StatusRequest {}).await.unwrap_err();
    assert_eq!(refused.code(), Code::PermissionDenied);
    status(&mut scene.client(&third).await).await;
}

#[tokio::test]
async fn a_call_that_came_through_the_door_and_is_nobodys_is_refused() {
    let scene = Scene::new().await;
    let mut client = LauncherClient::new(LauncherServer::new(scene.api.by(Way::Apart)));
    let refused = client.status(Request::new(StatusRequest {})).await.unwrap_err();
    assert_eq!(refused.code(), Code::Unauthenticated);
}
