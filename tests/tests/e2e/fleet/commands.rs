//! What sessions ask for at brokers that follow a centre.

use countersign_tests::people::{command, done, refused};
use countersign_tests::{Fixture, on_every_broker, wait_until};
use serde_json::json;

use super::follow;
use crate::dynsec::{ask, listening};

on_every_broker! {
    fn a_session_behind_a_replica_looks_there_and_is_sent_to_the_centre_to_act(version) {
        let centre = Fixture::start(version);
        let edge = Fixture::start_with(version, |builder| {
            builder.plugin_option("dynsec_tenant", "acme")
        });
        centre.tenant("acme", &[]);
        centre.role("all", "acme", &["acme/#"]);
        let rules = "$CONTROL/dynamic-security/#";
        let root = centre.operator("root", &["--publish", rules, "--subscribe", rules]);
        let things = ["boss", "plain"].map(|name| {
            let options = if name == "boss" { &["--org-admin"][..] } else { &[] };
            let token = centre.application(name, "acme", options);
            centre.thing(&format!("{name}2"), "acme", name, &token);
            centre.thing(&format!("{name}1"), "acme", name, &token)
        });
        let service = centre.serve();
        let address = service.address.to_string();
        let follower = follow(&centre.cli, &address, "edge", &edge.cli, &[]);
        wait_until("the snapshot is there", || {
            edge.cli.run(&["thing", "show", "plain1", "--tenant", "acme"]).code == Some(0)
        });

        let [mut boss, mut plain] = things.map(|thing| {
            thing.connect_v5(&thing.username).accepted(edge.port())
        });
        assert_eq!(done(&mut boss, "session.info", json!({}))["orgAdmin"], true);
        done(&mut boss, "thing.bind", json!({"key": "boss2"}));
        let named = format!("it is a replica of http://{address}; change it there");
        let acts = [
            ("session.jwt.create", json!({"role": "all", "whoami": "script", "ttl": 600})),
            ("thing.appid.reset", json!({"key": "boss1"})),
        ];
        for (act, params) in acts {
            let answer = command(&mut boss, act, params.clone());
            assert_eq!(answer["errorCodes"], json!([-91_009]), "{answer}");
            let why = answer["errorMessages"][0].as_str().unwrap();
            assert!(why.contains(&named), "{why}");
            // Who may not is not sent anywhere.
            assert_eq!(refused(&mut plain, act, params), -91_005);
        }
        assert_eq!(centre.cli.json(&["jwt", "list", "--tenant", "acme"]), json!([]));

        let mut root = listening(&root, "root", edge.port());
        let listed = ask(&mut root, &json!({"command": "listRoles"}));
        assert_eq!(listed["data"]["roles"], json!(["all"]), "{listed}");
        let denied = ask(&mut root, &json!({"command": "createRole", "rolename": "more"}));
        assert!(denied["error"].as_str().unwrap().contains(&named), "{denied}");
        drop((follower, service));
    }
}
