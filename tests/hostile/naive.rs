//! Topic filters, read as the specification says it, level by level. The oracle
//! and the fuzz targets hold the product against it.

/// MQTT 5.0 §4.7, level by level.
pub fn matches(filter: &str, topic: &str) -> bool {
    if topic.starts_with('$') && filter.starts_with(['+', '#']) {
        return false;
    }
    let filter: Vec<&str> = filter.split('/').collect();
    let topic: Vec<&str> = topic.split('/').collect();
    levels_match(&filter, &topic)
}

fn levels_match(filter: &[&str], topic: &[&str]) -> bool {
    match (filter, topic) {
        (["#"], _) | ([], []) => true,
        ([], _) | (_, []) => false,
        (["+", filter @ ..], [_, topic @ ..]) => levels_match(filter, topic),
        ([one, filter @ ..], [other, topic @ ..]) => one == other && levels_match(filter, topic),
    }
}

/// Whether every topic of `narrow` is one of `wide`.
pub fn covers(wide: &str, narrow: &str) -> bool {
    if narrow.starts_with('$') && wide.starts_with(['+', '#']) {
        return false;
    }
    // The empty text is not a topic.
    let narrow = match narrow {
        "#" => "+/#",
        "/#" => "/+/#",
        narrow => narrow,
    };
    let wide: Vec<&str> = wide.split('/').collect();
    let narrow: Vec<&str> = narrow.split('/').collect();
    levels_cover(&wide, &narrow)
}

fn levels_cover(wide: &[&str], narrow: &[&str]) -> bool {
    match (wide, narrow) {
        (["#"], _) | ([], []) => true,
        ([], _) | (_, [] | ["#"]) => false,
        (["+", wide @ ..], [_, narrow @ ..]) => levels_cover(wide, narrow),
        ([one, wide @ ..], [other, narrow @ ..]) => one == other && levels_cover(wide, narrow),
    }
}

/// Whether some topic is one of both.
pub fn intersects(one: &str, other: &str) -> bool {
    let wild = |filter: &str| filter.starts_with(['+', '#']);
    if (one.starts_with('$') && wild(other)) || (other.starts_with('$') && wild(one)) {
        return false;
    }
    // Both match the empty text, which is not a topic.
    if matches!((one, other), ("/#", "+") | ("+", "/#")) {
        return false;
    }
    let one: Vec<&str> = one.split('/').collect();
    let other: Vec<&str> = other.split('/').collect();
    levels_meet(&one, &other)
}

fn levels_meet(one: &[&str], other: &[&str]) -> bool {
    match (one, other) {
        (["#"], _) | (_, ["#"]) | ([], []) => true,
        ([], _) | (_, []) => false,
        ([a, one @ ..], [b, other @ ..]) => {
            (*a == "+" || *b == "+" || a == b) && levels_meet(one, other)
        }
    }
}
