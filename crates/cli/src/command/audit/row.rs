//! A row of the audit, as people read it.

use countersign_admin::view::AuditView;
use countersign_core::audit::AuditRow;
use serde_json::{Value, json};

use crate::error::CliError;
use crate::output::value::{Times, text};

/// What an act changed, a line for each field: what it was, and what it is.
pub(super) fn changes(row: &AuditRow) -> Result<Vec<(&'static str, String)>, CliError> {
    let view = serde_json::to_value(AuditView::of(row))?;
    let changes = view.get("changes").and_then(Value::as_array);
    let lines = changes.into_iter().flatten().map(|change| {
        let part = |key| {
            let value = change.get(key);
            value
                .map(|value| text("", value, Times::Exact))
                .unwrap_or_default()
        };
        let (field, before, after) = (part("field"), part("before"), part("after"));
        let line = format!("{}: {} → {}", *field, *before, *after);
        ("changes", line)
    });
    Ok(lines.collect())
}

/// The row as a line of a table. What something was made or deleted with is left to
/// `audit show`.
pub(super) fn line(row: &AuditRow) -> Result<Value, CliError> {
    let mut view = serde_json::to_value(AuditView::of(row))?;
    let is_change = row.entry.before.is_some() && row.entry.after.is_some();
    let changes = if is_change { changes(row)? } else { Vec::new() };
    let told = changes.into_iter().map(|(_, line)| line);
    // When it changed is the time of the row.
    let told: Vec<_> = told
        .filter(|line| !line.starts_with("updated_at:"))
        .collect();
    if let Some(object) = view.as_object_mut() {
        object.insert("changes".into(), json!(told));
    }
    Ok(view)
}
