//! What was found in a store that can't be read, said once.

/// What can't be read, in words.
#[derive(Debug)]
pub(crate) struct Complaints {
    lines: Vec<String>,
    are_said: bool,
}

impl Complaints {
    /// What was found now. What is all the same as `before` is not said again.
    pub(crate) fn new(mut lines: Vec<String>, before: Option<&Self>) -> Self {
        let found = lines.len();
        if found > MOST {
            lines.truncate(MOST);
            lines.push(format!("{found} records can't be read"));
        }
        let is_known = before.is_some_and(|it| it.are_said && it.lines == lines);
        Self {
            are_said: is_known || lines.is_empty(),
            lines,
        }
    }

    /// What is to be said, once.
    pub(crate) fn take(&mut self) -> Vec<String> {
        if core::mem::replace(&mut self.are_said, true) {
            Vec::new()
        } else {
            self.lines.clone()
        }
    }

    /// Says whether something is not said yet.
    pub(crate) fn are_due(&self) -> bool {
        !self.are_said
    }
}

/// So many records are named at once that can't be read.
const MOST: usize = 16;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_records_that_can_t_be_read_so_many_are_named_and_the_rest_counted() {
        let lines = (0..1_000).map(|number| number.to_string()).collect();
        let mut complaints = Complaints::new(lines, None);
        let said = complaints.take();
        assert_eq!(said.len(), MOST + 1);
        assert_eq!(said.last().unwrap(), "1000 records can't be read");
        assert!(complaints.take().is_empty() && !complaints.are_due());
    }
}
