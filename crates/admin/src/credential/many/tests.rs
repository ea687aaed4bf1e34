use std::sync::Arc;

use countersign_core::name::GroupPath;
use countersign_core::store::GateStore as _;

use super::*;
use crate::credential::{CreateCredential, NewCredential, PreviewChanges, ShowCredential};
use crate::error::Noun;
use crate::fixture::{Fixture, login_name, new_credential, role_name, tenant_id};

const NAMES: [&str; 4] = ["a@acme", "b@acme", "c@acme", "d@acme"];

/// A store with four devices, of which all but the last are in a group.
fn with_devices() -> Fixture {
    let mut fixture = Fixture::new();
    fixture.tenant("acme", &[]).unwrap();
    for name in ["a", "b", "c", "d"] {
        let groups = if name == "d" {
            vec![]
        } else {
            vec![group("DM.X")]
        };
        let new = NewCredential {
            groups,
            ..new_credential(name)
        };
        fixture.run(&CreateCredential(new)).unwrap();
    }
    fixture
}

fn group(path: &str) -> GroupPath {
    GroupPath::parse(path).unwrap()
}

fn of_group() -> CredentialQuery {
    CredentialQuery {
        tenant: Some(tenant_id("acme")),
        group: Some(group("DM")),
        ..CredentialQuery::default()
    }
}

/// The act on each of these names.
fn named(act: ManyAct, names: &[&str]) -> Vec<ActOnTarget> {
    let (act, selection) = (Arc::new(act), Arc::default());
    let on = |name: &&str| ActOnTarget {
        act: Arc::clone(&act),
        selection: Arc::clone(&selection),
        target: Target {
            name: login_name(name),
            id: None,
        },
    };
    names.iter().map(on).collect()
}

/// The act on those that are in the group now.
fn selected_now(fixture: &mut Fixture, act: ManyAct) -> Vec<ActOnTarget> {
    let mut acts = named(act, &NAMES[..3]);
    for it in &mut acts {
        it.target.id = Some(fixture.show(it.target.name.as_str()).id);
        it.selection = Arc::new(of_group());
    }
    acts
}

fn act(fixture: &mut Fixture, acts: &[ActOnTarget], mode: Mode) -> Step {
    fixture.act(|store, context| act_on(store, context, acts, mode, &mut |_| Ok(())))
}

/// What became of each, in a word.
fn told(step: &Step) -> Vec<String> {
    let word = |outcome: &Result<TargetOutcome, AdminError>| match outcome {
        Ok(TargetOutcome::Done { .. }) => "done".into(),
        Ok(TargetOutcome::Skipped) => "skipped".into(),
        Err(error) => error.to_string(),
    };
    step.outcomes.iter().map(word).collect()
}

fn states(fixture: &mut Fixture) -> String {
    let letters = NAMES.map(|name| {
        let shown = fixture.run(&ShowCredential(login_name(name))).ok();
        let letter = shown.and_then(|it| it.credential.state.as_str().chars().next());
        letter.unwrap_or('-')
    });
    letters.into_iter().collect()
}

#[test]
fn all_are_done_in_one_transaction_where_none_is_refused() {
    let mut fixture = with_devices();
    let before = fixture.store.last_change().unwrap();
    let acts = named(ManyAct::Suspend, &NAMES);
    let tried = act(&mut fixture, &acts, Mode::DryRun);
    assert_eq!(told(&tried), ["done"; 4]);
    assert_eq!(fixture.store.last_change().unwrap(), before);
    assert_eq!(states(&mut fixture), "IIII");
    assert_eq!(told(&act(&mut fixture, &acts, Mode::Commit)), ["done"; 4]);
    assert_eq!(states(&mut fixture), "SSSS");
    let acts = fixture.acts();
    let suspended = acts
        .iter()
        .filter(|act| act.starts_with("credential.suspend "));
    assert_eq!(suspended.count(), 4);
}

#[test]
fn one_that_is_refused_holds_up_no_other_and_what_is_so_already_is_passed_over() {
    let mut fixture = with_devices();
    for (act, name) in [
        (ManyAct::Suspend, "b@acme"),
        (ManyAct::Revoke(None), "c@acme"),
    ] {
        let acts = named(act, &[name]);
        self::act(&mut fixture, &acts, Mode::Commit);
    }
    let names = ["a@acme", "b@acme", "c@acme", "none@acme", "d@acme"];
    let acts = named(ManyAct::Suspend, &names);
    let expected = [
        "done",
        "skipped",
        "cannot suspend `c@acme`: it is Revoked",
        "there is no credential `none@acme`",
        "done",
    ];
    for mode in [Mode::DryRun, Mode::Commit] {
        assert_eq!(told(&act(&mut fixture, &acts, mode)), expected);
    }
    assert_eq!(states(&mut fixture), "SSRS");
    // Done again, there is nothing left to do.
    let again = told(&act(&mut fixture, &acts, Mode::Commit));
    assert_eq!(again[0], "skipped");
    assert_eq!(again[4], "skipped");
}

#[test]
fn one_that_left_the_selection_or_is_another_by_now_is_passed_over() {
    let mut fixture = with_devices();
    let acts = selected_now(&mut fixture, ManyAct::Delete);
    let leaves = CredentialChanges {
        remove_groups: vec![group("DM.X")],
        ..CredentialChanges::default()
    };
    let leaves = named(ManyAct::Set(Box::new(leaves)), &["a@acme"]);
    assert_eq!(told(&act(&mut fixture, &leaves, Mode::Commit)), ["done"]);
    let made_again = NewCredential {
        groups: vec![group("DM.X")],
        ..new_credential("b")
    };
    fixture
        .run(&DeleteCredential(login_name("b@acme")))
        .unwrap();
    fixture.run(&CreateCredential(made_again)).unwrap();
    let step = act(&mut fixture, &acts, Mode::Commit);
    assert_eq!(told(&step), ["skipped", "skipped", "done"]);
    assert_eq!(states(&mut fixture), "II-I");
}

#[test]
fn a_change_takes_away_what_is_there_and_passes_over_what_stays_as_it_is() {
    let mut fixture = with_devices();
    fixture.role("ops").unwrap();
    let moves = CredentialChanges {
        add_groups: vec![group("NEW")],
        remove_groups: vec![group("DM.X"), group("NONE")],
        remove_roles: vec![role_name("ops")],
        ..CredentialChanges::default()
    };
    let acts = named(ManyAct::Set(Box::new(moves)), &NAMES);
    assert_eq!(told(&act(&mut fixture, &acts, Mode::Commit)), ["done"; 4]);
    for name in NAMES {
        assert_eq!(fixture.show(name).groups, [group("NEW")]);
    }
    let before = fixture.store.last_change().unwrap();
    assert_eq!(
        told(&act(&mut fixture, &acts, Mode::Commit)),
        ["skipped"; 4]
    );
    assert_eq!(fixture.store.last_change().unwrap(), before);
}

#[test]
fn new_secrets_are_handed_over_before_they_count_and_not_given_where_that_fails() {
    let mut fixture = with_devices();
    let acts = named(ManyAct::ResetPassword, &NAMES);
    let refused = fixture.act(|store, context| {
        act_on(store, context, &acts, Mode::Commit, &mut |_| {
            let why = "the disk is full";
            let subject = crate::error::Subject::nameless(Noun::Password);
            Err(AdminError::new(ErrorKind::Unavailable, subject, why))
        })
    });
    assert!(refused.outcomes.is_empty());
    assert_eq!(refused.stopped.unwrap().to_string(), "the disk is full");
    let first = fixture.show("a@acme").generation;
    let mut kept = Vec::new();
    let done = fixture.act(|store, context| {
        act_on(store, context, &acts, Mode::Commit, &mut |issued| {
            kept.extend(
                issued
                    .iter()
                    .map(|it| it.described.credential.name.to_string()),
            );
            assert!(issued.iter().all(|it| it.secret.is_some()));
            Ok(())
        })
    });
    assert_eq!(told(&done), ["done"; 4]);
    assert_eq!(kept, NAMES);
    assert_eq!(fixture.show("a@acme").generation, first.next());
}

#[test]
fn a_preview_tells_what_each_would_gain_and_lose() {
    let mut fixture = with_devices();
    fixture.role("ops").unwrap();
    let deny = crate::fixture::adding("deny both acme/secret/#");
    fixture.change_role("ops", &deny).unwrap();
    let changes = CredentialChanges {
        add_roles: vec![role_name("ops")],
        ..CredentialChanges::default()
    };
    let given = named(ManyAct::Set(Box::new(changes.clone())), &["a@acme"]);
    act(&mut fixture, &given, Mode::Commit);
    let names = ["a@acme", "b@acme", "none@acme"].map(login_name).into();
    let effects = fixture.run(&PreviewChanges { names, changes }).unwrap();
    assert_eq!(effects.len(), 1);
    assert_eq!(effects[0].name, login_name("b@acme"));
    assert!(effects[0].gains.is_empty());
    assert_eq!(effects[0].loses.len(), 2);
}
