//! Combinations of fields that a scheme can't have.

use super::{Folding, Naming, Scheme, SchemeClientIds, Shape, TOKEN, TokenLogin};
use crate::rule::{Pattern, PatternLevel, PatternPart, Variable};

impl Scheme {
    /// Says what about the scheme contradicts itself.
    pub(super) fn contradiction(&self) -> Option<&'static str> {
        let is_secret_shown = self.shows_secrets();
        let generates_names = matches!(self.naming, Naming::Generated(_));
        let has = |shape: Option<&Shape>, characters: &[char]| {
            shape.is_some_and(|shape| shape.may_hold(|it| characters.contains(&it)))
        };
        let is_lower = |shape: &Shape| shape.may_hold(|it| it.is_ascii_lowercase());
        let accepted = &self.accepted;
        let limits = self.chosen_secrets.unwrap_or_default();
        let checks = [
            (
                self.chosen_secrets.is_some() && (is_secret_shown || generates_names),
                "`secret_chosen` can't be with generated login names, with a token login or with \
                 client ids that are the secret: what is told by its shape is never chosen",
            ),
            (
                self.token_login == TokenLogin::Required
                    && self.client_ids == SchemeClientIds::SameAsUsername,
                "`client_id` can't be `same-as-username` where the username is the token; \
                 write `same-as-secret`",
            ),
            (
                self.secret_shape.bits() < FEWEST_SECRET_BITS,
                "`secret_shape` carries less than 120 random bits; make it longer",
            ),
            (
                is_secret_shown
                    && self
                        .secrets()
                        .any(|shape| has(Some(shape), &['+', '#', '/'])),
                "`secret_shape` can't hold `+`, `#` or `/` where the secret is a name or client id",
            ),
            (
                self.names()
                    .any(|shape| has(Some(shape), &['+', '#', '/', '@'])),
                "`login_name_shape` can't hold `+`, `#`, `/` or `@`",
            ),
            (
                has(self.client_ids.shape(), &['+', '#'])
                    || has(accepted.client_id.as_ref(), &['+', '#']),
                "`client_id_shape` can't hold `+` or `#`",
            ),
            (
                has(self.token_shape.as_ref(), &['+', '#', '/'])
                    || has(accepted.token.as_ref(), &['+', '#', '/']),
                "`token_shape` can't hold `+`, `#` or `/`",
            ),
            (
                self.accepts_weak_secrets() && is_secret_shown,
                "`accepts_shape` carries less than 64 random bits where the secret is a name or \
                 client id, which is found by its digest; make it longer",
            ),
            (
                accepted.name.is_some() && self.naming.shape().is_none(),
                "`login_name_accepts_shape` has no meaning without `login_name_shape`",
            ),
            (
                accepted.client_id.is_some() && self.client_ids.shape().is_none(),
                "`client_id_accepts_shape` has no meaning without `client_id_shape`",
            ),
            (
                accepted.token.is_some() && self.token_shape.is_none(),
                "`token_accepts_shape` has no meaning without `token_shape`",
            ),
            (
                accepted.token.is_some() && self.patterns().any(holds_part_of_token),
                "`token_accepts_shape` can't be where `${attr.token}` does not fill its level",
            ),
            (
                self.folding == Folding::Upper && self.names().any(is_lower),
                "`login_name_shape` holds lower-case letters and `folding` is `upper`",
            ),
            (
                limits.fewest > limits.most && limits.most.is_some(),
                "`secret_min_chars` is more than `secret_max_chars`",
            ),
            (
                self.patterns().any(Pattern::is_reserved),
                "topics that begin with `$` are for operators, not for schemes",
            ),
        ];
        checks
            .into_iter()
            .find(|check| check.0)
            .map(|check| check.1)
    }
}

/// Says whether a level of the pattern holds the attribute `token` and something
/// else. Which topics a token reaches is asked level by level.
fn holds_part_of_token(pattern: &Pattern) -> bool {
    let is_token = |part: &PatternPart| part.variable() == Some(Variable::Attribute(TOKEN));
    let mut levels = pattern.levels().iter().map(PatternLevel::parts);
    levels.any(|parts| parts.len() > 1 && parts.iter().any(is_token))
}

/// What the built-in scheme of the fewest bits has.
const FEWEST_SECRET_BITS: u32 = 120;

#[cfg(test)]
mod tests {
    use super::super::{FieldError, FieldValue};
    use super::*;

    fn text(text: &str) -> FieldValue {
        FieldValue::Text(text.into())
    }

    fn refusal(changes: &[(&str, FieldValue)]) -> Option<String> {
        let mut fields = vec![
            ("name", text("x")),
            ("login_name", text("suffixed")),
            ("client_id", text("any")),
            ("secret_shape", text("[0-9a-f]{32}")),
        ];
        fields.retain(|(key, _)| changes.iter().all(|(other, _)| other != key));
        fields.extend(changes.iter().cloned());
        match Scheme::from_fields(fields) {
            Ok(_) => None,
            Err(FieldError::Contradiction(text)) => Some(text.into()),
            Err(other) => panic!("{other}"),
        }
    }

    #[test]
    fn a_plain_scheme_has_no_contradiction() {
        assert_eq!(refusal(&[]), None);
    }

    #[test]
    fn what_is_told_by_its_shape_is_never_chosen() {
        let chosen = ("secret_chosen", FieldValue::Flag(true));
        let error = "`secret_chosen` can't be with generated login names";
        for others in [
            &[
                ("login_name", text("generated")),
                ("login_name_shape", text("[0-9]{9}")),
            ][..],
            &[("token_login", text("allowed"))],
            &[("token_login", text("required"))],
            &[("client_id", text("same-as-secret"))],
        ] {
            let said = refusal(&[core::slice::from_ref(&chosen), others].concat()).unwrap();
            assert!(said.starts_with(error), "{said}");
            assert_eq!(refusal(others), None);
        }
    }

    #[test]
    fn a_shape_makes_nothing_that_its_place_refuses() {
        let base64 = ("secret_shape", text("[A-Za-z0-9+/]{42}[AEIMQUYcgkosw048]="));
        let plus = |key: &'static str| (key, text("[+-9]{32}"));
        for fields in [
            &[base64.clone(), ("token_login", text("allowed"))][..],
            &[base64.clone(), ("client_id", text("same-as-secret"))],
            &[("login_name", text("generated")), plus("login_name_shape")],
            &[
                ("login_name", text("generated")),
                ("login_name_shape", text("x@a")),
            ],
            &[("client_id", text("exact")), plus("client_id_shape")],
            &[plus("token_shape")],
        ] {
            let said = refusal(fields).unwrap();
            assert!(said.contains("can't hold"), "{said}");
        }
        assert_eq!(refusal(&[base64]), None);
    }

    #[test]
    fn a_secret_that_could_be_guessed_is_none() {
        assert_eq!(refusal(&[("secret_shape", text("[0-9a-f]{30}"))]), None);
        let said = refusal(&[("secret_shape", text("[0-9a-f]{29}"))]).unwrap();
        assert!(said.starts_with("`secret_shape` carries less than 120 random bits"));
    }

    #[test]
    fn no_scheme_reaches_the_topics_of_the_broker() {
        let patterns = FieldValue::List(vec!["$SYS/#".into()]);
        let said = refusal(&[("subscribe", patterns)]).unwrap();
        assert!(said.starts_with("topics that begin with `$`"));
    }

    #[test]
    fn the_rest_that_contradicts_itself_is_refused() {
        for fields in [
            &[
                ("token_login", text("required")),
                ("client_id", text("same-as-username")),
            ][..],
            &[
                ("login_name", text("generated")),
                ("login_name_shape", text("d[0-9]{9}")),
                ("folding", text("upper")),
            ],
            &[
                ("secret_chosen", FieldValue::Flag(true)),
                ("secret_min_chars", FieldValue::Number(6)),
                ("secret_max_chars", FieldValue::Number(5)),
            ],
        ] {
            assert!(refusal(fields).is_some());
        }
    }
}
