//! The service's OpenAPI document, as programs of others read it.

use std::env;
use std::time::Duration;

use countersign_testkit::tools::{Output, Tool};
use countersign_testkit::{Version, artifacts};
use countersign_tests::service::Service;
use countersign_tests::{Fixture, Login, PATIENCE, is_kicked};

/// The address of a service, as clients of HTTP take it.
fn address(service: &Service) -> String {
    format!("http://{}", service.address)
}

/// How often the service answered with a status.
fn answered(service: &Service, token: &str, status: u16) -> u64 {
    let told = service.text("/metrics", token);
    let label = format!(r#"status="{status}"}} "#);
    let rows = told
        .lines()
        .filter(|line| line.starts_with("countersign_http_requests_total"));
    let counts = rows.filter_map(|row| row.split_once(&label)?.1.parse::<u64>().ok());
    counts.sum()
}

/// Answers may be no other than those that the document names, and none says that the
/// service failed. Requests are drawn from a seed.
#[test]
fn what_the_document_allows_is_answered_as_the_document_says() {
    let fixture = Fixture::start(Version::V2_1);
    fixture.tenant("acme", &[]);
    let login = fixture.credential("dev1", "acme");
    let mut client = login.connect("dev1").accepted(fixture.port());
    let service = fixture.serve();
    let token = fixture.api_token("platform");
    let said = |name: &str, usual: &str| env::var(name).unwrap_or_else(|_| usual.into());
    let seconds = said("COUNTERSIGN_SCHEMATHESIS_SECONDS", "40");
    let examples = said("COUNTERSIGN_SCHEMATHESIS_EXAMPLES", "5");
    let seed = said("COUNTERSIGN_SCHEMATHESIS_SEED", "1");
    let folder = tempfile::tempdir().unwrap();
    let tool = Tool::new(artifacts::python("schemathesis").unwrap()).current_dir(folder.path());
    let tool = tool.args(["run", "--no-color", "--warnings", "off", "--workers", "1"]);
    let tool = tool.args([
        "--max-time",
        &seconds,
        "--max-examples",
        &examples,
        "--seed",
        &seed,
    ]);
    let tool = tool.args([
        "--phases",
        "coverage,fuzzing",
        "--no-shrink",
        "--continue-on-failure",
    ]);
    let tool = tool.args([
        "--generation-database",
        "none",
        "--suppress-health-check",
        "all",
    ]);
    // Events go on without end, and the token is needed to the end.
    let tool = tool.args(["--exclude-path", "/api/v1/events"]);
    let tool = tool.args(["--exclude-operation-id", "delete_tokens_by_id"]);
    let checks = [
        "not_a_server_error",
        "status_code_conformance",
        "content_type_conformance",
        "response_schema_conformance",
        "negative_data_rejection",
        "ignored_auth",
    ];
    let tool = tool.args(["--checks", &checks.join(",")]);
    let tool = tool.args(["--header", &format!("Authorization: Bearer {token}")]);
    let tool = tool.args([format!("{}/openapi.json", address(&service))]);
    let longest = Duration::from_secs(seconds.parse::<u64>().unwrap()) + PATIENCE * 6;
    let Output {
        code,
        stdout,
        stderr,
    } = tool.run(longest).unwrap();
    assert_eq!(code, Some(0), "{stdout}{stderr}");
    // It came further than the door, however few requests a busy machine makes in that
    // time, and the service is well.
    let [well, failed] = [200, 500].map(|status| answered(&service, &token, status));
    assert!(well > 0 && failed == 0, "{well} were done, {failed} failed");
    assert_eq!(service.ask("GET", "/readyz", None, None).0, 200);
    assert!(fixture.cli.run(&["audit", "verify"]).code == Some(0));
    let _ = client.ping(PATIENCE);
}

#[test]
fn a_client_that_is_generated_from_the_document_administers_devices() {
    let fixture = Fixture::start(Version::V2_1);
    let service = fixture.serve();
    let token = fixture.api_token("platform");
    let folder = tempfile::tempdir().unwrap();
    let written = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path
    };
    let document = written("openapi.json", &service.text("/openapi.json", &token));
    // It would run tools that are not there on what it wrote.
    let config = written("config.yml", "post_hooks: []\n");
    let generate = Tool::new(artifacts::python("openapi-python-client").unwrap());
    let generate = generate.args(["generate", "--meta", "none", "--fail-on-warning", "--path"]);
    let generate = generate
        .args([&document])
        .args(["--config"])
        .args([&config]);
    let client = folder.path().join("countersign_client");
    let generated = generate
        .args(["--output-path"])
        .args([&client])
        .run(PATIENCE)
        .unwrap();
    assert_eq!(generated.code, Some(0), "{generated:?}");
    let tell = |half: &str| {
        let script = artifacts::workspace().join("tests/python/story.py");
        let python = Tool::new(artifacts::python("python").unwrap()).args([&script]);
        let python = python.args([&address(&service), &token, half]);
        let told = python
            .env("PYTHONPATH", folder.path())
            .run(PATIENCE)
            .unwrap();
        assert_eq!(told.code, Some(0), "{told:?}");
        told.stdout.trim().to_owned()
    };
    let begun = tell("begin");
    let (username, secret) = begun.split_once(' ').unwrap();
    let login = Login {
        username: username.into(),
        secret: secret.into(),
    };
    let mut device = login.connect("dev6").accepted(fixture.port());
    assert_eq!(tell("end"), "the end");
    assert!(
        is_kicked(&mut device),
        "suspended by a generated client, and still there"
    );
}
