//! How a replica takes what its centre tells of a table: what a broker wrote to it stays
//! until the centre tells what came of that.

/// That a broker wrote this, and its centre does not tell what came of it yet.
macro_rules! pending {
    ($kind:literal, $number:literal) => {
        concat!(
            "EXISTS (SELECT 1 FROM hand_back WHERE hand_back.kind = '",
            $kind,
            "' AND hand_back.number = ",
            $number,
            ")"
        )
    };
}

/// That a broker counted failures that its centre does not know of yet.
macro_rules! uncounted {
    () => {
        "EXISTS (SELECT 1 FROM hand_back
             WHERE hand_back.kind = 'failed' AND hand_back.name = lockout.name)"
    };
}

/// A tie that a broker made of what its centre knows untied, until that has judged it.
/// Whatever raises the generation at the centre undoes it.
macro_rules! kept_tie {
    ($column:literal) => {
        concat!(
            "CASE WHEN excluded.client_id_tie IS NULL AND credential.client_id_tie IS NOT NULL
                 AND excluded.generation = credential.generation
                 AND excluded.client_id_rule = credential.client_id_rule AND ",
            pending!("tied", "credential.id"),
            " THEN credential.",
            $column,
            " ELSE excluded.",
            $column,
            " END"
        )
    };
}

/// What is taken of a table, and what of it stays.
#[derive(Clone, Copy, Debug)]
pub(super) struct Taking {
    table: &'static str,
    /// What stays of a row that the broker wrote to: what a column becomes, where
    /// `excluded` is what the centre says.
    pub(super) kept: &'static [(&'static str, &'static str)],
    /// Which rows a replica takes (`incoming` is one). A broker may have done away with
    /// some by itself.
    pub(super) taken: &'static str,
    /// Which rows stay although the centre does not have them.
    pub(super) stays: &'static str,
    /// Which rows that the broker added by itself make room for `incoming`.
    pub(super) displaced: Option<&'static str>,
    /// Columns that must be empty for a moment where rows exchange what is unique.
    pub(super) freed: &'static [&'static str],
}

impl Taking {
    const fn all_of(table: &'static str) -> Self {
        Self {
            table,
            kept: &[],
            taken: "true",
            stays: "false",
            displaced: None,
            freed: &[],
        }
    }

    /// How a table is taken.
    pub(super) fn of(table: &'static str) -> Self {
        let known = TAKEN.iter().find(|it| it.table == table);
        known.copied().unwrap_or(Self::all_of(table))
    }

    /// The tables in which rows of brokers make room for the centre's.
    pub(super) fn displacing() -> impl Iterator<Item = &'static str> {
        let displacing = TAKEN.iter().filter(|it| it.displaced.is_some());
        displacing.map(|it| it.table)
    }
}

/// The tables of which not just all is taken.
const TAKEN: &[Taking] = &[
    Taking {
        freed: &["client_id_prefix"],
        ..Taking::all_of("tenant")
    },
    Taking {
        kept: &[
            (
                "state",
                concat!(
                    "CASE WHEN credential.state = 'Active' AND excluded.state = 'Inactive' AND ",
                    pending!("activated", "credential.id"),
                    " THEN 'Active' ELSE excluded.state END"
                ),
            ),
            (
                "ever_used",
                concat!(
                    "CASE WHEN credential.state = 'Active' AND excluded.state = 'Inactive' AND ",
                    pending!("activated", "credential.id"),
                    " THEN 1 ELSE excluded.ever_used END"
                ),
            ),
            (
                "last_used_at",
                "nullif(max(coalesce(credential.last_used_at, -1),
                     coalesce(excluded.last_used_at, -1)), -1)",
            ),
            ("client_id_tie", kept_tie!("client_id_tie")),
            ("bound_to", kept_tie!("bound_to")),
        ],
        ..Taking::all_of("credential")
    },
    Taking {
        // A secret that counts until a newer one is used, and was.
        taken: concat!(
            "NOT (incoming.until_used = 1
             AND NOT EXISTS (SELECT 1 FROM secret WHERE secret.id = incoming.id) AND ",
            pending!("retired", "incoming.id"),
            ")"
        ),
        ..Taking::all_of("secret")
    },
    Taking {
        kept: &[
            (
                "last_step",
                "nullif(max(coalesce(person.last_step, -1), coalesce(excluded.last_step, -1)), -1)",
            ),
            (
                "last_tenant",
                "coalesce(person.last_tenant, excluded.last_tenant)",
            ),
        ],
        ..Taking::all_of("person")
    },
    Taking {
        displaced: Some(
            "ban.network = incoming.network
             OR (ban.client_id = incoming.client_id AND ban.tenant IS incoming.tenant)",
        ),
        ..Taking::all_of("ban")
    },
    Taking {
        // What fails at the broker adds up at the centre, which tells the sum.
        kept: &[
            (
                "failures",
                concat!(
                    "CASE WHEN ",
                    uncounted!(),
                    " THEN max(lockout.failures, excluded.failures) ELSE excluded.failures END"
                ),
            ),
            (
                "locked_until",
                concat!(
                    "CASE WHEN ",
                    uncounted!(),
                    " THEN nullif(max(coalesce(lockout.locked_until, -1),
                          coalesce(excluded.locked_until, -1)), -1)
                      ELSE excluded.locked_until END"
                ),
            ),
        ],
        stays: uncounted!(),
        ..Taking::all_of("lockout")
    },
];

/// From here on rows are numbered that a broker adds to its replica by itself, as bans of
/// its own; a centre never comes so far.
pub(super) const FIRST_OWN: i64 = 1 << 40;
