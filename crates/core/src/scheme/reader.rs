//! Reads the fields of a scheme one by one, and refuses any that is left over.

use std::collections::BTreeMap;

use super::accepted::AcceptedShapes;
use super::known::FIELD_KEYS;
use super::{
    ChosenSecrets, FieldError, FieldValue, Folding, KEY_ATTRIBUTE, NameAttribute, Naming,
    SchemeClientIds, Shape, ShapeError, TokenLogin,
};
use crate::rule::Pattern;

/// Fields that were not read yet.
pub(super) struct Fields(BTreeMap<String, FieldValue>);

impl Fields {
    pub(super) fn take<K: Into<String>>(
        fields: impl IntoIterator<Item = (K, FieldValue)>,
    ) -> Result<Self, FieldError> {
        let mut taken = BTreeMap::new();
        for (key, value) in fields {
            let key = key.into();
            if !FIELD_KEYS.contains(&&*key) {
                return Err(FieldError::Unknown { key: key.into() });
            }
            if taken.contains_key(&key) {
                return Err(FieldError::Twice { key: key.into() });
            }
            taken.insert(key, value);
        }
        Ok(Self(taken))
    }

    pub(super) fn end(self) -> Result<(), FieldError> {
        match self.0.into_keys().next() {
            Some(key) => Err(FieldError::Unused { key: key.into() }),
            None => Ok(()),
        }
    }

    fn text(&mut self, key: &'static str) -> Result<Option<String>, FieldError> {
        let wanted = "a text";
        match self.0.remove(key) {
            None => Ok(None),
            Some(FieldValue::Text(text)) => Ok(Some(text)),
            Some(FieldValue::Flag(_) | FieldValue::List(_) | FieldValue::Number(_)) => {
                Err(FieldError::Kind { key, wanted })
            }
        }
    }

    pub(super) fn needed(&mut self, key: &'static str) -> Result<String, FieldError> {
        self.text(key)?.ok_or(FieldError::Missing { key })
    }

    pub(super) fn flag(&mut self, key: &'static str, default: bool) -> Result<bool, FieldError> {
        let wanted = "`true` or `false`";
        match self.0.remove(key) {
            None => Ok(default),
            Some(FieldValue::Flag(flag)) => Ok(flag),
            Some(FieldValue::List(_) | FieldValue::Number(_) | FieldValue::Text(_)) => {
                Err(FieldError::Kind { key, wanted })
            }
        }
    }

    fn number(&mut self, key: &'static str, most: u16) -> Result<Option<u16>, FieldError> {
        let wanted = "a whole number";
        match self.0.remove(key) {
            None => Ok(None),
            Some(FieldValue::Number(number)) => match u16::try_from(number) {
                Ok(number) if (1..=most).contains(&number) => Ok(Some(number)),
                Ok(_) | Err(_) => Err(FieldError::Number { key, most }),
            },
            Some(FieldValue::Flag(_) | FieldValue::List(_) | FieldValue::Text(_)) => {
                Err(FieldError::Kind { key, wanted })
            }
        }
    }

    pub(super) fn patterns(&mut self, key: &'static str) -> Result<Vec<Pattern>, FieldError> {
        let wanted = "a list of texts";
        let texts = match self.0.remove(key) {
            None => Vec::new(),
            Some(FieldValue::List(texts)) => texts,
            Some(FieldValue::Flag(_) | FieldValue::Number(_) | FieldValue::Text(_)) => {
                return Err(FieldError::Kind { key, wanted });
            }
        };
        let read = |text: String| {
            Pattern::parse(&text).map_err(|why| FieldError::Pattern {
                key,
                text: text.into(),
                why,
            })
        };
        texts.into_iter().map(read).collect()
    }

    pub(super) fn shape(&mut self, key: &'static str) -> Result<Option<Shape>, FieldError> {
        self.shape_read(key, Shape::parse)
    }

    fn shape_read(
        &mut self,
        key: &'static str,
        parse: fn(&str) -> Result<Shape, ShapeError>,
    ) -> Result<Option<Shape>, FieldError> {
        let read = |text: String| parse(&text).map_err(|why| FieldError::Shape { key, why });
        self.text(key)?.map(read).transpose()
    }

    pub(super) fn needed_shape(&mut self, key: &'static str) -> Result<Shape, FieldError> {
        self.shape(key)?.ok_or(FieldError::Missing { key })
    }

    /// The shapes of what is taken over; each has a meaning only beside the shape of
    /// what is made.
    pub(super) fn accepted_shapes(&mut self) -> Result<AcceptedShapes, FieldError> {
        let mut shape = |key| self.shape_read(key, Shape::parse_accepted);
        Ok(AcceptedShapes {
            name: shape("login_name_accepts_shape")?,
            client_id: shape("client_id_accepts_shape")?,
            secret: shape("accepts_shape")?,
            token: shape("token_accepts_shape")?,
        })
    }

    pub(super) fn longest_name(&mut self) -> Result<Option<u16>, FieldError> {
        self.number("login_name_max_chars", MOST_NAME_CHARS)
    }

    pub(super) fn naming(&mut self) -> Result<Naming, FieldError> {
        let (key, shape) = ("login_name", "login_name_shape");
        let text = self.needed(key)?;
        Ok(match text.as_str() {
            "generated" => Naming::Generated(self.needed_shape(shape)?),
            "given" => Naming::Given,
            "given-or-serial" => Naming::GivenOrSerial(self.needed_shape(shape)?),
            "suffixed" => Naming::Suffixed,
            _ => {
                let words = "`generated`, `given`, `given-or-serial` or `suffixed`";
                return Err(FieldError::Word {
                    key,
                    text: text.into(),
                    words,
                });
            }
        })
    }

    pub(super) fn client_ids(&mut self) -> Result<SchemeClientIds, FieldError> {
        let (key, shape) = ("client_id", "client_id_shape");
        let text = self.needed(key)?;
        Ok(match text.as_str() {
            "any" => SchemeClientIds::Any,
            "exact" => SchemeClientIds::Exact(self.needed_shape(shape)?),
            "first-use" => SchemeClientIds::FirstUse,
            "prefix" => SchemeClientIds::Prefix(self.needed_shape(shape)?),
            "same-as-secret" => SchemeClientIds::SameAsSecret,
            "same-as-username" => SchemeClientIds::SameAsUsername,
            _ => {
                let words = "`any`, `exact`, `first-use`, `prefix`, `same-as-secret` or \
                             `same-as-username`";
                return Err(FieldError::Word {
                    key,
                    text: text.into(),
                    words,
                });
            }
        })
    }

    pub(super) fn folding(&mut self) -> Result<Folding, FieldError> {
        let key = "folding";
        match self.text(key)?.as_deref() {
            None | Some("none") => Ok(Folding::None),
            Some("upper") => Ok(Folding::Upper),
            Some(text) => Err(FieldError::Word {
                key,
                text: text.into(),
                words: "`none` or `upper`",
            }),
        }
    }

    pub(super) fn token_login(&mut self) -> Result<TokenLogin, FieldError> {
        let key = "token_login";
        match self.text(key)?.as_deref() {
            Some("allowed") => Ok(TokenLogin::Allowed),
            None | Some("never") => Ok(TokenLogin::Never),
            Some("required") => Ok(TokenLogin::Required),
            Some(text) => Err(FieldError::Word {
                key,
                text: text.into(),
                words: "`allowed`, `never` or `required`",
            }),
        }
    }

    pub(super) fn name_attribute(&mut self) -> Result<Option<NameAttribute>, FieldError> {
        let key = "name_attribute";
        match self.text(key)?.as_deref() {
            None => Ok(None),
            Some("device") => Ok(Some(NameAttribute::Device)),
            Some(KEY_ATTRIBUTE) => Ok(Some(NameAttribute::ThingKey)),
            Some(text) => Err(FieldError::Word {
                key,
                text: text.into(),
                words: "`device` or `thing_key`",
            }),
        }
    }

    pub(super) fn chosen_secrets(&mut self) -> Result<Option<ChosenSecrets>, FieldError> {
        if !self.flag("secret_chosen", false)? {
            return Ok(None);
        }
        Ok(Some(ChosenSecrets {
            fewest: self.number("secret_min_chars", MOST_SECRET_CHARS)?,
            most: self.number("secret_max_chars", MOST_SECRET_CHARS)?,
        }))
    }
}

const MOST_NAME_CHARS: u16 = 255;
const MOST_SECRET_CHARS: u16 = 1_024;
