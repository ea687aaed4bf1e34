//! Quality of service (MQTT 5.0 §4.3).

use core::fmt;

/// How hard broker and client try to deliver a message (MQTT 5.0 §4.3).
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum QoS {
    /// QoS 0: the message may be lost.
    AtMostOnce,
    /// QoS 1: the message may arrive twice.
    AtLeastOnce,
    /// QoS 2: the message arrives once.
    ExactlyOnce,
}

impl QoS {
    /// The number as the protocol writes it.
    #[must_use]
    pub const fn as_u8(self) -> u8 {
        match self {
            Self::AtMostOnce => 0,
            Self::AtLeastOnce => 1,
            Self::ExactlyOnce => 2,
        }
    }
}

impl TryFrom<u8> for QoS {
    type Error = QosError;

    fn try_from(number: u8) -> Result<Self, QosError> {
        match number {
            0 => Ok(Self::AtMostOnce),
            1 => Ok(Self::AtLeastOnce),
            2 => Ok(Self::ExactlyOnce),
            _ => Err(QosError { number }),
        }
    }
}

impl fmt::Display for QoS {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.as_u8().fmt(f)
    }
}

/// A number is not a valid quality of service (MQTT 5.0 §3.3.1.2).
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("`{number}` is not a valid QoS; write 0, 1 or 2")]
pub struct QosError {
    number: u8,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_numbers_are_a_qos_and_no_other() {
        for number in 0..=u8::MAX {
            assert_eq!(
                QoS::try_from(number).map(QoS::as_u8).ok(),
                (number < 3).then_some(number)
            );
        }
    }

    #[test]
    fn a_higher_number_is_a_greater_qos() {
        assert!(QoS::AtMostOnce < QoS::AtLeastOnce);
        assert!(QoS::AtLeastOnce < QoS::ExactlyOnce);
    }
}
