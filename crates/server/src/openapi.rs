//! The OpenAPI document, made of the routes.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use crate::problem::{PROBLEM_JSON, ProblemKind};
use crate::route::{Answered, Route};
use crate::shape::Shape;

/// Describes routes.
pub(crate) fn describe(routes: &[Route]) -> Value {
    let mut named = Map::new();
    let mut paths: BTreeMap<&str, Map<String, Value>> = BTreeMap::new();
    for route in routes {
        let operation = operation(route, &mut named);
        let method = route.method.as_str().to_ascii_lowercase();
        paths
            .entry(route.path)
            .or_default()
            .insert(method, operation);
    }
    let _ = PROBLEM.to_schema(&mut named);
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Countersign",
            "description": "Who may connect to an MQTT broker, and what they may do there.",
            "version": env!("CARGO_PKG_VERSION"),
            "license": { "name": "Apache-2.0 OR MIT" },
        },
        "servers": [{ "url": "/" }],
        "security": [{ "token": [] }, { "password": [] }, { "session": [] }],
        "paths": paths,
        "components": {
            "schemas": named,
            "securitySchemes": {
                "token": { "type": "http", "scheme": "bearer" },
                "password": { "type": "http", "scheme": "basic" },
                "session": {
                    "type": "apiKey",
                    "in": "cookie",
                    "name": crate::authenticate::COOKIE,
                },
            },
        },
    })
}

fn operation(route: &Route, named: &mut Map<String, Value>) -> Value {
    let mut responses = Map::new();
    for answered in &route.answers {
        let response = response(answered, named);
        responses.insert(answered.status.as_str().to_owned(), response);
    }
    for kind in route.problems() {
        let status = kind.status();
        responses.insert(
            status.as_str().to_owned(),
            json!({
                "description": status.canonical_reason().unwrap_or_default(),
                "content": { PROBLEM_JSON: { "schema": PROBLEM.to_schema(named) } },
            }),
        );
    }
    let mut operation = json!({
        "operationId": operation_id(route),
        "summary": route.summary,
        "tags": [tag(route.path)],
        "parameters": parameters(route),
        "responses": responses,
    });
    if let (Some((schema, is_required)), Some(operation)) = (&route.body, operation.as_object_mut())
    {
        let body = json!({
            "required": is_required,
            "content": { "application/json": { "schema": schema } },
        });
        operation.insert("requestBody".to_owned(), body);
    }
    operation
}

fn response(answered: &Answered, named: &mut Map<String, Value>) -> Value {
    let mut response = json!({
        "description": answered.status.canonical_reason().unwrap_or_default(),
    });
    let Some(fields) = response.as_object_mut() else {
        return response;
    };
    if let Some((kind, shape)) = answered.content {
        let content = json!({ kind: { "schema": shape.to_schema(named) } });
        fields.insert("content".to_owned(), content);
    }
    if answered.is_tagged {
        let header =
            json!({ "description": "Which version of it this is", "schema": { "type": "string" } });
        fields.insert("headers".to_owned(), json!({ "ETag": header }));
    }
    response
}

/// The parts of the path, the words of the query, and what an act depends on.
fn parameters(route: &Route) -> Vec<Value> {
    let mut parameters = Vec::new();
    for part in parts(route.path) {
        parameters.push(json!({
            "name": part,
            "in": "path",
            "required": true,
            "schema": { "type": "string", "minLength": 1 },
        }));
    }
    let query = route.query.as_value();
    let properties = query.get("properties").and_then(Value::as_object);
    let required = query.get("required").and_then(Value::as_array);
    for (name, schema) in properties.into_iter().flatten() {
        let is_required = required.is_some_and(|it| it.iter().any(|it| it == name));
        parameters.push(json!({
            "name": name,
            "in": "query",
            "required": is_required,
            "schema": schema,
        }));
    }
    if route.is_conditional {
        parameters.push(json!({
            "name": "If-Match",
            "in": "header",
            "required": false,
            "description": "Act only on this version: an `ETag` that was answered",
            "schema": { "type": "string" },
        }));
    }
    parameters
}

/// The parts of a path that are left open.
fn parts(path: &str) -> impl Iterator<Item = &str> {
    path.split('/').filter_map(|part| {
        let part = part.strip_prefix('{')?;
        part.strip_suffix('}')
    })
}

/// What generated clients call an operation.
fn operation_id(route: &Route) -> String {
    let mut id = route.method.as_str().to_ascii_lowercase();
    let path = route.path.strip_prefix(API).unwrap_or(route.path);
    for part in path.split('/').filter(|part| !part.is_empty()) {
        let word: String = part.chars().filter(|it| !"{}".contains(*it)).collect();
        id.push('_');
        if part.starts_with('{') {
            id.push_str("by_");
        }
        id.push_str(&word.replace(['-', '.'], "_"));
    }
    id
}

/// The noun that a path is about.
fn tag(path: &str) -> &str {
    let path = path.strip_prefix(API).unwrap_or(path);
    let mut parts = path.split('/').filter(|part| !part.starts_with('{'));
    let last = parts.by_ref().nth(1).unwrap_or_default();
    // What is in a tenant has its own noun.
    match (last, parts.next()) {
        ("tenants", Some(noun)) => noun,
        (noun, _) => noun,
    }
}

/// Where the paths of the REST interface begin.
pub(crate) const API: &str = "/api/v1";

/// A problem, as [`Problem`](crate::problem::Problem) writes it.
const PROBLEM: Shape = Shape::Named(
    "Problem",
    &Shape::Object(&[
        ("type", Shape::Text),
        ("title", Shape::Text),
        ("status", Shape::Integer),
        ("detail", Shape::Text),
        ("kind", Shape::Word(&ProblemKind::WORDS)),
    ]),
);
