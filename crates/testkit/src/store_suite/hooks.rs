//! Hooks of other brokers.

use countersign_core::hook::{Hook, HookKind, HookName, Kick, KickUrl};
use countersign_core::seal::Sealed;
use countersign_core::secret::{Secret, SecretDigest};
use countersign_core::store::rows::HookRows as _;
use countersign_core::store::{AdminStore, GateStore, Intent, all_rows};

use super::{at, commit, look, tenant, tenant_id};

/// All of a hook is kept and written over; it is listed by name, and goes with its
/// tenant.
pub fn a_hook_reads_back_as_it_was_written_and_goes_with_its_tenant(
    mut store: impl GateStore + AdminStore,
) {
    let of_nobody = Hook {
        tenant: Some(tenant_id("none")),
        ..hook("lost")
    };
    let mut transaction = store.begin(Intent::Write).unwrap();
    assert!(transaction.put_hook(&of_nobody).is_err());
    drop(transaction);
    let of_acme = Hook {
        tenant: Some(tenant_id("acme")),
        from: vec!["10.0.0.0/8".parse().unwrap(), "::1".parse().unwrap()],
        kick: Some(Kick {
            url: KickUrl::parse("http://127.0.0.1:18083").unwrap(),
            login: Some(Sealed::from_bytes(vec![1, 2, 3])),
        }),
        ..hook("b")
    };
    let plain = hook("a");
    commit(&mut store, &[], |transaction| {
        transaction.put_tenant(&tenant("acme"))?;
        transaction.put_hook(&hook("b"))?;
        transaction.put_hook(&of_acme)?;
        transaction.put_hook(&plain)
    });
    look(&mut store, |transaction| {
        assert_eq!(transaction.hook(&name("b"))?, Some(of_acme.clone()));
        assert_eq!(transaction.hook(&name("c"))?, None);
        let listed = all_rows(|page| transaction.hooks(page))?;
        assert_eq!(listed, [plain.clone(), of_acme.clone()]);
        Ok(())
    });
    commit(&mut store, &[], |transaction| {
        transaction.delete_tenant(&tenant_id("acme"))
    });
    commit(&mut store, &[], |transaction| {
        assert_eq!(transaction.hook(&name("b"))?, None);
        assert!(transaction.remove_hook(&name("a"))?);
        assert!(!transaction.remove_hook(&name("a"))?);
        Ok(())
    });
}

fn name(text: &str) -> HookName {
    HookName::parse(text).unwrap()
}

fn hook(text: &str) -> Hook {
    Hook {
        name: name(text),
        kind: HookKind::Emqx,
        tenant: None,
        from: Vec::new(),
        digest: SecretDigest::of(&Secret::new(text.into())),
        kick: None,
        vhosts: Vec::new(),
        created_at: at(1),
        rotated_at: at(2),
    }
}
