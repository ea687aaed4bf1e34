//! The server of a store in a database.

use countersign_store::ServerFacts;

use super::Problem;

/// What only PostgreSQL can tell and matters to the store.
pub(super) fn problems(facts: &ServerFacts) -> Vec<Problem> {
    let mut problems = Vec::new();
    if facts.is_standby {
        problems.push(Problem::new(
            "the server is a standby, and takes no changes",
            "name the server that it follows; with `target_session_attrs=read-write` the address \
             finds it among several hosts",
        ));
    } else if facts.is_read_only {
        problems.push(Problem::new(
            "the server takes no changes of this user, as `default_transaction_read_only` is on",
            "switch it off for this user and database",
        ));
    }
    if !facts.unsafe_settings.is_empty() {
        let settings = facts.unsafe_settings.iter().map(|it| format!("`{it}`"));
        let settings: Vec<_> = settings.collect();
        let (settings, are, them) = match settings.as_slice() {
            [one] => (one.clone(), "is", "it"),
            all => (all.join(" and "), "are", "them"),
        };
        problems.push(Problem::warning(
            format!("{settings} {are} off: where the server's machine fails, the store is lost"),
            format!("switch {them} on in the server's postgresql.conf, and have it read that"),
        ));
    }
    if facts.encoding != "UTF8" {
        problems.push(Problem::warning(
            format!(
                "the database keeps texts as {}: names with other letters can't be stored",
                facts.encoding
            ),
            "export the store, and import it into a database that `createdb --encoding UTF8 \
             --template template0` made",
        ));
    }
    problems
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::Level;

    #[test]
    fn each_fact_that_matters_is_a_problem_and_a_sound_server_has_none() {
        let sound = ServerFacts {
            encoding: "UTF8".into(),
            unsafe_settings: Vec::new(),
            is_standby: false,
            is_read_only: false,
        };
        assert!(problems(&sound).is_empty());
        for (facts, level, told) in [
            (
                ServerFacts {
                    is_standby: true,
                    is_read_only: true,
                    ..sound.clone()
                },
                Level::Fail,
                "the server is a standby",
            ),
            (
                ServerFacts {
                    is_read_only: true,
                    ..sound.clone()
                },
                Level::Fail,
                "`default_transaction_read_only` is on",
            ),
            (
                ServerFacts {
                    unsafe_settings: vec!["fsync".into()],
                    ..sound.clone()
                },
                Level::Warn,
                "`fsync` is off",
            ),
            (
                ServerFacts {
                    encoding: "LATIN1".into(),
                    ..sound
                },
                Level::Warn,
                "keeps texts as LATIN1",
            ),
        ] {
            let found = problems(&facts);
            let [problem] = found.as_slice() else {
                panic!("{found:?}");
            };
            assert_eq!(problem.level, level);
            assert!(problem.problem.contains(told), "{problem:?}");
        }
    }
}
