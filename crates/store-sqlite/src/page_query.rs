//! The statement of one page of a listing.

use rusqlite::types::Value;

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

    /// Adds a condition.
    pub(crate) fn and<const N: usize>(mut self, condition: &str, values: [Value; N]) -> Self {
        self.sql.push_str(" AND ");
        self.sql.push_str(condition);
        self.values.extend(values);
        self
    }

    /// Ends with the rows after a key, in its order. A statement without a key has
    /// no condition on it: SQLite would look at all rows before it, too.
    pub(crate) fn page<const N: usize>(
        self,
        key: [&str; N],
        after: Option<[Value; N]>,
        limit: u64,
    ) -> (String, Vec<Value>) {
        let columns = key.join(", ");
        let marks = ["?"; N].join(", ");
        let mut query = match after {
            Some(after) => self.and(&format!("({columns}) > ({marks})"), after),
            None => self,
        };
        query.sql.push_str(" ORDER BY ");
        query.sql.push_str(&columns);
        query.sql.push_str(" LIMIT ?");
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        query.values.push(limit.into());
        (query.sql, query.values)
    }
}

/// A text to be bound.
pub(crate) fn text(text: impl AsRef<str>) -> Value {
    Value::Text(text.as_ref().into())
}
