//! A plan row by row: each is a credential of whatever tenant and scheme.

use countersign_admin::import::{
    ImportRow, ImportTable, KnownCredential, UpdateImportedCredential,
};
use countersign_admin::taking::Taking;
use countersign_admin::{AdminError, Context, ErrorKind, dry_run};
use countersign_core::store::AdminStore;

use super::Plan;
use super::again::{Again, credential_again};
use super::desired::{DesiredCredential, Item};
use super::step::{MOST_IN_A_STEP, Step};
use super::told::Told;

/// Makes steps of rows and tells what becomes of each.
pub(crate) struct RowPlanner {
    source: &'static str,
    updates_allowed: bool,
    dry_run: bool,
    told: Told,
    rows: Vec<ImportRow>,
    updates: Vec<UpdateImportedCredential>,
    steps: Vec<Step>,
}

impl RowPlanner {
    /// Begins to plan.
    pub(crate) fn new(source: &'static str, update: bool, dry_run: bool) -> Self {
        Self {
            source,
            updates_allowed: update,
            dry_run,
            told: Told::default(),
            rows: Vec::new(),
            updates: Vec::new(),
            steps: Vec::new(),
        }
    }

    /// A row that is to be made.
    pub(crate) fn make(&mut self, row: ImportRow, item: Item) {
        self.told.settle([item]);
        self.rows.push(row);
        if self.rows.len() >= MOST_IN_A_STEP {
            self.flush();
        }
    }

    /// A row of which nothing is made.
    pub(crate) fn settle(&mut self, item: Item) {
        self.told.settle([item]);
    }

    /// A row that an earlier import made. What is to be changed of it is tried first; where
    /// it is refused, the row is lost.
    pub(crate) fn again<S: AdminStore>(
        &mut self,
        store: &mut S,
        context: &mut Context<'_>,
        mut wanted: DesiredCredential,
        known: &KnownCredential,
    ) -> Result<(), AdminError> {
        match credential_again(&mut wanted, known, self.source, self.updates_allowed) {
            Again::Told => {}
            Again::Unchanged => self.told.count_unchanged(),
            Again::Update(update) => match dry_run(store, context, &*update) {
                Ok(()) => self.updates.push(*update),
                Err(error) if error.kind() == ErrorKind::Unavailable => return Err(error),
                Err(error) => {
                    let why = error.to_string();
                    wanted.items().for_each(|item| item.lose(&why, MEND));
                }
            },
        }
        self.told.settle(wanted.into_items());
        if self.updates.len() >= MOST_IN_A_STEP {
            self.flush();
        }
        Ok(())
    }

    fn flush(&mut self) {
        if !self.rows.is_empty() {
            let rows = core::mem::take(&mut self.rows);
            self.steps.push(Step::Rows(ImportTable(rows)));
        }
        if !self.updates.is_empty() {
            let updates = core::mem::take(&mut self.updates);
            self.steps.push(Step::Updates(updates));
        }
    }

    /// The plan, once all rows were planned, with the tenant that is made before them.
    pub(crate) fn finish(mut self, making: Option<Step>, taking: Taking) -> Plan {
        self.flush();
        self.steps.splice(..0, making);
        let report = self.told.report(self.source, self.dry_run, &self.steps);
        Plan {
            report,
            steps: self.steps,
            taking,
        }
    }
}

/// What is to be done about a row that is not taken over.
pub(crate) const MEND: &str = "mend the row, and import again";
