//! The page of one thing of a listing: facts, and what can be done to it.

use axum::http::StatusCode;
use maud::html;

use super::{Column, Listing};
use crate::answer::Answer;
use crate::call::Call;
use crate::console::ask::Ask;
use crate::console::form::Form;
use crate::console::lines::act_form;
use crate::console::page;
use crate::console::pieces::wrong;
use crate::problem::Problem;

/// The page of one.
pub(in crate::console) struct OwnPage {
    /// Its address, which begins with that of all.
    pub(in crate::console) at: &'static str,
    /// The route of REST that shows it.
    pub(in crate::console) route: &'static str,
    pub(in crate::console) facts: &'static [Column],
}

impl Listing {
    /// One of them, on a page of its own.
    pub(super) fn one(
        &self,
        call: &mut Call<'_>,
        own: &OwnPage,
        parts: &[String],
        words: &Form,
        problem: Option<&Problem>,
    ) -> Result<Answer, Problem> {
        let told = self.about(Ask::get(own.route), parts).told(call)?;
        let (it, version) = (&told.value, told.tag.as_deref().unwrap_or_default());
        let path = self.address(parts);
        let mut acts = Vec::new();
        for act in self.acts.iter().filter(|act| (act.is_there)(it)) {
            acts.push(act_form(call, act, &path, version, None, it)?);
        }
        let named = parts.last().map_or("", String::as_str);
        let title = self
            .columns
            .first()
            .map(|(_, cell)| cell.show(it, call.now));
        let main = html! {
            p.crumb { a href=(self.path) { (self.title) } }
            h1 { (title.unwrap_or_default()) }
            (wrong(problem))
            (self.done(call, words))
            div.columns {
                section.card aria-labelledby="facts" {
                    h2 id="facts" { "What it is" }
                    dl { @for (label, cell) in own.facts { dt { (label) } dd { (cell.show(it, call.now)) } } }
                }
                aside aria-label="Acts" {
                    h2 { "Acts" }
                    @for act in acts { (act) }
                }
            }
        };
        let status = problem.map_or(StatusCode::OK, |it| it.kind.status());
        page::show_with(call, self.path, named, status, main)
    }
}
