//! Messages: what is none, and how the commands of one run.

use serde_json::json;

use crate::fixture::Fixture;

#[test]
fn what_is_no_message_is_told_so() {
    let mut fixture = Fixture::new();
    let unknown = |why: &str| {
        json!({ "responses": [{ "command": "Unknown command", "error": why }] }).to_string()
    };
    let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    for payload in [
        "",
        "{",
        "nul",
        "\u{1}",
        &deep,
        "{\"a\":1,\"A\":2,\"commands\":[]}",
    ] {
        let answer = fixture.raw(payload.as_bytes());
        assert_eq!(answer, unknown("Payload not valid JSON"), "{payload:.20}");
    }
    let not_utf8 = b"{\"commands\":[{\"command\":\"\xff\"}]}";
    assert_eq!(fixture.raw(not_utf8), unknown("Payload not valid JSON"));
    for payload in ["[]", "{}", "7", r#"{"commands":{}}"#] {
        let answer = fixture.raw(payload.as_bytes());
        assert_eq!(answer, unknown("Invalid/missing commands"), "{payload}");
    }
    let many = format!(r#"{{"commands":[{}0]}}"#, "0,".repeat(256));
    let why = "a message has at most 256 commands here; send several messages";
    assert_eq!(fixture.raw(many.as_bytes()), unknown(why));
    let very_many = format!(r#"{{"commands":[{}0]}}"#, "0,".repeat(100_000));
    assert_eq!(
        fixture.raw(very_many.as_bytes()),
        unknown("Payload not valid JSON")
    );
    let long = format!(r#"{{"commands":["{}"]}}"#, "x".repeat(300_000));
    assert_eq!(
        fixture.raw(long.as_bytes()),
        unknown("the message is longer than 262144 bytes")
    );
}

#[test]
fn commands_run_one_by_one_and_what_is_no_command_ends_the_message() {
    let mut fixture = Fixture::new();
    let payload = br#"{"commands":[{"command":"CREATEROLE","rolename":"r","correlationData":"1"},
        {"command":"getrole","rolename":"none","correlationData":"2"},
        {"command":"nothing","correlationData":"3"},
        {"Command":"LISTROLES","other":[]},7,{"command":"deleteRole","rolename":"r"}]}"#;
    assert_eq!(
        fixture.raw(payload),
        concat!(
            r#"{"responses":[{"command":"CREATEROLE","correlationData":"1"},"#,
            r#"{"command":"getRole","error":"Role not found","correlationData":"2"},"#,
            r#"{"command":"nothing","error":"Unknown command","correlationData":"3"},"#,
            r#"{"command":"listRoles","data":{"totalCount":1,"roles":["r"]}},"#,
            r#"{"command":"Unknown command","error":"Command not an object"}]}"#
        )
    );
    for (commands, last) in [
        (
            json!([{}]),
            json!({ "command": "Unknown command", "error": "Missing command" }),
        ),
        (
            json!([{ "command": "listRoles", "correlationData": 7 }, { "command": "listRoles" }]),
            json!({ "command": "listRoles", "error": "Invalid correlationData data type." }),
        ),
    ] {
        assert_eq!(fixture.all(&commands), [last]);
    }
}
