//! Routes as data: what each reads, what it answers, and what it does.
//!
//! One value makes both the router and the OpenAPI document, so neither can have a
//! route, a query word, a member or a status that the other lacks.

use axum::http::{Method, StatusCode};
use schemars::{JsonSchema, Schema};
use serde::de::DeserializeOwned;

use crate::answer::{Answer, JSON};
use crate::call::Call;
use crate::input::{FromBody, read_query, schema_of};
use crate::problem::{Problem, ProblemKind};
use crate::shape::Shape;

/// One method at one path.
pub(crate) struct Route {
    pub(crate) method: Method,
    /// The path, with `{…}` for the parts that are left open.
    pub(crate) path: &'static str,
    /// What it does, in one line.
    pub(crate) summary: &'static str,
    /// What stands behind the `?`.
    pub(crate) query: Schema,
    /// What the body is, and whether there must be one.
    pub(crate) body: Option<(Schema, bool)>,
    /// What it answers if nothing is wrong.
    pub(crate) answers: Vec<Answered>,
    /// Who may ask, and which threads answer.
    pub(crate) access: Access,
    /// Whether it looks at `If-Match`.
    pub(crate) is_conditional: bool,
    /// What it does.
    pub(crate) run: Handler,
}

/// Who may ask for something.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Access {
    /// Everybody.
    Anybody,
    /// Whoever is known.
    Known,
    /// Whoever is known, who proves it once more; a thread that hashes answers.
    KnownWithPassword,
    /// Everybody; a thread that hashes answers.
    Open,
    /// The same, but who shows who they are must be known.
    OpenOrKnown,
}

/// Something that is answered.
pub(crate) struct Answered {
    pub(crate) status: StatusCode,
    /// Its media type and what it looks like; none where there is nothing.
    pub(crate) content: Option<(&'static str, Shape)>,
    pub(crate) is_tagged: bool,
}

/// Reads the bytes of a body, and answers.
pub(crate) type Handler =
    Box<dyn Fn(&mut Call<'_>, &[u8]) -> Result<Answer, Problem> + Send + Sync>;

impl Route {
    /// A route whose query is a `Q` and whose body is a `B`.
    pub(crate) fn new<Q, B>(
        method: Method,
        path: &'static str,
        summary: &'static str,
        handler: fn(&mut Call<'_>, Q, B) -> Result<Answer, Problem>,
    ) -> Self
    where
        Q: DeserializeOwned + JsonSchema + 'static,
        B: FromBody + 'static,
    {
        Self {
            method,
            path,
            summary,
            query: schema_of::<Q>(),
            body: B::schema().map(|schema| (schema, B::IS_REQUIRED == Some(true))),
            answers: Vec::new(),
            access: Access::Known,
            is_conditional: false,
            run: Box::new(move |call, body| {
                let query = read_query(call.asked.query.as_deref())?;
                let body = B::read(body)?;
                handler(call, query, body)
            }),
        }
    }

    /// The same, which answers with this.
    pub(crate) fn answers(mut self, status: StatusCode, shape: Shape) -> Self {
        self.answers.push(Answered {
            status,
            content: Some((JSON, shape)),
            is_tagged: false,
        });
        self
    }

    /// The same, which answers with text of a kind of its own.
    pub(crate) fn answers_text(mut self, kind: &'static str) -> Self {
        self.answers.push(Answered {
            status: StatusCode::OK,
            content: Some((kind, Shape::Text)),
            is_tagged: false,
        });
        self
    }

    /// The same, which answers with one thing and its tag.
    pub(crate) fn answers_tagged(mut self, shape: Shape) -> Self {
        self.answers.push(Answered {
            status: StatusCode::OK,
            content: Some((JSON, shape)),
            is_tagged: true,
        });
        self
    }

    /// The same, which answers with a part of a listing.
    pub(crate) fn answers_page(self, item: &'static Shape) -> Self {
        self.answers(StatusCode::OK, Shape::Page(item))
    }

    /// The same, which answers that something is gone.
    pub(crate) fn answers_nothing(mut self) -> Self {
        self.answers.push(Answered {
            status: StatusCode::NO_CONTENT,
            content: None,
            is_tagged: false,
        });
        self
    }

    /// The same, for whom this says.
    pub(crate) fn with_access(mut self, access: Access) -> Self {
        self.access = access;
        self
    }

    /// The same, which acts only on a version that `If-Match` names.
    pub(crate) fn conditional(mut self) -> Self {
        self.is_conditional = true;
        self
    }

    /// The kinds of problems that it can answer with.
    pub(crate) fn problems(&self) -> Vec<ProblemKind> {
        let is_safe = self.method == Method::GET;
        let all = ProblemKind::ALL.into_iter();
        let can_be = |kind: &ProblemKind| match kind {
            ProblemKind::Conflict | ProblemKind::Exists | ProblemKind::InUse => !is_safe,
            ProblemKind::PreconditionFailed => self.is_conditional,
            ProblemKind::TooLarge | ProblemKind::UnsupportedMediaType => self.body.is_some(),
            ProblemKind::MethodNotAllowed => false,
            ProblemKind::Forbidden
            | ProblemKind::Invalid
            | ProblemKind::MfaRequired
            | ProblemKind::NotFound
            | ProblemKind::TooManyRequests
            | ProblemKind::Unauthenticated
            | ProblemKind::Unavailable => true,
        };
        all.filter(can_be).collect()
    }
}

/// Routes by method, in short.
macro_rules! by_method {
    ($($name:ident $method:ident;)*) => {$(
        pub(crate) fn $name<Q, B>(
            path: &'static str,
            summary: &'static str,
            handler: fn(&mut Call<'_>, Q, B) -> Result<Answer, Problem>,
        ) -> Route
        where
            Q: DeserializeOwned + JsonSchema + 'static,
            B: FromBody + 'static,
        {
            Route::new(Method::$method, path, summary, handler)
        }
    )*};
}

by_method! {
    delete DELETE;
    get GET;
    patch PATCH;
    post POST;
    put PUT;
}
