//! The statement of one page of a listing.

use crate::sql::Value;

/// A statement that is put together of conditions, and what is bound to it.
pub(crate) struct PageQuery {
    sql: String,
    values: Vec<Value>,
}

impl PageQuery {
    /// Begins with a SELECT that has a condition.
    pub(crate) fn of(select: &str) -> Self {
        Self {
            sql: select.into(),
            values: Vec::new(),
        }
    }

    /// Adds a condition on a value, if there is one.
    pub(crate) fn when(self, condition: &str, value: Option<impl Into<Value>>) -> Self {
        match value {
            Some(value) => self.and(condition, [value.into()]),
            None => self,
        }
    }

    /// Adds a condition. Each `?` in it stands for the next of `values`.
    pub(crate) fn and(mut self, condition: &str, values: impl IntoIterator<Item = Value>) -> Self {
        self.sql.push_str(" AND ");
        self.push(condition);
        self.values.extend(values);
        self
    }

    /// Adds a part of the statement that is no condition of its own.
    pub(crate) fn add(&mut self, part: &str, values: impl IntoIterator<Item = Value>) {
        self.push(part);
        self.values.extend(values);
    }

    /// Ends as it is.
    pub(crate) fn ended(self) -> (String, Vec<Value>) {
        (self.sql, self.values)
    }

    /// Adds a part of the statement, whose values are added after it.
    fn push(&mut self, part: &str) {
        let mut number = self.values.len();
        for (index, part) in part.split('?').enumerate() {
            if index > 0 {
                number = number.saturating_add(1);
                self.sql.push_str(&format!("${number}"));
            }
            self.sql.push_str(part);
        }
    }

    /// Ends with the rows after a key, in its order.
    pub(crate) fn page<const N: usize>(
        self,
        key: [&str; N],
        after: Option<[Value; N]>,
        limit: u64,
    ) -> (String, Vec<Value>) {
        let columns = key.join(", ");
        let marks = ["?"; N].join(", ");
        let query = match after {
            Some(after) => self.and(&format!("({columns}) > ({marks})"), after),
            None => self,
        };
        query.ordered(&columns, limit)
    }

    /// Ends with the last rows in the order of a key, the last first.
    pub(crate) fn newest<const N: usize>(self, key: [&str; N], limit: u64) -> (String, Vec<Value>) {
        let columns = key.map(|column| format!("{column} DESC")).join(", ");
        self.ordered(&columns, limit)
    }

    fn ordered(mut self, by: &str, limit: u64) -> (String, Vec<Value>) {
        self.sql.push_str(" ORDER BY ");
        self.sql.push_str(by);
        self.push(" LIMIT ?");
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        self.values.push(limit.into());
        (self.sql, self.values)
    }
}

/// A text to be bound.
pub(crate) fn text(text: impl AsRef<str>) -> Value {
    Value::Text(text.as_ref().into())
}
