//! Logins whose password must be hashed: held, in time, and out of it.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use countersign::core::client_id::{ClientId, ClientIdRule};
use countersign::core::name::{LoginName, TenantId};
use countersign::core::options::Options;
use countersign::core::reason::Reason;
use countersign::core::secret::Argon2Params;
use countersign::core::store::{AdminStore as _, Intent, Settings};
use countersign::core::tenant::{Authentication, DefaultRights, SubscribeMode};
use countersign::core::time::Timestamp;
use countersign::sqlite::SqliteStore;
use countersign::{
    ClientRef, Completion, CompletionStatus, ConnectInfo, ConnectOutcome, Directive, Gate,
    GateConfig, Handle, RefusalCode, Ticket, TopicUse, Verdict,
};
use countersign_admin::clients::ListClients;
use countersign_admin::credential::{
    CreateCredential, CredentialChanges, DeleteCredential, NewCredential, ResetPassword,
    RevokeCredential, SetCredential, SuspendCredential,
};
use countersign_admin::password::ChosenPassword;
use countersign_admin::secret::NewSecret;
use countersign_admin::settings::{SetSettings, SettingsChanges};
use countersign_admin::tenant::{CreateTenant, NewTenant};
use countersign_admin::text::FreeText;
use countersign_admin::{AdminError, Caller, Command, Context, OsRandom};

use crate::by_hand::{ByHand, folder};

const QUICK: &str = "m=8,t=1,p=1";
const DEV1: &str = "dev1@acme";

/// A gate, the store behind it, and the host's clock.
struct Fixture {
    gate: Gate<SqliteStore>,
    admin: SqliteStore,
    background: Arc<ByHand>,
    clock: Arc<AtomicI64>,
    _folder: tempfile::TempDir,
}

/// A CONNECT.
#[derive(Clone, Copy)]
struct Try<'a> {
    handle: usize,
    client_id: &'a str,
    name: &'a str,
    password: &'a str,
    address: &'a str,
    may_wait: bool,
}

const TRY: Try<'static> = Try {
    handle: 1,
    client_id: "a",
    name: DEV1,
    password: "right",
    address: "192.0.2.1",
    may_wait: true,
};

const WRONG: Try<'static> = Try {
    password: "wrong",
    ..TRY
};

fn name(text: &str) -> LoginName {
    LoginName::parse(text).unwrap()
}

fn chosen(password: &str) -> NewSecret {
    NewSecret::Chosen(ChosenPassword::parse(password.into()).unwrap())
}

impl Fixture {
    /// With a tenant `acme` and a device `dev1`, whose password is `right`.
    fn new() -> Self {
        Self::with(QUICK, Authentication::Required)
    }

    fn with(argon2: &str, authentication: Authentication) -> Self {
        Self::with_options(argon2, authentication, &[])
    }

    fn with_options(argon2: &str, authentication: Authentication, more: &[(&str, &str)]) -> Self {
        let folder = folder();
        let path = folder.path().join("countersign.db");
        let settings = Settings {
            argon2: Argon2Params::parse(argon2).unwrap(),
            ..Settings::default()
        };
        let admin = SqliteStore::create(&path, &settings).unwrap();
        let path = path.to_str().unwrap();
        let clock = Arc::new(AtomicI64::new(1_700_000_000_000));
        let mut config = GateConfig::new(
            Options::parse([&[("store", path), ("hash_threads", "1")], more].concat()).unwrap(),
            "bench",
            {
                let clock = Arc::clone(&clock);
                move || Timestamp::from_millis(clock.load(Ordering::SeqCst))
            },
            || (),
        );
        let background = ByHand::of(&mut config);
        let gate = Gate::open(SqliteStore::open(path).unwrap(), config).unwrap();
        let mut fixture = Self {
            gate,
            admin,
            background,
            clock,
            _folder: folder,
        };
        let acme = NewTenant {
            id: TenantId::parse("acme").unwrap(),
            namespaces: Vec::new(),
            authentication,
            subscribe: SubscribeMode::Strict,
            client_id_prefix: None,
            lockout: None,
            default_rights: DefaultRights::Namespaces,
        };
        fixture.run(&CreateTenant(acme)).unwrap();
        fixture.device("dev1");
        fixture.settle();
        fixture
    }

    fn device(&mut self, device: &str) {
        let new = NewCredential {
            secret: chosen("right"),
            ..NewCredential::new(TenantId::parse("acme").unwrap(), device)
        };
        self.run(&CreateCredential(new)).unwrap();
    }

    fn run<C: Command>(&mut self, command: &C) -> Result<C::Output, AdminError> {
        self.act(|store, context| countersign_admin::run(store, context, command))
    }

    fn act<T>(&mut self, act: impl FnOnce(&mut SqliteStore, &mut Context<'_>) -> T) -> T {
        let mut context = Context {
            now: Timestamp::from_millis(self.clock.load(Ordering::SeqCst)),
            caller: Caller::owner("cli:test"),
            random: &mut OsRandom,
        };
        act(&mut self.admin, &mut context)
    }

    fn connect(&mut self, it: Try<'_>) -> ConnectOutcome {
        self.gate.connect(&info(it))
    }

    /// Works and polls until there is nothing more to do.
    fn settle(&mut self) -> Vec<Directive> {
        self.background.settle(&mut self.gate)
    }

    fn change(&mut self, name: &LoginName, change: impl FnOnce(&mut CredentialChanges)) {
        let mut changes = CredentialChanges::default();
        change(&mut changes);
        let name = name.clone();
        self.run(&SetCredential { name, changes }).unwrap();
    }

    /// Logs in until there is no time left on the host's thread.
    fn use_up_the_round(&mut self, which: usize) {
        for number in 900..910 {
            let name = format!("filler{which}-{number}@acme");
            let outcome = self.connect(Try {
                handle: number,
                client_id: &format!("filler{number}"),
                name: &name,
                address: &format!("198.51.{}.{}", number % 100, which % 250),
                may_wait: false,
                ..WRONG
            });
            if refused(&outcome).1 == RefusalCode::Busy {
                return;
            }
        }
        panic!("there is no end of time");
    }

    /// What a login comes to at its first try, which is made again until it is
    /// answered.
    fn first_seen(&mut self, login: Try<'_>, which: &mut usize) -> Seen {
        let mut attempt = |fixture: &mut Self| {
            if !login.may_wait {
                fixture.use_up_the_round(*which);
                *which = which.saturating_add(1);
            }
            seen(&fixture.connect(login))
        };
        let first = attempt(self);
        let mut last = first;
        while last != Seen::Refused(RefusalCode::NotAuthorized) {
            let is_complete =
                |directive: &Directive| matches!(directive, Directive::Complete { .. });
            if self.settle().iter().any(is_complete) {
                break;
            }
            if last == Seen::Refused(RefusalCode::Busy) {
                last = attempt(self);
            }
        }
        first
    }

    /// How logins end that waited: ticket and completion.
    fn completions(&mut self) -> Vec<(Ticket, Completion)> {
        self.settle()
            .into_iter()
            .filter_map(|directive| match directive {
                Directive::Complete {
                    ticket, completion, ..
                } => Some((ticket, completion)),
                _ => None,
            })
            .collect()
    }

    /// Why a login that waits is refused in the end.
    fn refused_in_the_end(&mut self) -> String {
        match self.completions().as_slice() {
            [(_, Completion::Refuse { line })] => line.clone().unwrap(),
            other => panic!("{other:?}"),
        }
    }

    /// Says whether somebody with this handle may publish.
    fn publishes(&mut self, handle: usize, username: Option<&str>, connected: bool) -> bool {
        self.may(
            handle,
            username,
            connected,
            TopicUse::Publish {
                topic: b"acme/x",
                qos: 0,
                retain: false,
            },
        )
    }

    fn may(
        &mut self,
        handle: usize,
        username: Option<&str>,
        connected: bool,
        usage: TopicUse<'_>,
    ) -> bool {
        let client = ClientRef {
            handle: Handle(handle),
            client_id: Some(b"a"),
            username: username.map(str::as_bytes),
            connected,
            ..ClientRef::default()
        };
        self.gate.check(&client, usage) == Verdict::Allow
    }

    /// The client ids that are listed, once what is gathered is written.
    fn listed(&mut self) -> Vec<String> {
        self.background.write();
        let listed = self
            .run(&ListClients {
                tenant: None,
                all: false,
            })
            .unwrap();
        listed
            .into_iter()
            .map(|client| client.presence.client_id.to_string())
            .collect()
    }
}

fn info(it: Try<'_>) -> ConnectInfo<'_> {
    let mut info = ConnectInfo::new(Handle(it.handle), it.client_id.as_bytes());
    info.username = Some(it.name.as_bytes());
    info.password = Some(it.password.as_bytes());
    info.address = Some(it.address);
    info.may_wait = it.may_wait;
    info
}

#[track_caller]
fn pending(outcome: &ConnectOutcome) -> (Ticket, Option<&str>) {
    match outcome {
        ConnectOutcome::Pending { ticket, username } => (*ticket, username.as_deref()),
        other => panic!("{other:?}"),
    }
}

#[track_caller]
fn is_admitted(outcome: &ConnectOutcome) -> bool {
    match outcome {
        ConnectOutcome::Admitted { .. } => true,
        ConnectOutcome::Refused { .. } => false,
        other => panic!("{other:?}"),
    }
}

#[track_caller]
fn refused(outcome: &ConnectOutcome) -> (Reason, RefusalCode) {
    match outcome {
        ConnectOutcome::Refused { reason, code, .. } => (*reason, *code),
        other => panic!("{other:?}"),
    }
}

fn admit(username: Option<&str>) -> Completion {
    Completion::Admit {
        username: username.map(Into::into),
    }
}

#[test]
fn a_login_that_waits_is_nobody_until_the_host_says_that_it_is_there() {
    let mut fixture = Fixture::new();
    let outcome = fixture.connect(TRY);
    let (ticket, username) = pending(&outcome);
    assert_eq!(username, Some(DEV1));
    for connected in [true, false] {
        for username in [None, Some(DEV1)] {
            assert!(!fixture.publishes(1, username, connected));
            assert!(!fixture.may(1, username, connected, TopicUse::Unsubscribe));
        }
    }
    assert_eq!(fixture.completions(), [(ticket, admit(Some(DEV1)))]);
    // While the host lets it in it asks about what was queued.
    let deliver = TopicUse::Deliver { topic: b"acme/x" };
    assert!(fixture.may(1, Some(DEV1), true, deliver));
    assert!(fixture.listed().is_empty());
    fixture.gate.completed(ticket, CompletionStatus::Here);
    assert!(fixture.publishes(1, Some(DEV1), true));
    assert_eq!(fixture.listed(), ["a"]);
    // The next one need not wait, nor the same one after a reload.
    assert!(is_admitted(&fixture.connect(TRY)));
    assert!(is_admitted(&fixture.connect(Try {
        handle: 2,
        client_id: "b",
        ..TRY
    })));
}

#[test]
fn a_client_that_vanished_leaves_nothing_behind() {
    let mut fixture = Fixture::with(QUICK, Authentication::Off);
    let outcome = fixture.connect(TRY);
    let (ticket, _) = pending(&outcome);
    assert_eq!(fixture.completions(), [(ticket, admit(Some(DEV1)))]);
    fixture.gate.completed(ticket, CompletionStatus::Gone);
    assert!(fixture.listed().is_empty());
    // Its Will, which the host sends without a name, though the tenant is open.
    assert!(!fixture.publishes(1, None, false));
    assert!(!fixture.publishes(1, Some(DEV1), true));
    // Somebody else with that handle is somebody again.
    assert!(is_admitted(&fixture.connect(TRY)));
    assert!(fixture.publishes(1, Some(DEV1), true));
    // And a second word about the first changes nothing.
    fixture.gate.completed(ticket, CompletionStatus::Gone);
    assert!(fixture.publishes(1, Some(DEV1), true));
}

#[test]
fn the_verdict_of_an_earlier_try_never_admits_a_later_one() {
    let mut fixture = Fixture::new();
    for round in 0..20 {
        let device = format!("d{round}");
        fixture.device(&device);
        fixture.settle();
        let name = format!("{device}@acme");
        let first = Try {
            handle: 1,
            name: &name,
            ..TRY
        };
        let _held = fixture.connect(first);
        let second = fixture.connect(Try {
            handle: 2,
            password: "wrong",
            ..first
        });
        let (ticket, _) = pending(&second);
        let completions = fixture.completions();
        let [(completed, Completion::Refuse { .. })] = completions.as_slice() else {
            panic!("{completions:?}");
        };
        assert_eq!(*completed, ticket);
        assert!(
            !fixture.publishes(1, Some(&name), true) && !fixture.publishes(2, Some(&name), true)
        );
        // What was found out about the first is no loss.
        assert!(is_admitted(&fixture.connect(Try { handle: 3, ..first })));
        fixture.gate.disconnected(Handle(3));
        fixture.clock.fetch_add(10_000, Ordering::SeqCst);
    }
}

#[test]
fn a_connection_in_the_same_place_is_not_taken_for_the_one_that_waited() {
    let mut fixture = Fixture::new();
    fixture.device("dev2");
    let _held = fixture.connect(TRY);
    let other = Try {
        client_id: "b",
        name: "dev2@acme",
        ..WRONG
    };
    let outcome = fixture.connect(other);
    let (ticket, _) = pending(&outcome);
    let completions = fixture.completions();
    assert!(matches!(completions.as_slice(), [(it, Completion::Refuse { .. })] if *it == ticket));
    // One that was decided at once ends the wait as well.
    fixture.device("dev3");
    let third = Try {
        name: "dev3@acme",
        ..TRY
    };
    let _held = fixture.connect(third);
    assert!(!is_admitted(&fixture.connect(Try {
        client_id: "x#",
        ..TRY
    })));
    assert!(fixture.completions().is_empty());
}

#[test]
fn what_changed_while_it_waited_counts() {
    type Act = fn(&mut Fixture);
    let suspend: Act = |fixture| {
        fixture.run(&SuspendCredential(name(DEV1))).unwrap();
    };
    let revoke: Act = |fixture| {
        let (name, reason) = (name(DEV1), None);
        fixture.run(&RevokeCredential { name, reason }).unwrap();
    };
    let delete: Act = |fixture| {
        fixture.run(&DeleteCredential(name(DEV1))).unwrap();
    };
    let reset: Act = |fixture| {
        let (name, secret) = (name(DEV1), chosen("other"));
        fixture.run(&ResetPassword { name, secret }).unwrap();
    };
    let renew: Act = |fixture| {
        let (name, secret) = (name(DEV1), chosen("right"));
        fixture.run(&ResetPassword { name, secret }).unwrap();
    };
    for (act, cause) in [
        (suspend, "suspended"),
        (revoke, "revoked"),
        (delete, "unknown-name"),
        (reset, "over-budget"),
        (renew, "over-budget"),
    ] {
        let mut fixture = Fixture::new();
        let _held = fixture.connect(TRY);
        act(&mut fixture);
        let line = fixture.refused_in_the_end();
        assert!(line.contains(&format!(": {cause}: ")), "{line}: {cause}");
        assert!(!fixture.publishes(1, Some(DEV1), true));
    }
}

#[test]
fn a_client_id_that_was_taken_meanwhile_stays_taken() {
    let mut fixture = Fixture::new();
    fixture.device("dev2");
    let dev2 = Try {
        handle: 2,
        client_id: "b",
        name: "dev2@acme",
        ..TRY
    };
    let (ticket, _) = pending(&fixture.connect(dev2));
    fixture.settle();
    fixture.gate.completed(ticket, CompletionStatus::Here);
    // The host asks about a reload while another waits for the same id, which
    // is neither let go of nor let in.
    let _held = fixture.connect(Try {
        client_id: "b",
        ..TRY
    });
    assert!(is_admitted(&fixture.connect(Try {
        may_wait: false,
        ..dev2
    })));
    let line = fixture.refused_in_the_end();
    assert!(line.contains(": client-id-owned: "), "{line}");
}

#[test]
fn an_owner_whose_own_second_login_comes_to_nothing_keeps_its_client_id() {
    let mut fixture = Fixture::new();
    fixture.device("dev2");
    let (ticket, _) = pending(&fixture.connect(TRY));
    fixture.settle();
    fixture.gate.completed(ticket, CompletionStatus::Here);
    // What was verified before is forgotten, so that the next try must wait.
    fixture.change(&name(DEV1), |changes| {
        changes.description = FreeText::parse("changed").ok();
    });
    fixture.settle();
    let (ticket, _) = pending(&fixture.connect(Try { handle: 2, ..TRY }));
    assert_eq!(fixture.completions(), [(ticket, admit(Some(DEV1)))]);
    fixture.gate.completed(ticket, CompletionStatus::Gone);
    let outcome = fixture.connect(Try {
        handle: 3,
        name: "dev2@acme",
        may_wait: false,
        ..TRY
    });
    assert_eq!(refused(&outcome).0, Reason::ClientIdOwned);
    assert!(fixture.publishes(1, Some(DEV1), true));
}

#[test]
fn what_can_t_be_undone_at_once_is_no_way_to_what_others_left_behind() {
    let mut fixture = Fixture::new();
    fixture.device("dev2");
    let mut left = info(Try {
        name: "dev2@acme",
        ..TRY
    });
    left.clean_start = false;
    let (ticket, _) = pending(&fixture.gate.connect(&left));
    fixture.settle();
    fixture.gate.completed(ticket, CompletionStatus::Here);
    fixture.gate.ended(Handle(1), true);
    fixture.background.write();
    fixture.run(&DeleteCredential(name("dev2@acme"))).unwrap();
    fixture.settle();
    // It starts clean, and leaves while it is hashed: the host keeps what it had.
    let (ticket, _) = pending(&fixture.connect(Try { handle: 2, ..TRY }));
    assert_eq!(fixture.completions(), [(ticket, admit(Some(DEV1)))]);
    let lock = fixture.admin.begin(Intent::Write).unwrap();
    fixture.gate.completed(ticket, CompletionStatus::Gone);
    let mut again = info(Try {
        handle: 3,
        may_wait: false,
        ..TRY
    });
    again.clean_start = false;
    assert_eq!(refused(&fixture.gate.connect(&again)).0, Reason::StoreBusy);
    drop(lock);
    for _ in 0..2 {
        let outcome = fixture.gate.connect(&again);
        assert_eq!(refused(&outcome).0, Reason::ClientIdOwned);
        // The writer does not undo it again.
        fixture.background.write();
    }
    again.clean_start = true;
    assert!(is_admitted(&fixture.gate.connect(&again)));
}

#[test]
fn a_wrong_login_of_an_open_tenant_waits_under_a_name_and_is_let_in_without() {
    let mut fixture = Fixture::with(QUICK, Authentication::Off);
    let outcome = fixture.connect(WRONG);
    let (ticket, username) = pending(&outcome);
    assert_eq!(username, Some(DEV1));
    assert_eq!(fixture.completions(), [(ticket, admit(None))]);
    fixture.gate.completed(ticket, CompletionStatus::Here);
    assert!(fixture.publishes(1, None, true));
    assert!(!fixture.publishes(1, Some(DEV1), true));
}

#[test]
fn so_many_are_on_their_way_into_the_host_and_not_more() {
    let mut fixture = Fixture::new();
    let most = 1_024;
    let (mut let_in, mut turned_away) = (0, 0);
    for number in 0..most + 8 {
        fixture.device(&format!("a{number}"));
    }
    fixture.settle();
    for number in 0..most + 8 {
        let (client_id, name) = (format!("c{number}"), format!("a{number}@acme"));
        let address = format!("10.0.{}.{}", number / 250, number % 250);
        let outcome = fixture.connect(Try {
            handle: number,
            client_id: &client_id,
            name: &name,
            address: &address,
            ..TRY
        });
        let (ticket, _) = pending(&outcome);
        // The host never says what became of any.
        match fixture.completions().as_slice() {
            [(it, Completion::Admit { .. })] if *it == ticket => let_in += 1,
            [(it, Completion::Refuse { .. })] if *it == ticket => turned_away += 1,
            other => panic!("{other:?}"),
        }
    }
    assert_eq!((let_in, turned_away), (most, 8));
}

#[test]
fn names_that_nobody_has_wait_like_all_others() {
    let mut fixture = Fixture::new();
    let outcome = fixture.connect(Try {
        name: "nobody@acme",
        ..TRY
    });
    assert_eq!(pending(&outcome).1, None);
    assert!(fixture.refused_in_the_end().contains(": unknown-name: "));
}

#[test]
fn sixteen_wrong_tries_are_checked_and_no_more_for_now() {
    for may_wait in [true, false] {
        for device in [DEV1, "nobody@acme"] {
            let mut fixture = Fixture::new();
            let wrong = Try {
                name: device,
                may_wait,
                ..WRONG
            };
            for _ in 0..16 {
                let outcome = fixture.connect(wrong);
                if may_wait {
                    pending(&outcome);
                    assert_eq!(fixture.completions().len(), 1);
                } else {
                    assert_ne!(refused(&outcome).0, Reason::TooManyFailures);
                }
                let _nothing = fixture.gate.poll();
            }
            // Never "banned": that would tell about a name.
            let over = (Reason::TooManyFailures, RefusalCode::NotAuthorized);
            assert_eq!(refused(&fixture.connect(wrong)), over);
            assert_eq!(
                refused(&fixture.connect(Try {
                    password: "right",
                    ..wrong
                })),
                over
            );
            let elsewhere = fixture.connect(Try {
                address: "192.0.2.2",
                ..wrong
            });
            assert!(may_wait || refused(&elsewhere).0 != Reason::TooManyFailures);
            fixture.settle();
            fixture.clock.fetch_add(2_000, Ordering::SeqCst);
            let again = fixture.connect(wrong);
            assert!(may_wait || refused(&again).0 != Reason::TooManyFailures);
        }
    }
}

#[test]
fn ten_wrong_tries_and_then_a_right_one_succeed() {
    let mut fixture = Fixture::new();
    fixture.background.set_tick(30);
    let wrong = Try {
        may_wait: false,
        ..WRONG
    };
    for _ in 0..10 {
        assert_eq!(refused(&fixture.connect(wrong)).0, Reason::BadSecret);
        let _nothing = fixture.gate.poll();
    }
    assert!(is_admitted(&fixture.connect(Try {
        password: "right",
        ..wrong
    })));
}

#[test]
fn an_address_where_sixty_four_failed_is_told_so_and_a_name_at_home_is_not() {
    let mut fixture = Fixture::new();
    let (ticket, _) = pending(&fixture.connect(TRY));
    fixture.settle();
    fixture.gate.completed(ticket, CompletionStatus::Here);
    for number in 0..64 {
        let name = format!("n{number}@acme");
        let client_id = format!("c{number}");
        let outcome = fixture.connect(Try {
            handle: 100 + number,
            client_id: &client_id,
            name: &name,
            ..WRONG
        });
        pending(&outcome);
    }
    assert_eq!(fixture.completions().len(), 64);
    let stranger = Try {
        handle: 2,
        client_id: "b",
        name: "n99@acme",
        ..WRONG
    };
    let banned = (Reason::TooManyFailures, RefusalCode::Banned);
    assert_eq!(refused(&fixture.connect(stranger)), banned);
    pending(&fixture.connect(Try {
        client_id: "c",
        ..WRONG
    }));
    pending(&fixture.connect(Try {
        handle: 3,
        address: "192.0.2.2",
        ..stranger
    }));
}

#[test]
fn one_address_has_an_eighth_of_the_places() {
    let mut fixture = Fixture::new();
    let mut held = 0;
    let mut last = None;
    for number in 0..70 {
        let client_id = format!("c{number}");
        let outcome = fixture.connect(Try {
            handle: number,
            client_id: &client_id,
            ..TRY
        });
        match outcome {
            ConnectOutcome::Pending { .. } => held += 1,
            other => last = Some(other),
        }
    }
    assert_eq!(held, 64);
    assert_eq!(
        refused(&last.unwrap()),
        (Reason::OverBudget, RefusalCode::Busy)
    );
    pending(&fixture.connect(Try {
        handle: 99,
        client_id: "z",
        address: "192.0.2.2",
        ..TRY
    }));
    // Ends with all of them still waiting.
    fixture.gate.close();
}

#[test]
fn an_address_that_has_nothing_waiting_gets_the_place_of_one_that_has_most() {
    let mut fixture = Fixture::new();
    // Thirteen of these fill half of the lane, and three hundred more find no
    // place but theirs.
    let many = (0..13).flat_map(|address| (0..20).map(move |_| address));
    let one_each = 13..313;
    for (number, address) in many.chain(one_each).enumerate() {
        let outcome = fixture.connect(Try {
            handle: number,
            client_id: &format!("c{number}"),
            address: &format!("192.0.{}.{}", address / 200, address % 200 + 1),
            ..TRY
        });
        assert!(
            matches!(outcome, ConnectOutcome::Pending { .. }),
            "{number} from {address}: {outcome:?}"
        );
    }
    // Those who gave up their places are told, though no worker has worked.
    let is_refusal = |directive: &Directive| {
        matches!(
            directive,
            Directive::Complete {
                completion: Completion::Refuse { .. },
                ..
            }
        )
    };
    let mut refused = 0;
    while fixture.gate.wants_poll() {
        refused += fixture.gate.poll().into_iter().filter(is_refusal).count();
    }
    assert!(refused >= 40, "{refused}");
    fixture.gate.close();
}

#[test]
fn what_there_is_no_time_for_is_checked_for_the_next_try() {
    let mut fixture = Fixture::new();
    fixture.background.set_tick(30);
    let inline = Try {
        may_wait: false,
        ..TRY
    };
    // The host serves nobody else between these.
    let mut over = None;
    for number in 0..20 {
        let device = format!("d{number}");
        fixture.device(&device);
        let name = format!("{device}@acme");
        let outcome = fixture.connect(Try {
            handle: number,
            client_id: &device,
            name: &name,
            ..inline
        });
        if !is_admitted(&outcome) {
            assert_eq!(refused(&outcome), (Reason::OverBudget, RefusalCode::Busy));
            over.get_or_insert((number, device, name));
        }
    }
    let (number, device, name) = over.expect("there is no end of time");
    assert!(fixture.settle().is_empty());
    let again = Try {
        handle: number,
        client_id: &device,
        name: &name,
        ..inline
    };
    assert!(is_admitted(&fixture.connect(again)));
    // A wrong password is no better off.
    assert!(!is_admitted(&fixture.connect(Try {
        handle: 99,
        password: "wrong",
        ..again
    })));
}

/// Each of these refuses a right password, for a reason of its own.
const REFUSALS: [(&str, Prepare); 4] = [
    ("exact", |fixture, name| {
        let only = ClientId::parse("only").unwrap();
        fixture.change(name, |changes| {
            changes.client_id_rule = Some(ClientIdRule::Exact(only))
        });
    }),
    ("suspended", |fixture, name| {
        fixture.run(&SuspendCredential(name.clone())).unwrap();
    }),
    ("expired", |fixture, name| {
        let soon = Timestamp::from_millis(fixture.clock.load(Ordering::SeqCst) + 1_000);
        fixture.change(name, |changes| changes.expires_at = Some(Some(soon)));
        fixture.clock.fetch_add(2_000, Ordering::SeqCst);
    }),
    ("owned", |fixture, _| {
        fixture.device("owner");
        fixture.settle();
        let owner = Try {
            handle: 77,
            client_id: "a",
            name: "owner@acme",
            may_wait: false,
            ..TRY
        };
        assert!(is_admitted(&fixture.connect(owner)));
    }),
];

type Prepare = fn(&mut Fixture, &LoginName);

/// What a client, and whoever measures how long it takes, can learn of a login.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Seen {
    /// It is held, for it is hashed.
    Held,
    /// It is refused without a hash.
    Refused(RefusalCode),
}

fn seen(outcome: &ConnectOutcome) -> Seen {
    match outcome {
        ConnectOutcome::Pending { .. } => Seen::Held,
        ConnectOutcome::Refused { code, .. } => Seen::Refused(*code),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_right_password_that_is_refused_costs_what_a_wrong_one_costs_each_time() {
    for (case, prepare) in REFUSALS {
        // Also where it was known, for it let a client in before.
        for is_known in [false, true] {
            // Held, so that what is hashed shows; or with no time at all.
            for may_wait in [true, false] {
                let of = |password, name| {
                    let mut fixture = Fixture::with_options(
                        QUICK,
                        Authentication::Required,
                        &[("hash_round", "1")],
                    );
                    fixture.background.set_tick(5);
                    if is_known {
                        let elsewhere = Try {
                            client_id: "only",
                            may_wait: false,
                            ..TRY
                        };
                        assert!(is_admitted(&fixture.connect(elsewhere)));
                        fixture.gate.disconnected(Handle(1));
                    }
                    prepare(&mut fixture, &self::name(DEV1));
                    fixture.settle();
                    let login = Try {
                        password,
                        name,
                        may_wait,
                        ..TRY
                    };
                    let mut all = Vec::new();
                    let mut which = 0;
                    for _ in 0..18 {
                        all.push(fixture.first_seen(login, &mut which));
                    }
                    all
                };
                let right = of("right", DEV1);
                assert_eq!(right, of("wrong", DEV1), "{case} {is_known} {may_wait}");
                assert_eq!(
                    right,
                    of("right", "none@acme"),
                    "{case} {is_known} {may_wait}"
                );
                // None is answered before it was hashed, until there were too many.
                let refused = Seen::Refused(RefusalCode::NotAuthorized);
                assert_eq!(right.iter().position(|it| *it == refused), Some(16));
            }
        }
    }
}

#[test]
fn a_login_that_nobody_answers_is_refused_in_the_end() {
    let mut fixture = Fixture::new();
    for number in 0..30 {
        let client_id = format!("c{number}");
        pending(&fixture.connect(Try {
            handle: number,
            client_id: &client_id,
            ..TRY
        }));
    }
    fixture.clock.fetch_add(60_000, Ordering::SeqCst);
    let completions = fixture.completions();
    assert_eq!(completions.len(), 30);
    let refusals = completions
        .iter()
        .filter(|(_, completion)| matches!(completion, Completion::Refuse { .. }));
    assert!(refusals.count() >= 25);
}

#[test]
fn a_password_hashed_in_an_older_way_is_hashed_anew_and_works_on() {
    use countersign::core::secret::Verifier;
    use countersign::core::store::Directory;

    for may_wait in [true, false] {
        let mut fixture = Fixture::new();
        let argon2 = Argon2Params::parse("m=16,t=1,p=1").unwrap();
        let changes = SettingsChanges {
            argon2: Some(argon2),
            client_id_hold: None,
            keep_refusals: None,
            client_id_limit: None,
            lockout: None,
        };
        fixture.run(&SetSettings(changes)).unwrap();
        fixture.settle();
        let _outcome = fixture.connect(Try { may_wait, ..TRY });
        fixture.settle();
        let is_new = |fixture: &mut Fixture| {
            let stored = fixture.admin.credential(&name(DEV1)).unwrap().unwrap();
            stored.secrets.iter().any(|secret| match &secret.verifier {
                Verifier::Password(hash) => hash.params() == Some(argon2),
                Verifier::Digest(_) => false,
            })
        };
        assert!(is_new(&mut fixture), "may wait: {may_wait}");
        assert!(is_admitted(&fixture.connect(Try {
            handle: 5,
            client_id: "b",
            ..TRY
        })));
    }
}

#[test]
fn a_password_hashed_by_another_system_logs_in_and_is_hashed_anew() {
    use countersign::core::change::Change;
    use countersign::core::secret::{PasswordHash, SaltReading, Verifier};
    use countersign::core::store::rows::SecretRows as _;
    use countersign::core::store::{AdminStore, AdminTransaction, Directory, Intent};

    let hashes = [
        "$6$AAECAwQFBgcICQoL$5W8GCQ9GLgmhmQvoa8jmRaPnsh82mRigdSv6mQsK0sMIII/WznlQb1g+RWddfoAKTMzBJP1deJU+Rp/1QZ0zZg==",
        "$7$101$AAECAwQFBgcICQoL$lp0Cm29zl+CI/RXyXDKvLye7OxM3OuE6RMzgXTX/f3imS/pFh2Ur7yarLDpKRUKpB0tOj6l0UrRv41zqxmD4tg==",
        "$2b$04$yqWUBx7YURUDfruAjr7kzuignOPQ3ea7eQqsdNiz.7RvgQUCyKwbC",
        "PBKDF2$sha256$901$AAECAwQFBgcICQoLDA0ODw==$ymdDZXoI8tCsExlIKSaCej1C7y62NICz",
    ];
    for (hash, may_wait) in hashes.into_iter().zip([true, false, true, false]) {
        let mut fixture = Fixture::new();
        let id = fixture.admin.credential(&name(DEV1)).unwrap().unwrap().id;
        let mut transaction = fixture.admin.begin(Intent::Write).unwrap();
        let verifier = PasswordHash::import(hash, SaltReading::Either).unwrap();
        let secret = transaction.add_secret(id, &Verifier::Password(verifier));
        let secret = secret.unwrap();
        transaction.commit(&[], &[Change::Credential(id)]).unwrap();
        fixture.settle();
        let right = Try {
            password: "correct horse",
            may_wait,
            ..TRY
        };
        let outcome = fixture.connect(right);
        assert!(may_wait || is_admitted(&outcome), "{hash}");
        fixture.settle();
        let is_new = |fixture: &mut Fixture| {
            let stored = fixture.admin.credential(&name(DEV1)).unwrap().unwrap();
            let mut secrets = stored.secrets.iter().filter(|stored| stored.id == secret);
            secrets.any(|stored| match &stored.verifier {
                Verifier::Password(hash) => hash.params().is_some(),
                Verifier::Digest(_) => false,
            })
        };
        assert!(is_new(&mut fixture), "{hash}");
        for (password, is_right) in [("correct horse", true), ("correct hors", false)] {
            let again = Try {
                handle: 5,
                client_id: "b",
                password,
                may_wait: false,
                ..TRY
            };
            assert_eq!(is_admitted(&fixture.connect(again)), is_right, "{hash}");
        }
    }
}
