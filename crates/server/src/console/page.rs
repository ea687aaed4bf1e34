//! Routes that answer with pages, and forms that lead back to them.

use axum::http::{Method, StatusCode};
use maud::Markup;

use super::form::Form;
use super::frame::Frame;
use crate::answer::Answer;
use crate::call::Call;
use crate::input::Nothing;
use crate::problem::{Problem, ProblemKind};
use crate::route::{Access, Route};

/// A page for whoever is known, shown by the words behind the `?`.
pub(super) fn page(
    path: &'static str,
    show: impl Fn(&mut Call<'_>, &Form) -> Result<Answer, Problem> + Send + Sync + 'static,
) -> Route {
    route(Method::GET, path, move |call, _| {
        let words = call.asked.query.clone().unwrap_or_default();
        show(call, &Form::read(words.as_bytes())?)
    })
}

/// What a form of a page does. Without a browser that says that the form is ours, nothing.
pub(super) fn act(
    path: &'static str,
    act: impl Fn(&mut Call<'_>, &Form) -> Result<Answer, Problem> + Send + Sync + 'static,
) -> Route {
    route(Method::POST, path, move |call, body| {
        if !call.asked.is_from_page {
            let detail = "forms are taken from browsers that say which page sends them";
            return Err(Problem::new(ProblemKind::Forbidden, detail));
        }
        act(call, &Form::read(body)?)
    })
}

fn route(
    method: Method,
    path: &'static str,
    run: impl Fn(&mut Call<'_>, &[u8]) -> Result<Answer, Problem> + Send + Sync + 'static,
) -> Route {
    let empty = |_: &mut Call<'_>, _: Nothing, _: Nothing| Err(Problem::not_found());
    let mut route = Route::new::<Nothing, Nothing>(method, path, "A page", empty);
    route.access = Access::Known;
    route.run = Box::new(run);
    route
}

/// A page of somebody who is signed in.
pub(super) fn show(
    call: &Call<'_>,
    here: &str,
    title: &str,
    main: Markup,
) -> Result<Answer, Problem> {
    show_with(call, here, title, StatusCode::OK, main)
}

/// The same with another status.
pub(super) fn show_with(
    call: &Call<'_>,
    here: &str,
    title: &str,
    status: StatusCode,
    main: Markup,
) -> Result<Answer, Problem> {
    Frame {
        title,
        here,
        who: Some(&call.who()?.name),
        status,
        main,
    }
    .answer()
}

impl Call<'_> {
    /// A key for a form that may be sent once.
    pub(super) fn form_key(&self) -> Result<String, Problem> {
        Ok(self.visitors.form_keys.keep(&self.who()?.actor, ()))
    }

    /// Refuses a form that was sent before.
    pub(super) fn take_form_key(&self, form: &Form) -> Result<(), Problem> {
        let key = form.exact(FORM_KEY).unwrap_or_default();
        let taken = self.visitors.form_keys.take(&self.who()?.actor, key);
        if taken.is_some() {
            return Ok(());
        }
        let detail = "this form was sent before, and what it showed is not shown again; look \
                      at the page anew";
        Err(Problem::new(ProblemKind::Conflict, detail))
    }
}

/// The field with the key of a form.
pub(super) const FORM_KEY: &str = "form_key";
