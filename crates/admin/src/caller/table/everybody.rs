//! The table, tried by every kind of caller.

use super::callers::callers;
use super::*;

#[test]
fn every_command_is_run_by_those_alone_whom_the_table_names() {
    let mut fixture = furnished();
    let callers = callers(&mut fixture);
    let rows = table(&mut fixture);
    let mut wrong = Vec::new();
    for (command, may, run) in &rows {
        let mut as_caller = |authority| {
            fixture.act(|store, context| {
                context.caller.authority = authority;
                run(store, context).map_err(|error| (error.kind(), error.to_string()))
            })
        };
        let of_platform = as_caller(Authority::Platform);
        for (caller, authority, column) in &callers {
            let said = as_caller(*authority);
            let is_refused = said
                .as_ref()
                .is_err_and(|(kind, _)| matches!(kind, ErrorKind::Forbidden | ErrorKind::NotFound));
            let is_right = match (may, column.is_permitted(*may)) {
                // What the platform would be answered is no measure here.
                (May::Own, true) => !said
                    .as_ref()
                    .is_err_and(|(_, message)| message.contains("signed in")),
                (_, true) => said == of_platform,
                (_, false) => is_refused,
            };
            if !is_right {
                wrong.push(format!(
                    "{command} by {caller}: {said:?}, the platform: {of_platform:?}"
                ));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
