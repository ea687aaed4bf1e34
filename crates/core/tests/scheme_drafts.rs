//! New credentials of the built-in schemes (rows T1–T8, I3–I15 and
//! V1–V26 of `docs/behaviours.md`).

#![expect(clippy::unwrap_used, reason = "all of this is tests")]

use std::collections::BTreeMap;

use countersign_core::client_id::ClientIdRule;
use countersign_core::name::{LoginName, TenantId};
use countersign_core::scheme::{
    CredentialDraft, DraftError, DraftRequest, DraftSecret, FieldValue, GivenSecret, RandomError,
    RandomSource, Scheme, Schemes, Shape,
};
use countersign_core::secret::Secret;

/// Counts up, so that whatever is made twice differs.
struct Counting(u8);

impl RandomSource for Counting {
    fn fill(&mut self, buffer: &mut [u8]) -> Result<(), RandomError> {
        for byte in buffer {
            self.0 = self.0.wrapping_mul(5).wrapping_add(17);
            *byte = self.0;
        }
        Ok(())
    }
}

/// A request to a scheme, with little said.
#[derive(Default)]
struct Asked<'a> {
    name: Option<&'a str>,
    password: Option<&'a str>,
    client_id: Option<&'a str>,
    attributes: &'a [(&'a str, &'a str)],
}

impl Asked<'_> {
    fn of(self, scheme: &str) -> Result<CredentialDraft, DraftError> {
        let known = Schemes::built_in();
        self.of_one(known.find(scheme).unwrap(), &known)
    }

    fn of_one(self, scheme: &Scheme, known: &Schemes) -> Result<CredentialDraft, DraftError> {
        let password = self.password.map(|text| Secret::new(text.into()));
        let rule = self
            .client_id
            .map(|text| ClientIdRule::parse(text).unwrap());
        let pairs = self.attributes.iter();
        let attributes = pairs
            .map(|(key, value)| ((*key).into(), (*value).into()))
            .collect();
        let request = DraftRequest {
            tenant: &TenantId::parse("acme").unwrap(),
            name: self.name,
            keeps_at: false,
            secret: password
                .as_ref()
                .map_or(GivenSecret::Made, GivenSecret::Chosen),
            client_id_rule: rule.as_ref(),
            attributes: &attributes,
        };
        scheme.draft(&request, known, &mut Counting(0))
    }

    fn refusal(self, scheme: &str) -> String {
        self.of(scheme).err().unwrap().to_string()
    }
}

fn nameless() -> Asked<'static> {
    Asked::default()
}

fn named(name: &str) -> Asked<'_> {
    Asked {
        name: Some(name),
        ..Asked::default()
    }
}

fn chosen<'a>(name: &'a str, password: &'a str) -> Asked<'a> {
    Asked {
        password: Some(password),
        ..named(name)
    }
}

fn has_shape(text: &str, shape: &str) -> bool {
    Shape::parse(shape).unwrap().matches(text)
}

/// The secret that was made, if one was.
fn made(draft: &CredentialDraft) -> Option<&str> {
    match &draft.secret {
        DraftSecret::Chosen | DraftSecret::TakenOver | DraftSecret::Weak => None,
        DraftSecret::Generated(secret) => Some(core::str::from_utf8(secret.expose()).unwrap()),
    }
}

fn auth_type(draft: &CredentialDraft) -> &'static str {
    draft.auth_type.map_or("", |it| it.as_str())
}

#[test]
fn a_request_that_says_nothing_is_refused_where_names_are_given() {
    for scheme in ["basic", "impact", "vwire-token", "application"] {
        assert_eq!(
            nameless().refusal(scheme),
            format!("scheme `{scheme}` makes no names; give one")
        );
        assert_eq!(
            named("").refusal(scheme),
            "`` can't be a name: a name can't be empty"
        );
    }
}

#[test]
fn basic_appends_the_tenant_and_takes_a_secret_or_makes_one() {
    let draft = named("dev1").of("basic").unwrap();
    assert_eq!(draft.name.as_str(), "dev1@acme");
    assert!(has_shape(made(&draft).unwrap(), "cs_[0-9a-f]{32}"));
    assert_eq!(draft.client_id, ClientIdRule::Any);
    assert_eq!(draft.attributes, BTreeMap::new());
    assert_eq!(auth_type(&draft), "");

    assert_eq!(made(&chosen("a@b", "x").of("basic").unwrap()), None);
    assert_eq!(
        chosen("a@b", "x").of("basic").unwrap().name.as_str(),
        "a@b@acme"
    );
    for bad in ["a+b", "a#b", " a", "a\nb", "#SN#a"] {
        assert!(named(bad).of("basic").is_err(), "{bad:?}");
    }
    assert!(named(&"x".repeat(250)).of("basic").is_ok());
    assert_eq!(
        named("a").of("basic").unwrap().attributes.len(),
        0,
        "nothing is filled"
    );
    assert!(
        named(&"x".repeat(251))
            .refusal("basic")
            .contains("this one has 256")
    );
}

#[test]
fn generated_makes_everything_and_binds_the_client_id() {
    let draft = nameless().of("generated").unwrap();
    let ClientIdRule::Exact(client_id) = &draft.client_id else {
        panic!("{:?}", draft.client_id);
    };
    assert!(has_shape(draft.name.as_str(), "[0-9]{15}"));
    assert!(has_shape(client_id.as_str(), "[0-9]{15}"));
    assert!(has_shape(made(&draft).unwrap(), "[0-9a-f]{30}"));

    let given = named("357890055321856").of("generated").unwrap();
    assert_eq!(given.name.as_str(), "357890055321856");
    assert_eq!(
        named("35789005532185").refusal("generated"),
        "`35789005532185` has not the shape `[0-9]{15}` that names of this scheme have"
    );
    assert!(chosen("357890055321856", "secret").of("generated").is_err());
}

#[test]
fn impact_keeps_a_given_secret_and_writes_the_name_in_upper_case() {
    let draft = chosen("testP", "MixedCase1").of("impact").unwrap();
    assert_eq!(draft.name.as_str(), "TESTP");
    assert_eq!(auth_type(&draft), "U");
    assert_eq!(made(&draft), None);
    assert!(has_shape(&draft.attributes["token"], "[0-9a-z]{12}"));
    assert!(!draft.attributes.contains_key("serial"));

    let draft = named("US5591USRS91").of("impact").unwrap();
    assert_eq!(auth_type(&draft), "S");
    assert_eq!(made(&draft).unwrap().len(), 44);
    assert!(has_shape(
        made(&draft).unwrap(),
        "[A-Za-z0-9+/]{42}[AEIMQUYcgkosw048]="
    ));

    assert_eq!(
        named("straße").refusal("impact"),
        "a name of this scheme is written in upper case, and `ß` can't be"
    );
    assert!(named("a@b").refusal("impact").contains("`@`"));
}

#[test]
fn impact_makes_name_and_secret_where_sn_asks_for_them() {
    let serial = "86a39134-e151-4490-aff1-3d7e994151d1";
    let asked = format!("#SN#{serial}");
    // The password is ignored, and so is its length.
    for password in [None, Some("abc"), Some(""), Some("long enough")] {
        let draft = Asked {
            password,
            ..named(&asked)
        }
        .of("impact")
        .unwrap();
        assert_eq!(auth_type(&draft), "SN");
        assert!(has_shape(draft.name.as_str(), "SN-[A-Z0-9]{12}"));
        assert_eq!(made(&draft).unwrap().len(), 44);
        assert_eq!(draft.attributes["serial"], serial);
        assert!(draft.attributes.contains_key("token"));
    }
    let bare = named("#SN#").of("impact").unwrap();
    assert_eq!(auth_type(&bare), "SN");
    assert!(!bare.attributes.contains_key("serial"));
    // Only this prefix, in this case, asks for it.
    for other in ["#sn#x", "x#SN#", "#SN"] {
        assert!(
            named(other).refusal("impact").contains("can't hold `#`"),
            "{other}"
        );
    }
    assert!(
        named("#SN#a/b")
            .refusal("impact")
            .starts_with("`a/b` can't be a level of topics")
    );
    for bad in ["#SN#+", "#SN#a#", "#SN# a", "#SN#a\0"] {
        assert!(named(bad).of("impact").is_err(), "{bad:?}");
    }
}

#[test]
fn impact_measures_the_name_first_and_as_it_was_given() {
    let too_long = "'username' can not be more than 50 chars";
    assert_eq!(named(&"x".repeat(51)).refusal("impact"), too_long);
    assert!(named(&"ü".repeat(50)).of("impact").is_ok());
    assert_eq!(chosen(&"x".repeat(51), "abcd").refusal("impact"), too_long);
    let serial = format!("#SN#{}", "1".repeat(47));
    assert_eq!(named(&serial).refusal("impact"), too_long);
    let serial = format!("#SN#{}", "1".repeat(46));
    assert!(named(&serial).of("impact").is_ok());
    for (password, refused) in [
        ("", "'password' can not be less than 5 chars"),
        ("abcd", "'password' can not be less than 5 chars"),
        (&"x".repeat(51), "'password' can not be more than 50 chars"),
    ] {
        assert_eq!(chosen("dev1", password).refusal("impact"), refused);
    }
    assert!(chosen("dev1", "abcde").of("impact").is_ok());
    assert!(chosen("dev1", &"x".repeat(50)).of("impact").is_ok());
}

#[test]
fn vwire_makes_device_id_and_token_and_keeps_the_id_as_device() {
    for scheme in ["vwire", "vwire-compat"] {
        let draft = nameless().of(scheme).unwrap();
        assert!(has_shape(draft.name.as_str(), "V[WU]-[A-Z0-9]{6}"));
        assert!(has_shape(made(&draft).unwrap(), "at_[0-9a-f]{32}"));
        assert_eq!(draft.attributes["device"], draft.name.as_str());
        let strict = scheme == "vwire";
        let rule = if strict {
            ClientIdRule::SameAsUsername
        } else {
            ClientIdRule::Any
        };
        assert_eq!(draft.client_id, rule);
        assert_eq!(
            named("VU-ABC123").of(scheme).unwrap().name.as_str(),
            "VU-ABC123"
        );
        assert!(named("VX-ABC123").of(scheme).is_err());
        assert!(chosen("VU-ABC123", "secret").of(scheme).is_err());
    }
}

#[test]
fn a_vwire_token_is_told_from_the_handle_of_its_device() {
    let draft = named("greenhouse").of("vwire-token").unwrap();
    assert_eq!(draft.name.as_str(), "greenhouse@acme");
    assert_eq!(draft.attributes["device"], "greenhouse");
    assert_eq!(draft.client_id, ClientIdRule::SameAsSecret);
    assert!(has_shape(
        made(&draft).unwrap(),
        "dt_[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}"
    ));
    assert!(
        named("green/house")
            .refusal("vwire-token")
            .contains("can't be a level of topics")
    );
}

#[test]
fn a_thing_of_an_application_is_tied_at_first_use() {
    let draft = named("thing1").of("application").unwrap();
    assert_eq!(draft.name.as_str(), "thing1");
    assert_eq!(draft.attributes["thing_key"], "thing1");
    assert_eq!(draft.client_id, ClientIdRule::FirstUse);
    assert_eq!(made(&draft).unwrap().len(), 32);
    // Nobody takes a name out of the name space of another tenant.
    for foreign in ["dev1@other", "dev1@", "jane@mail.test"] {
        assert!(
            named(foreign).refusal("application").contains("`@`"),
            "{foreign}"
        );
    }
}

#[test]
fn what_a_scheme_fills_can_not_be_set_by_hand() {
    for (scheme, name, attribute) in [
        ("vwire", "VW-ABC123", "device"),
        ("vwire-token", "dev1", "device"),
        ("application", "dev1", "thing_key"),
    ] {
        let attributes = &[(attribute, "x")];
        let refused = Asked {
            attributes,
            ..named(name)
        }
        .refusal(scheme);
        let expected = format!("attribute `{attribute}` is filled by scheme `{scheme}`");
        assert!(refused.starts_with(&expected), "{refused}");
    }
    let attributes = &[("token", "x"), ("line", "1")];
    let draft = Asked {
        attributes,
        ..named("dev1")
    }
    .of("basic")
    .unwrap();
    assert_eq!(draft.attributes["token"], "x");
    assert_eq!(draft.attributes["line"], "1");
}

#[test]
fn the_rule_for_client_ids_is_the_schemes_unless_it_leaves_it_open() {
    let asked = |name, rule| Asked {
        client_id: Some(rule),
        ..named(name)
    };
    let draft = asked("dev1", "prefix:x-").of("basic").unwrap();
    assert_eq!(draft.client_id, ClientIdRule::parse("prefix:x-").unwrap());
    assert_eq!(
        asked("VW-ABC123", "any").refusal("vwire"),
        "scheme `vwire` binds client ids by its own rule, `same-as-username`"
    );
    assert!(asked("dev1", "any").of("vwire-token").is_err());
    assert!(
        asked("357890055321856", "exact:123")
            .of("generated")
            .is_err()
    );
    assert!(
        asked("357890055321856", "exact:357890055321856")
            .of("generated")
            .is_ok()
    );
}

#[test]
fn a_scheme_of_ones_own_makes_a_prefix() {
    let text = |text: &str| FieldValue::Text(text.into());
    let scheme = Scheme::from_fields([
        ("name", text("edge")),
        ("login_name", text("generated")),
        ("login_name_shape", text("[0-9]{15}")),
        ("client_id", text("prefix")),
        ("client_id_shape", text("[0-9]{15}_")),
        ("secret_shape", text("[0-9a-f]{32}")),
    ]);
    let draft = nameless()
        .of_one(&scheme.unwrap(), &Schemes::built_in())
        .unwrap();
    let ClientIdRule::Prefix(prefix) = draft.client_id else {
        panic!("{:?}", draft.client_id);
    };
    assert!(has_shape(prefix.as_str(), "[0-9]{15}_"));
}

/// What comes of taking over a secret: `digest`, `weak`, or the refusal.
fn taken_over(scheme: &Scheme, secret: &str, may_be_weak: bool) -> String {
    taken_over_for("x", scheme, secret, may_be_weak)
}

fn taken_over_for(name: &str, scheme: &Scheme, secret: &str, may_be_weak: bool) -> String {
    let known = Schemes::built_in();
    let name = LoginName::parse(name).unwrap();
    let secret = Secret::new(secret.into());
    let given = GivenSecret::TakenOver {
        secret: &secret,
        may_be_weak,
    };
    match scheme.draft_secret(&name, given, &known, &mut Counting(0)) {
        Ok(DraftSecret::TakenOver) => "digest".into(),
        Ok(DraftSecret::Weak) => "weak".into(),
        Ok(DraftSecret::Chosen | DraftSecret::Generated(_)) => "made".into(),
        Err(error) => error.to_string(),
    }
}

#[test]
fn a_secret_is_taken_over_in_the_form_that_its_source_gives_out() {
    let known = Schemes::built_in();
    let uuid = "dt_7f3a1c9e-2b84-1d6f-c913-c5e28f01b774";
    let (shortest, longest) = (format!("at_{}", "0".repeat(16)), "f".repeat(60));
    for (scheme, secret, is_taken) in [
        ("vwire", &*shortest, true),
        ("vwire", &format!("at_{longest}"), true),
        ("vwire-compat", &shortest, true),
        ("vwire", "at_000000000000000", false),
        ("vwire", &format!("at_{longest}0"), false),
        ("vwire", &shortest.to_uppercase(), false),
        ("vwire", "", false),
        // A UUID of any version.
        ("vwire-token", uuid, true),
        (
            "vwire-token",
            "dt_7f3a1c9e-2b84-1d6f-c913-c5e28f01b77",
            false,
        ),
        ("generated", &"0".repeat(30), true),
        ("generated", &"0".repeat(31), false),
        (
            "impact",
            "iJ6ZIaJNUsILm3WGNr55LDDCV3iQ+RjmOcQbY2IGquY=",
            true,
        ),
        ("plain", &format!("cs_{}", "0".repeat(32)), true),
        ("basic", "hunter2", false),
    ] {
        let came = taken_over(known.find(scheme).unwrap(), secret, false);
        if is_taken {
            assert_eq!(came, "digest", "{scheme} {secret}");
        } else {
            let refused = format!("the secret is not one that scheme `{scheme}` takes over; ");
            assert!(came.starts_with(&refused), "{came}");
            assert!(secret.is_empty() || !came.contains(secret), "{came}");
        }
    }
}

#[test]
fn a_secret_under_64_bits_is_taken_over_as_a_weak_one_alone() {
    let scheme = scheme_of(&[("accepts_shape", "[0-9]{4,20}")]);
    assert_eq!(
        taken_over(&scheme, "1234", false),
        "a secret of this shape carries 13 random bits at most, and 64 are needed"
    );
    assert_eq!(taken_over(&scheme, "1234", true), "weak");
    // 20 digits are 66 bits.
    for (digits, came) in [(19, "weak"), (20, "digest")] {
        assert_eq!(taken_over(&scheme, &"7".repeat(digits), true), came);
    }
    // Nor is it, where its name has a shape of which all others cost a digest alone.
    for name in ["VW-ABC123", "at_00000000000000000000000000000000"] {
        let came = taken_over_for(name, &scheme, "1234", true);
        assert!(came.ends_with("it can't have a chosen password"), "{came}");
        let came = taken_over_for(name, &scheme, &"7".repeat(20), true);
        assert_eq!(came, "digest");
    }
    // Names of that scheme don't tell by the time they cost whether they are there.
    let mut known = Schemes::built_in();
    known.add(scheme).unwrap();
    assert!(!known.form_of("d-123456").is_cheap());
    assert!(known.form_of("VW-ABC123").is_cheap());
}

/// A scheme with these fields instead of its own or besides.
fn scheme_of(changes: &[(&'static str, &str)]) -> Scheme {
    let fields = [
        ("name", "x"),
        ("login_name", "generated"),
        ("login_name_shape", "d-[0-9]{6}"),
        ("client_id", "any"),
        ("secret_shape", "[0-9a-f]{32}"),
    ];
    let fields = fields
        .iter()
        .filter(|(key, _)| changes.iter().all(|(other, _)| other != key))
        .chain(changes)
        .map(|(key, text)| (*key, FieldValue::Text((*text).into())));
    Scheme::from_fields(fields).unwrap()
}

#[test]
fn an_attribute_that_a_scheme_fills_is_taken_over_in_its_form() {
    let ask = |attribute, value| {
        Asked {
            attributes: &[(attribute, value)],
            ..named("dev1")
        }
        .of("impact")
    };
    for token in ["1jylmg8lwa1cy", "a", "0123456789ab"] {
        let draft = ask("token", token).unwrap();
        assert_eq!(draft.attributes["token"], token);
    }
    for token in ["", "1jylmg8lwa1cyz", "A", "a/b", "+", "#", "a b"] {
        let refused = ask("token", token).err().unwrap().to_string();
        assert!(
            refused.contains("`[0-9a-z]{12}` or `[0-9a-z]{1,13}`"),
            "{refused}"
        );
    }
    assert_eq!(ask("serial", "86a3").unwrap().attributes["serial"], "86a3");
    assert!(ask("serial", "a/b").is_err());
}

#[test]
fn names_and_client_ids_are_taken_over_in_their_form() {
    for (name, is_taken) in [
        ("123456789012", true),
        ("1234567890123456789", true),
        ("12345678901", false),
        ("12345678901234567890", false),
        ("12345678901a", false),
    ] {
        let secret = Secret::new("0".repeat(30).into());
        let rule = ClientIdRule::parse(&format!("exact:{name}")).unwrap();
        let known = Schemes::built_in();
        let scheme = known.find("generated").unwrap();
        let draft = |secret| {
            let request = DraftRequest {
                tenant: &TenantId::parse("acme").unwrap(),
                name: Some(name),
                keeps_at: false,
                secret,
                client_id_rule: Some(&rule),
                attributes: &BTreeMap::new(),
            };
            scheme.draft(&request, &known, &mut Counting(0)).is_ok()
        };
        let taken_over = GivenSecret::TakenOver {
            secret: &secret,
            may_be_weak: false,
        };
        assert_eq!(draft(taken_over), is_taken, "{name}");
        assert!(!draft(GivenSecret::Made), "{name}");
    }
}

#[test]
fn a_name_that_is_taken_as_it_is_keeps_its_at_sign_if_that_is_asked_for() {
    let known = Schemes::built_in();
    for (scheme, keeps_at, is_taken) in [
        ("plain", true, true),
        ("plain", false, false),
        ("impact", true, false),
        ("application", true, false),
        ("vwire", true, false),
    ] {
        let request = DraftRequest {
            tenant: &TenantId::parse("acme").unwrap(),
            name: Some("jane@mail.test"),
            keeps_at,
            secret: GivenSecret::Made,
            client_id_rule: None,
            attributes: &BTreeMap::new(),
        };
        let scheme = known.find(scheme).unwrap();
        let draft = scheme.draft(&request, &known, &mut Counting(0));
        assert_eq!(draft.is_ok(), is_taken, "{}", scheme.name());
    }
}
