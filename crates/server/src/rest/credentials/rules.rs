//! The rules of a credential itself.

use axum::http::StatusCode;
use countersign_admin::Mode;
use countersign_admin::credential::{
    ChangeCredentialRules, CredentialRuleWarnings, ShowCredential, ShownCredential,
};
use countersign_admin::view::RuleView;
use countersign_core::name::LoginName;

use super::view;
use crate::answer::Answer;
use crate::call::Call;
use crate::input::{Json, Nothing};
use crate::problem::Problem;
use crate::rest::rules::{NewRule, RuleWords, Warned};
use crate::rest::{Part, whole};
use crate::route::{Route, delete, get, post};
use crate::shape::{MAYBE_TEXT, RULE, Shape, TEXTS};

pub(super) fn routes() -> Vec<Route> {
    vec![
        get(
            "/api/v1/credentials/{name}/rules",
            "List its own rules",
            rules,
        )
        .answers_page(&RULE),
        post(
            "/api/v1/credentials/{name}/rules",
            "Give it a rule",
            add_rule,
        )
        .answers(StatusCode::CREATED, WARNED_RULES)
        .conditional(),
        delete(
            "/api/v1/credentials/{name}/rules",
            "Take rules away",
            remove_rule,
        )
        .answers_nothing()
        .conditional(),
    ]
}

fn rules(call: &mut Call<'_>, _: Nothing, _: Nothing) -> Result<Answer, Problem> {
    let name = call.part("name")?;
    let shown = call.run(&ShowCredential(name))?;
    whole(rules_of(&shown))
}

fn rules_of(shown: &ShownCredential) -> Vec<RuleView> {
    shown.credential.rules.iter().map(RuleView::of).collect()
}

fn add_rule(call: &mut Call<'_>, _: Nothing, body: Json<NewRule>) -> Result<Answer, Problem> {
    let name: LoginName = call.part("name")?;
    let show = ShowCredential(name.clone());
    let path = name.to_string();
    let change = body.0.change()?;
    let change = ChangeCredentialRules { name, change };
    let warnings = call.run(&CredentialRuleWarnings(change.clone()))?;
    let shown = call.run_if_matches(&show, view, &change, Mode::Commit)?;
    let items = rules_of(&shown);
    let answer = Warned::new(Part { items, next: None }, &warnings);
    Answer::created(&["credentials", &path, "rules"], &answer)
}

fn remove_rule(call: &mut Call<'_>, words: RuleWords, _: Nothing) -> Result<Answer, Problem> {
    let name: LoginName = call.part("name")?;
    let show = ShowCredential(name.clone());
    let change = words.of_no_group()?;
    let change = ChangeCredentialRules { name, change };
    call.run_if_matches(&show, view, &change, Mode::Commit)?;
    Ok(Answer::deleted())
}

const WARNED_RULES: Shape = Shape::Object(&[
    ("items", Shape::List(&RULE)),
    ("next", MAYBE_TEXT),
    ("warnings", TEXTS),
]);
