//! Operators: principals outside of all tenants.

use axum::http::StatusCode;
use countersign_admin::Mode;
use countersign_admin::credential::{ChangeCredentialRules, CredentialRuleWarnings};
use countersign_admin::operator::{
    CreateOperator, DeleteOperator, ListOperators, NewOperator, SetOperator, ShowOperator,
};
use countersign_admin::password::ChosenPassword;
use countersign_admin::secret::NewSecret;
use countersign_admin::text::FreeText;
use countersign_admin::view::{NewOperatorView, OperatorView};
use countersign_core::credential::Credential;
use countersign_core::name::LoginName;
use countersign_core::rule::{Action, Pattern, Rule};
use schemars::JsonSchema;
use serde::Deserialize;

use super::rules::{NewRule, RuleWords, Warned};
use super::{PageWords, part};
use crate::answer::Answer;
use crate::call::Call;
use crate::input::{DeviceName, FromText as _, Json, Nothing, Said, Text, taken};
use crate::problem::Problem;
use crate::route::{Route, delete, get, patch, post};
use crate::shape::{MAYBE_TEXT, RULE, Shape, TEXTS};

pub(super) fn routes() -> Vec<Route> {
    vec![
        get("/api/v1/operators", "List the operators", list).answers_page(&OPERATOR),
        post("/api/v1/operators", "Make an operator", create)
            .answers(StatusCode::CREATED, NEW_OPERATOR),
        get("/api/v1/operators/{name}", "Show an operator", show).answers_tagged(OPERATOR),
        patch("/api/v1/operators/{name}", "Change an operator", change)
            .answers_tagged(OPERATOR)
            .conditional(),
        delete("/api/v1/operators/{name}", "Delete an operator", remove)
            .answers_nothing()
            .conditional(),
        post("/api/v1/operators/{name}/rules", "Give it a rule", add_rule)
            .answers(StatusCode::CREATED, WARNED_OPERATOR)
            .conditional(),
        delete(
            "/api/v1/operators/{name}/rules",
            "Take rules away",
            remove_rule,
        )
        .answers_nothing()
        .conditional(),
    ]
}

fn list(call: &mut Call<'_>, words: PageWords, _: Nothing) -> Result<Answer, Problem> {
    let listed = call.run(&ListOperators(words.page()?))?;
    let items = listed.rows.iter().map(OperatorView::of).collect();
    part(items, listed.next.map(|next| next.to_string()))
}

fn show(call: &mut Call<'_>, _: Nothing, _: Nothing) -> Result<Answer, Problem> {
    let name = call.part("name")?;
    call.show(&ShowOperator(name), OperatorView::of)
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct New {
    name: Text<DeviceName>,
    /// A password that a person chose; without it, a secret is generated.
    #[serde(default)]
    password: Option<Text<ChosenPassword>>,
    /// Topics that it may publish to.
    #[serde(default)]
    publish: Vec<Text<Pattern>>,
    /// Topics that it may subscribe to.
    #[serde(default)]
    subscribe: Vec<Text<Pattern>>,
}

fn create(call: &mut Call<'_>, _: Nothing, body: Json<New>) -> Result<Answer, Problem> {
    let Json(said) = body;
    let Text(DeviceName(name)) = said.name;
    let allowed = |action| move |pattern: Pattern| Rule::allow(action, pattern);
    let publish = taken(said.publish)
        .into_iter()
        .map(allowed(Action::Publish));
    let subscribe = taken(said.subscribe).into_iter();
    let subscribe = subscribe.map(allowed(Action::Subscribe));
    let new = NewOperator {
        name,
        secret: match said.password {
            Some(Text(password)) => NewSecret::Chosen(password),
            None => NewSecret::Generated,
        },
        rules: publish.chain(subscribe).collect(),
    };
    let warnings = new.rule_warnings()?;
    let issued = call.run(&CreateOperator(new))?;
    let name = issued.described.credential.name.to_string();
    let answer = Warned::new(NewOperatorView::of(&issued), &warnings);
    Answer::created(&["operators", &name], &answer)
}

/// What to change; what is not said stays.
#[derive(Clone, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct Changes {
    description: Said<Option<Text<FreeText>>>,
}

fn change(call: &mut Call<'_>, _: Nothing, body: Json<Changes>) -> Result<Answer, Problem> {
    let name: LoginName = call.part("name")?;
    let Json(said) = body;
    let nothing = FreeText::from_text("").map_err(Problem::invalid)?;
    let description = said.description.value_or_null();
    let description = description.map(|text| text.unwrap_or(nothing));
    let change = |_: &Credential| {
        let name = name.clone();
        let description = description.clone();
        Ok(description.map(|description| SetOperator { name, description }))
    };
    let show = ShowOperator(name.clone());
    call.merge(&show, OperatorView::of, change, Mode::Commit)
}

fn remove(call: &mut Call<'_>, _: Nothing, _: Nothing) -> Result<Answer, Problem> {
    let name: LoginName = call.part("name")?;
    let show = ShowOperator(name.clone());
    call.run_if_matches(&show, OperatorView::of, &DeleteOperator(name), Mode::Commit)?;
    Ok(Answer::deleted())
}

fn add_rule(call: &mut Call<'_>, _: Nothing, body: Json<NewRule>) -> Result<Answer, Problem> {
    let name: LoginName = call.part("name")?;
    let change = body.0.change()?;
    let show = ShowOperator(name.clone());
    call.run(&show)?;
    let change = ChangeCredentialRules {
        name: name.clone(),
        change,
    };
    let warnings = call.run(&CredentialRuleWarnings(change.clone()))?;
    let shown = call.run_if_matches(&show, OperatorView::of, &change, Mode::Commit)?;
    let answer = Warned::new(OperatorView::of(&shown.credential), &warnings);
    Answer::created(&["operators", name.as_str()], &answer)
}

fn remove_rule(call: &mut Call<'_>, words: RuleWords, _: Nothing) -> Result<Answer, Problem> {
    let name: LoginName = call.part("name")?;
    let change = words.of_no_group()?;
    let show = ShowOperator(name.clone());
    call.run(&show)?;
    let change = ChangeCredentialRules { name, change };
    call.run_if_matches(&show, OperatorView::of, &change, Mode::Commit)?;
    Ok(Answer::deleted())
}

pub(super) const OPERATOR: Shape = Shape::Named("Operator", &Shape::Object(&OPERATOR_FIELDS));
const OPERATOR_FIELDS: [(&str, Shape); 9] = [
    ("name", Shape::Text),
    ("state", super::credentials::STATE),
    ("description", MAYBE_TEXT),
    ("created_at", Shape::Text),
    ("updated_at", Shape::Text),
    ("last_used_at", MAYBE_TEXT),
    ("generation", Shape::Integer),
    ("revoked_reason", MAYBE_TEXT),
    ("rules", Shape::List(&RULE)),
];
const NEW_OPERATOR: Shape = Shape::Object(&[
    ("name", Shape::Text),
    ("secret", MAYBE_TEXT),
    ("warnings", TEXTS),
]);
const WARNED_OPERATOR: Shape = Shape::With(&OPERATOR_FIELDS, &[("warnings", TEXTS)]);
