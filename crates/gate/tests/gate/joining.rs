//! Which tenant a client without a login joins, at a gate and by `check`.

use countersign::core::client_id::ClientId;
use countersign::core::name::TenantId;
use countersign::core::options::Options;
use countersign::core::tenant::{Authentication, SubscribeMode};
use countersign::core::time::Timestamp;
use countersign::core::topic::TopicFilter;
use countersign::sqlite::SqliteStore;
use countersign::{ClientRef, ConnectInfo, Gate, GateConfig, Handle};
use countersign_admin::check::{Listeners, PolicyCheck, TopicCheck, Usage};
use countersign_admin::tenant::{CreateTenant, NewTenant};
use countersign_admin::{Caller, Context, OsRandom};
use proptest::prelude::*;
use proptest::sample::select;

use crate::by_hand::{ByHand, folder, new_store, settings};

const NOW: Timestamp = Timestamp::from_millis(1_700_000_000_000);

/// A gate and the store behind it.
struct Fixture {
    gate: Gate<SqliteStore>,
    admin: SqliteStore,
    _folder: tempfile::TempDir,
}

impl Fixture {
    fn new(tenants: impl IntoIterator<Item = NewTenant>) -> Self {
        let folder = folder();
        let path = folder.path().join("countersign.db");
        let mut admin = new_store(&path, &settings());
        for new in tenants {
            let mut context = Context {
                now: NOW,
                caller: Caller::owner("cli:test"),
                random: &mut OsRandom,
            };
            countersign_admin::run(&mut admin, &mut context, &CreateTenant(new)).unwrap();
        }
        let options = Options::parse([("store", path.to_str().unwrap())]).unwrap();
        let mut config = GateConfig::new(options, "site", || NOW, || ());
        let _background = ByHand::of(&mut config);
        let gate = Gate::open(SqliteStore::open(&path).unwrap(), config).unwrap();
        Self {
            gate,
            admin,
            _folder: folder,
        }
    }

    /// What the gate says to a new client, asked once.
    fn gate_says(&mut self, handle: usize, client_id: &str, usage: Usage<'_>) -> String {
        let info = ConnectInfo::new(Handle(handle), client_id.as_bytes());
        let _outcome = self.gate.connect(&info);
        self.ask(handle, client_id, usage)
    }

    fn ask(&mut self, handle: usize, client_id: &str, usage: Usage<'_>) -> String {
        let client = ClientRef {
            handle: Handle(handle),
            client_id: Some(client_id.as_bytes()),
            connected: true,
            ..ClientRef::default()
        };
        format!("{:?}", self.gate.check(&client, usage.as_topic_use()))
    }

    /// What `check` says.
    fn check_says(&mut self, client_id: &str, usage: Usage<'_>) -> String {
        let mut policy_check =
            PolicyCheck::new(&mut self.admin, NOW, Listeners::default()).unwrap();
        let ask = TopicCheck {
            username: None,
            client_id: Some(client_id),
            password: None,
            listener: None,
            usage,
        };
        format!("{:?}", policy_check.topic(&ask).unwrap().verdict)
    }
}

fn new_tenant(id: &str, authentication: Authentication, subscribe: SubscribeMode) -> NewTenant {
    NewTenant {
        authentication,
        subscribe,
        ..NewTenant::new(TenantId::parse(id).unwrap())
    }
}

fn publish(topic: &str) -> Usage<'_> {
    Usage::Publish {
        topic,
        qos: 0,
        retain: false,
    }
}

#[test]
fn a_filter_that_reaches_several_open_tenants_joins_none_of_them() {
    let open = |id| new_tenant(id, Authentication::Off, SubscribeMode::Filtered);
    for filter in ["#", "+/x"] {
        let mut fixture = Fixture::new(["acme", "globex"].map(open));
        let usage = Usage::Subscribe { filter };
        assert_eq!(fixture.gate_says(1, "c", usage), "Deny(NoRule)", "{filter}");
        // It still may join either of them.
        assert_eq!(fixture.ask(1, "c", publish("globex/x")), "Allow");
        assert_eq!(fixture.ask(1, "c", usage), "Allow");
        assert_eq!(fixture.ask(1, "c", publish("acme/x")), "Deny(OtherTenant)");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(25))]

    #[test]
    fn the_gate_and_check_agree_about_clients_without_a_login(
        modes in prop::collection::vec(
            (0..3usize, any::<bool>(), any::<bool>(), select(vec!["#", "+/x", "a/#", "+"])),
            1..4,
        ),
        uses in prop::collection::vec(
            (
                0..3u8,
                select(vec![
                    "#", "+/x", "t0/#", "t1/#", "t1/+/x", "t2/a/#", "t0", "t1/a", "t2/a/x", "t0/x",
                    "$share/g/t1/#", "$share/g/#", "$SYS/x", "nobody/x", "t1/+", "", "t0/\0",
                ]),
                0..4u8,
                any::<bool>(),
                select(vec!["c", "t1-c", "t2-"]),
            ),
            1..12,
        ),
    ) {
        let tenants = modes.iter().enumerate().map(|(index, (mode, filtered, prefix, owned))| {
            let id = format!("t{index}");
            let subscribe = if *filtered { SubscribeMode::Filtered } else { SubscribeMode::Strict };
            NewTenant {
                namespaces: vec![TopicFilter::parse(&format!("{id}/{owned}")).unwrap()],
                client_id_prefix: prefix.then(|| ClientId::parse(&format!("{id}-")).unwrap()),
                ..new_tenant(&id, Authentication::ALL[*mode], subscribe)
            }
        });
        let mut fixture = Fixture::new(tenants.collect::<Vec<_>>());
        for (handle, (kind, topic, qos, retain, client_id)) in (1..).zip(&uses) {
            let usage = match kind {
                0 => Usage::Deliver { topic },
                1 => Usage::Publish { topic, qos: *qos, retain: *retain },
                _ => Usage::Subscribe { filter: topic },
            };
            let client_id = &format!("{client_id}{handle}");
            let by_gate = fixture.gate_says(handle, client_id, usage);
            let by_check = fixture.check_says(client_id, usage);
            // What a broker refuses or closes by itself, it asks no gate about.
            if by_check.contains("Malformed") || (*kind == 1 && topic.starts_with('$')) {
                prop_assert!(by_check.contains("Deny"), "{:?} as {}", usage, client_id);
                continue;
            }
            // A client that is not let in at all is told so by `check`.
            let is_kept_out = by_check.contains("Unauthenticated") || by_check.contains("ClientId");
            let by_check = if is_kept_out { "Deny(Unauthenticated)".into() } else { by_check };
            prop_assert_eq!(by_gate, by_check, "{:?} as {}", usage, client_id);
        }
    }
}
