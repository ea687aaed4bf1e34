//! RabbitMQ: `user`, `vhost`, `resource` and `topic`. The pin is a tag, which RabbitMQ
//! tells with each question after the first.

use super::asked::{Asked, Login, Use, Verdict, Wanted};
use super::fields::Fields;
use countersign::Pin;
use countersign_core::hook::Vhost;

/// What a request asks, where clients may use these virtual hosts.
pub(super) fn question(last: &str, fields: &Fields, vhosts: &[Vhost]) -> Option<Asked> {
    let username = fields.text("username")?;
    // A client chooses it: by `VHOST:NAME` as its user name.
    let is_theirs = |vhost: &str| vhosts.iter().any(|it| it.as_str() == vhost);
    if last == "user" {
        if !fields.maybe_text("vhost")?.is_none_or(is_theirs) {
            return None;
        }
        // Only MQTT clients have a client id. Whoever comes by AMQP or to the management
        // interface with a device's password has none.
        let client_id = fields.text("client_id")?;
        let password = fields.maybe_text("password")?;
        return Some(Asked::Login(Login::of(username, password, client_id)));
    }
    if !is_theirs(fields.text("vhost")?) {
        return None;
    }
    let pin = Pin::parse(fields.text("tags")?)?;
    let (client_id, wanted) = match last {
        "vhost" => (fields.text("client_id")?, Wanted::Connection),
        "resource" => {
            let client_id = fields.text("client_id")?;
            let needs = Resource {
                resource: fields.text("resource")?,
                name: fields.text("name")?,
                permission: fields.text("permission")?,
            };
            if !needs.is_mqtts(client_id) {
                return None;
            }
            (client_id, Wanted::Connection)
        }
        "topic" => {
            if fields.text("resource")? != "topic" || fields.text("name")? != EXCHANGE {
                return None;
            }
            let topic = topic_of(fields.text("routing_key")?);
            let wanted = match fields.text("permission")? {
                // It delivers these to who subscribed to `#`, too, which is not for topics
                // that begin so (MQTT 5.0 §4.7.2).
                "write" if topic.starts_with('$') => return None,
                "write" => Wanted::Publish {
                    topic,
                    qos: None,
                    retain: None,
                },
                "read" => Wanted::Subscribe(topic),
                _ => return None,
            };
            (fields.text("variable_map.client_id")?, wanted)
        }
        _ => return None,
    };
    Some(Asked::Use(Use::pinned(pin, username, client_id, wanted)))
}

/// What a client wants to do with something of RabbitMQ's.
struct Resource<'a> {
    resource: &'a str,
    name: &'a str,
    permission: &'a str,
}

impl Resource<'_> {
    /// Says whether MQTT needs it: the client's own queues, and the exchange that its
    /// topics go through. Nothing else of a broker is a device's.
    fn is_mqtts(&self, client_id: &str) -> bool {
        match (self.resource, self.permission) {
            ("exchange", "read" | "write") => self.name == EXCHANGE,
            ("queue", "configure" | "read" | "write") => {
                let subscription = self.name.strip_prefix("mqtt-subscription-");
                let own = subscription
                    .and_then(|name| name.strip_suffix("qos0").or(name.strip_suffix("qos1")))
                    .or_else(|| self.name.strip_prefix("mqtt-will-"));
                own == Some(client_id)
            }
            _ => false,
        }
    }
}

/// The topic, or the filter, that a routing key stands for: RabbitMQ writes `/` as `.`
/// and `+` as `*`, and can't tell them from a `.` and a `*` that was there.
fn topic_of(routing_key: &str) -> String {
    routing_key.replace('.', "/").replace('*', "+")
}

/// The answer: `allow`, with the pin as a tag where there is one.
pub(super) fn answer(verdict: &Verdict) -> Vec<u8> {
    match verdict {
        Verdict::No => "deny".into(),
        Verdict::Yes(None) => "allow".into(),
        Verdict::Yes(Some(pinned)) => format!("allow {}", pinned.pin).into_bytes(),
    }
}

/// The exchange of MQTT's topics.
const EXCHANGE: &str = "amq.topic";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_mqtt_needs_is_a_devices() {
        let is_mqtts = |resource, name, permission| {
            Resource {
                resource,
                name,
                permission,
            }
            .is_mqtts("c1")
        };
        for (resource, name, permission) in [
            ("queue", "mqtt-subscription-c1qos0", "configure"),
            ("queue", "mqtt-subscription-c1qos1", "write"),
            ("queue", "mqtt-subscription-c1qos1", "read"),
            ("queue", "mqtt-will-c1", "configure"),
            ("exchange", "amq.topic", "read"),
            ("exchange", "amq.topic", "write"),
        ] {
            assert!(is_mqtts(resource, name, permission), "{name}");
        }
        for (resource, name, permission) in [
            ("queue", "mqtt-subscription-c2qos1", "read"),
            ("queue", "mqtt-subscription-c1", "read"),
            ("queue", "mqtt-subscription-c1qos2", "read"),
            ("queue", "mqtt-will-c2", "configure"),
            ("queue", "orders", "read"),
            ("queue", "mqtt-subscription-c1qos1", "delete"),
            ("exchange", "amq.topic", "configure"),
            ("exchange", "amq.direct", "write"),
            ("exchange", "", "write"),
            ("topic", "amq.topic", "write"),
        ] {
            assert!(!is_mqtts(resource, name, permission), "{resource} {name}");
        }
    }

    #[test]
    fn another_virtual_host_and_reserved_topics_are_nobodys() {
        let vhosts = [Vhost::usual(), Vhost::parse("plant 1").unwrap()];
        let is_asked_of = |vhosts: &[Vhost], last: &str, more: &str| {
            let form = format!("username=dev1%40acme&tags=cs.1.1.1&client_id=c1&{more}");
            let fields = Fields::of_form(form.as_bytes()).unwrap();
            question(last, &fields, vhosts).is_some()
        };
        let is_asked = |last: &str, more: &str| is_asked_of(&vhosts, last, more);
        let topic = "resource=topic&name=amq.topic&variable_map.client_id=c1";
        let topic = format!("{topic}&permission=read&routing_key=acme.x");
        for (last, more) in [
            ("user", "password=x"),
            ("vhost", "ip=127.0.0.1"),
            (
                "resource",
                "resource=exchange&name=amq.topic&permission=read",
            ),
            ("topic", &topic),
        ] {
            for (vhost, may_be) in [
                ("&vhost=%2F", true),
                ("&vhost=plant%201", true),
                ("&vhost=plant%202", false),
                ("&vhost=", false),
                // RabbitMQ does not tell it at each login.
                ("", last == "user"),
            ] {
                let more = format!("{more}{vhost}");
                assert_eq!(is_asked(last, &more), may_be, "{last} {more}");
                assert!(
                    vhost.is_empty() || !is_asked_of(&[], last, &more),
                    "{last} {more}"
                );
            }
        }
        for (permission, key, may_be) in [
            ("write", "acme.x", true),
            ("write", "$x.acme", false),
            ("read", "$x.acme", true),
        ] {
            let topic = "vhost=%2F&resource=topic&name=amq.topic&variable_map.client_id=c1";
            let more = format!("{topic}&permission={permission}&routing_key={key}");
            assert_eq!(is_asked("topic", &more), may_be, "{permission} {key}");
        }
    }

    #[test]
    fn a_routing_key_is_a_topic() {
        assert_eq!(topic_of("acme.*.state"), "acme/+/state");
        assert_eq!(topic_of("acme.#"), "acme/#");
        assert_eq!(topic_of("acme.a.b"), "acme/a/b");
    }
}
