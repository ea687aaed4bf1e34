//! The first administrator of a store that has no users: whoever has the code that the
//! service printed.

use axum::http::StatusCode;
use countersign_admin::password::ChosenPassword;
use countersign_admin::user::{CreateUser, ShownUser};
use countersign_admin::{AdminError, Authority, Command, Permission, Tx};
use maud::html;

use super::form::Form;
use super::frame::Frame;
use super::page::{act, page};
use super::pieces::{Field, wrong};
use crate::answer::Answer;
use crate::call::{Call, Who};
use crate::input::{FromText as _, UserName};
use crate::problem::{Problem, ProblemKind};
use crate::route::{Access, Route};
use crate::visitors::IsWithoutUsers;

/// Makes a user if there is none; answers none where there is one.
struct CreateFirst(CreateUser);

impl Command for CreateFirst {
    type Output = Option<ShownUser>;

    fn needs(&self) -> Permission {
        self.0.needs()
    }

    fn passwords(&self) -> Vec<&ChosenPassword> {
        self.0.passwords()
    }

    fn apply(&self, tx: &mut Tx<'_>) -> Result<Self::Output, AdminError> {
        if !IsWithoutUsers.apply(tx)? {
            return Ok(None);
        }
        self.0.apply(tx).map(Some)
    }
}

pub(super) fn routes() -> Vec<Route> {
    vec![
        page("/first", show).with_access(Access::Anybody),
        act("/first", create).with_access(Access::Open),
    ]
}

fn show(call: &mut Call<'_>, words: &Form) -> Result<Answer, Problem> {
    if !call.visitors.first.is_open(call.store) {
        return Answer::see_other("/sign-in");
    }
    form(words, None)
}

fn form(said: &Form, problem: Option<&Problem>) -> Result<Answer, Problem> {
    let main = html! {
        div.card.narrow {
            h1 { "The first administrator" }
            p { "This store has no users yet. Who may start the service may administer it: it printed a code behind "
                code { "first administrator:" } " when it started." }
            (wrong(problem))
            form method="post" action="/first" {
                (Field::new("code", "The code").of(said).required().show())
                (Field::new("email", "Name or e-mail address").of(said).filled("username").required()
                    .hint("What you sign in with.").show())
                (Field::new("password", "Password").password("new-password").required().show())
                p.actions { button type="submit" { "Make the administrator" } }
            }
        }
    };
    Frame {
        title: "The first administrator",
        here: "",
        who: None,
        status: problem.map_or(StatusCode::OK, |it| it.kind.status()),
        main,
    }
    .answer()
}

fn create(call: &mut Call<'_>, said: &Form) -> Result<Answer, Problem> {
    match made(call, said) {
        Ok(()) => Answer::see_other("/sign-in"),
        Err(problem) if problem.kind == ProblemKind::Unavailable => Err(problem),
        Err(problem) => form(said, Some(&problem)),
    }
}

fn made(call: &mut Call<'_>, said: &Form) -> Result<(), Problem> {
    if !call
        .visitors
        .first
        .is(said.text("code").unwrap_or_default())
    {
        let detail = "that is not the code that the service printed";
        return Err(Problem::new(ProblemKind::Forbidden, detail));
    }
    let email = said.text("email").unwrap_or_default();
    let UserName(email) = UserName::from_text(email).map_err(Problem::invalid)?;
    let password = said.exact("password").unwrap_or_default();
    let password = ChosenPassword::parse(password.as_bytes().to_vec());
    let password = password.map_err(|error| Problem::invalid(error.to_string()))?;
    // Who knows the code has the word of the store's owner for this one act.
    call.who = Some(Who {
        actor: "http:first-administrator".to_owned(),
        name: String::new(),
        authority: Authority::Platform,
    });
    let user = CreateUser::new(email, password).with_platform_admin(true);
    let made = call.run(&CreateFirst(user));
    call.who = None;
    let is_made = made?.is_some();
    call.visitors.first.close();
    if is_made {
        return Ok(());
    }
    let detail = "there is a user already; sign in";
    Err(Problem::new(ProblemKind::Conflict, detail))
}
