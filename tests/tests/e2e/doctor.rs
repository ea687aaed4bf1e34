//! What `doctor` says of a configuration, and what the broker makes of it:
//! each case is given to both, and they must agree.

use std::fs;

use countersign_testkit::{Broker, Cli, Connect, Version, artifacts};
use countersign_tests::{REFUSED, on_every_broker};

/// A configuration, what `doctor` finds in it and what a broker does with it.
struct Case {
    name: &'static str,
    brokers: &'static [Version],
    /// With `PORT1`, `PORT2`, `PLUGIN`, `STORE` and `FOLDER` filled in.
    text: &'static str,
    /// The check that finds something, and at which level.
    finds: Option<(&'static str, Level)>,
    broker: Outcome,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Level {
    Warn,
    Fail,
}

/// What becomes of a broker, and of who comes to its second port.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Outcome {
    /// It does not start.
    Down,
    /// It starts and refuses a wrong login.
    Guarded,
    /// It starts and lets a wrong login in.
    Open,
    /// It starts, refuses a wrong login and lets a client without one in.
    OpenToAnonymous,
    /// It starts and refuses users of the password file.
    RefusesUsers,
    /// It starts and lets users of the password file in.
    TakesUsers,
    /// It starts and refuses everybody, the right login too.
    LockedOut,
}

const ALL: &[Version] = &Version::ALL;
const V2_0: &[Version] = &[Version::V2_0_11, Version::V2_0_21];
const V2_0_21: &[Version] = &[Version::V2_0_21];
const V2_1: &[Version] = &[Version::V2_1];

const CASES: &[Case] = &[
    Case {
        name: "one plugin line guards two listeners",
        brokers: ALL,
        text: "listener PORT1 127.0.0.1\nPLUGIN_LINES\nlistener PORT2 127.0.0.1",
        finds: None,
        broker: Outcome::Guarded,
    },
    Case {
        name: "plugin_use on one of two listeners",
        brokers: V2_1,
        text: "plugin_load cs PLUGIN\nplugin_opt_store STORE\nlistener PORT1 127.0.0.1\n\
               plugin_use cs\nlistener PORT2 127.0.0.1\nallow_anonymous true",
        finds: Some(("listeners", Level::Fail)),
        broker: Outcome::Open,
    },
    Case {
        name: "plugin_use on both listeners",
        brokers: V2_1,
        text: "plugin_load cs PLUGIN\nplugin_opt_store STORE\nlistener PORT1 127.0.0.1\n\
               plugin_use cs\nlistener PORT2 127.0.0.1\nplugin_use cs\nallow_anonymous true",
        finds: None,
        broker: Outcome::Guarded,
    },
    Case {
        name: "plugin_load without plugin_use",
        brokers: V2_1,
        text: "plugin_load cs PLUGIN\nplugin_opt_store STORE\nlistener PORT1 127.0.0.1\n\
               listener PORT2 127.0.0.1\nallow_anonymous true",
        finds: Some(("listeners", Level::Fail)),
        broker: Outcome::Down,
    },
    Case {
        name: "global_plugin with per_listener_settings",
        brokers: V2_1,
        text: "per_listener_settings true\nglobal_plugin PLUGIN\nplugin_opt_store STORE\n\
               listener PORT1 127.0.0.1\nallow_anonymous true\nlistener PORT2 127.0.0.1\n\
               allow_anonymous true",
        finds: None,
        broker: Outcome::Guarded,
    },
    Case {
        name: "per_listener_settings and a plugin below one of two listeners",
        brokers: V2_0_21,
        text: "per_listener_settings true\nlistener PORT1 127.0.0.1\nPLUGIN_LINES\n\
               listener PORT2 127.0.0.1\nallow_anonymous true",
        finds: Some(("listeners", Level::Fail)),
        broker: Outcome::Open,
    },
    Case {
        name: "per_listener_settings behind the plugin",
        brokers: ALL,
        text: "listener PORT1 127.0.0.1\nPLUGIN_LINES\nper_listener_settings true",
        finds: Some(("config", Level::Fail)),
        broker: Outcome::Down,
    },
    Case {
        name: "the plugin loaded twice",
        brokers: ALL,
        text: "listener PORT1 127.0.0.1\nPLUGIN_LINES\nPLUGIN_LINES",
        finds: Some(("loaded-once", Level::Fail)),
        broker: Outcome::Down,
    },
    Case {
        name: "a space behind the store",
        brokers: ALL,
        text: "listener PORT1 127.0.0.1\nplugin PLUGIN\nplugin_opt_store STORE ",
        finds: Some(("plugin-options", Level::Fail)),
        broker: Outcome::Down,
    },
    Case {
        name: "a space behind a word",
        brokers: ALL,
        text: "listener PORT1 127.0.0.1\nPLUGIN_LINES\nplugin_opt_chain final ",
        finds: Some(("plugin-options", Level::Fail)),
        broker: Outcome::Down,
    },
    Case {
        name: "a space behind the plugin",
        brokers: V2_1,
        text: "listener PORT1 127.0.0.1\nplugin PLUGIN \nplugin_opt_store STORE",
        finds: Some(("plugin-file", Level::Fail)),
        broker: Outcome::Down,
    },
    Case {
        name: "a space behind the folder that is included",
        brokers: ALL,
        text: "listener PORT1 127.0.0.1\nPLUGIN_LINES\ninclude_dir FOLDER/conf.d ",
        finds: Some(("config", Level::Fail)),
        broker: Outcome::Down,
    },
    Case {
        name: "an option in another file than its plugin",
        brokers: ALL,
        text: "listener PORT1 127.0.0.1\nPLUGIN_LINES\ninclude_dir FOLDER/conf.d",
        finds: Some(("config", Level::Fail)),
        broker: Outcome::Down,
    },
    Case {
        name: "a comment that does not begin its line",
        brokers: ALL,
        text: "listener PORT1 127.0.0.1\nPLUGIN_LINES\n  # nothing",
        finds: Some(("config", Level::Fail)),
        broker: Outcome::Down,
    },
    Case {
        name: "a tab behind a word",
        brokers: ALL,
        text: "listener\tPORT1\nPLUGIN_LINES",
        finds: Some(("config", Level::Fail)),
        broker: Outcome::Down,
    },
    Case {
        name: "two listeners on one port",
        brokers: ALL,
        text: "listener PORT1 127.0.0.1\nPLUGIN_LINES\nlistener PORT1 127.0.0.1",
        finds: Some(("ports", Level::Fail)),
        broker: Outcome::Down,
    },
    Case {
        name: "two listeners on one port, one of them on all addresses",
        brokers: ALL,
        text: "listener PORT1\nPLUGIN_LINES\nlistener PORT1 127.0.0.1",
        finds: Some(("ports", Level::Fail)),
        broker: Outcome::Down,
    },
    Case {
        name: "a password file that is not there",
        brokers: ALL,
        text: "listener PORT1 127.0.0.1\nPLUGIN_LINES\npassword_file FOLDER/none",
        finds: Some(("files", Level::Fail)),
        broker: Outcome::Down,
    },
    Case {
        name: "two password files",
        brokers: V2_0,
        text: "listener PORT1 127.0.0.1\nPLUGIN_LINES\npassword_file FOLDER/passwords\n\
               password_file FOLDER/passwords",
        finds: Some(("config", Level::Fail)),
        broker: Outcome::Down,
    },
    Case {
        name: "a password file beside chain final",
        brokers: ALL,
        text: "listener PORT1 127.0.0.1\nPLUGIN_LINES\nlistener PORT2 127.0.0.1\n\
               password_file FOLDER/passwords",
        finds: Some(("password-file", Level::Warn)),
        broker: Outcome::RefusesUsers,
    },
    Case {
        name: "a password file beside chain defer",
        brokers: ALL,
        text: "listener PORT1 127.0.0.1\nPLUGIN_LINES\nplugin_opt_chain defer\n\
               listener PORT2 127.0.0.1\npassword_file FOLDER/passwords",
        finds: Some(("password-file", Level::Warn)),
        broker: Outcome::TakesUsers,
    },
    Case {
        name: "a password file and an ACL file beside chain defer",
        brokers: ALL,
        text: "listener PORT1 127.0.0.1\nPLUGIN_LINES\nplugin_opt_chain defer\n\
               listener PORT2 127.0.0.1\npassword_file FOLDER/passwords\nacl_file FOLDER/acl",
        finds: None,
        broker: Outcome::TakesUsers,
    },
    Case {
        name: "an ACL file beside chain final",
        brokers: ALL,
        text: "listener PORT1 127.0.0.1\nPLUGIN_LINES\nlistener PORT2 127.0.0.1\n\
               acl_file FOLDER/acl",
        finds: Some(("acl-file", Level::Warn)),
        broker: Outcome::Guarded,
    },
    Case {
        name: "chain defer where anonymous clients are allowed",
        brokers: ALL,
        text: "allow_anonymous true\nlistener PORT1 127.0.0.1\nPLUGIN_LINES\n\
               plugin_opt_chain defer\nlistener PORT2 127.0.0.1",
        finds: Some(("chain", Level::Fail)),
        broker: Outcome::OpenToAnonymous,
    },
    Case {
        name: "a password file of users that have a credential",
        brokers: ALL,
        text: "listener PORT1 127.0.0.1\nPLUGIN_LINES\n\
               listener PORT2 127.0.0.1\npassword_file FOLDER/known",
        finds: None,
        broker: Outcome::Guarded,
    },
    Case {
        name: "an acl_file that the broker does not load",
        brokers: ALL,
        text: "listener PORT1 127.0.0.1\nPLUGIN_LINES\nplugin_opt_chain defer\n\
               acl_file FOLDER/broken-acl",
        finds: Some(("files", Level::Fail)),
        broker: Outcome::Down,
    },
    Case {
        name: "a password file with a user twice",
        brokers: V2_1,
        text: "global_plugin PLUGIN\nplugin_opt_store STORE\nlistener PORT1 127.0.0.1\n\
               password_file FOLDER/twice",
        finds: Some(("files", Level::Fail)),
        broker: Outcome::Down,
    },
    Case {
        name: "a password file with a hash that is none of Mosquitto's",
        brokers: V2_1,
        text: "global_plugin PLUGIN\nplugin_opt_store STORE\nlistener PORT1 127.0.0.1\n\
               password_file FOLDER/bcrypt",
        finds: Some(("files", Level::Fail)),
        broker: Outcome::Down,
    },
    Case {
        name: "a default tenant that does not exist",
        brokers: ALL,
        text: "listener PORT1 127.0.0.1\nPLUGIN_LINES\nplugin_opt_default_tenant acne\n\
               listener PORT2 127.0.0.1",
        finds: Some(("tenants", Level::Fail)),
        broker: Outcome::Guarded,
    },
    Case {
        name: "a listener's tenant that does not exist",
        brokers: V2_1,
        text: "listener PORT1 127.0.0.1\nPLUGIN_LINES\nplugin_opt_listener_PORT2 acne\n\
               listener PORT2 127.0.0.1",
        finds: Some(("tenants", Level::Fail)),
        broker: Outcome::LockedOut,
    },
    Case {
        name: "an HTTP listener beside",
        brokers: V2_1,
        text: "listener PORT1 127.0.0.1\nPLUGIN_LINES\nprotocol http_api\n\
               listener PORT2 127.0.0.1",
        finds: Some(("http-api", Level::Warn)),
        broker: Outcome::Guarded,
    },
    Case {
        name: "an option that does not exist",
        brokers: ALL,
        text: "listener PORT1 127.0.0.1\nPLUGIN_LINES\nplugin_opt_colour red",
        finds: Some(("plugin-options", Level::Fail)),
        broker: Outcome::Down,
    },
    Case {
        name: "a listener property that is none",
        brokers: ALL,
        text: "listener PORT1 127.0.0.1\nPLUGIN_LINES\nallow_anonymous yes",
        finds: Some(("config", Level::Fail)),
        broker: Outcome::Down,
    },
];

impl Case {
    fn try_on(&self, version: Version) -> Result<(), String> {
        let folder = tempfile::tempdir().unwrap();
        let cli = Cli::new(folder.path().join("store.db"));
        cli.json(&["init"]);
        cli.json(&["tenant", "create", "acme"]);
        let made = cli.json(&["credential", "create", "dev1", "--tenant", "acme"]);
        let builder = Broker::builder(version).listener();
        let (first, second) = (builder.port(), builder.port_of(1));
        fs::create_dir(folder.path().join("conf.d")).unwrap();
        fs::write(
            folder.path().join("conf.d/more.conf"),
            "plugin_opt_chain final\n",
        )
        .unwrap();
        let write = |name: &str, text: &str| fs::write(folder.path().join(name), text).unwrap();
        write("acl", "user bob\ntopic bob/#\n");
        write("broken-acl", "user bob\ntopics bob/#\n");
        // `mosquitto_passwd` made it of `secret`.
        write("passwords", BOB);
        write("known", &BOB.replace("bob", "dev1@acme"));
        write("twice", &[BOB, BOB].concat());
        write(
            "bcrypt",
            "bob:$2b$04$yqWUBx7YURUDfruAjr7kzuignOPQ3ea7eQqsdNiz.7RvgQUCyKwbC\n",
        );
        let text = format!("persistent_client_expiration 30d\n{}\n", self.text)
            .replace("PLUGIN_LINES", "plugin PLUGIN\nplugin_opt_store STORE")
            .replace("PLUGIN", artifacts::plugin().unwrap().to_str().unwrap())
            .replace("STORE", cli.store().to_str().unwrap())
            .replace("FOLDER", folder.path().to_str().unwrap())
            .replace("PORT1", &first.to_string())
            .replace("PORT2", &second.to_string());
        let builder = builder.whole(text);
        let config = folder.path().join("mosquitto.conf");
        fs::write(&config, builder.config()).unwrap();

        let run = cli.run(&["doctor", "--json", "--config", config.to_str().unwrap()]);
        let findings: serde_json::Value = serde_json::from_str(&run.stdout).unwrap();
        let found: Vec<_> = findings
            .as_array()
            .unwrap()
            .iter()
            // What is installed here is not always what is tried.
            .filter(|finding| finding["level"] != "ok" && finding["check"] != "version")
            .map(|finding| {
                (
                    finding["check"].as_str().unwrap(),
                    finding["level"] == "fail",
                )
            })
            .collect();
        let fails = found.iter().any(|(_, fails)| *fails);
        let expected = self
            .finds
            .map(|(check, level)| (check, level == Level::Fail));
        let agrees = match expected {
            Some(expected) => found.contains(&expected) && fails == expected.1,
            None => found.is_empty(),
        };
        if !agrees || run.code != Some(i32::from(fails)) {
            return Err(format!("doctor says {:?}\n{findings}", found));
        }

        if self.broker == Outcome::Down {
            return match builder.start_expecting_failure() {
                Ok(_) => Ok(()),
                Err(error) => Err(error.to_string()),
            };
        }
        let broker = builder.start().map_err(|error| format!("{error:#}"))?;
        let port = broker.port_of(1);
        let code = |name: &str, secret: &str| Connect::v311("c").login(name, secret).code(port);
        let wrong = code("mallory", "wrong");
        let right = code("dev1@acme", made["secret"].as_str().unwrap());
        let bob = code("bob", "secret");
        let anonymous = Connect::v311("c").code(port);
        let seen = (
            wrong == REFUSED,
            right == REFUSED,
            bob == REFUSED,
            anonymous == REFUSED,
        );
        let expected = match self.broker {
            Outcome::Guarded | Outcome::RefusesUsers => (true, false, true, true),
            Outcome::Open => (false, false, false, false),
            Outcome::OpenToAnonymous => (true, false, true, false),
            Outcome::TakesUsers => (true, false, false, true),
            Outcome::LockedOut => (true, true, true, true),
            Outcome::Down => unreachable!("it returned above"),
        };
        if seen == expected {
            return Ok(());
        }
        Err(format!(
            "refused (wrong, right, bob, anonymous): {seen:?}\n{}",
            broker.log()
        ))
    }
}

on_every_broker! {
    fn doctor_and_broker_agree_about_each_configuration(version) {
        let mut wrong = Vec::new();
        for case in CASES.iter().filter(|case| case.brokers.contains(&version)) {
            if let Err(why) = case.try_on(version) {
                wrong.push(format!("{}: {why}", case.name));
            }
        }
        assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
    }
}

/// The user `bob` of password `secret`.
const BOB: &str = "bob:$7$101$FeSsNEAo/jkwsjzL$oyQRnQG6v6QPpu2yVCDx8KhgamuKvakjrzvKLymKMxUoy59XSsP7Vp+gKqpodFHyIJk5Cadus3S2HI/QdnW+1g==\n";
