//! A plan row by row: each is a credential of whatever tenant and scheme.

use countersign_admin::import::{
    ImportRow, ImportTable, KnownCredential, UpdateImportedCredential,
};
use countersign_admin::taking::Taking;

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

    /// A row that an earlier import made.
    pub(crate) fn again(&mut self, mut wanted: DesiredCredential, known: &KnownCredential) {
        match credential_again(&mut wanted, known, self.source, self.updates_allowed) {
            Again::Told => {}
            Again::Unchanged => self.told.count_unchanged(),
            Again::Update(update) => self.updates.push(*update),
        }
        self.told.settle(wanted.into_items());
        if self.updates.len() >= MOST_IN_A_STEP {
            self.flush();
        }
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
