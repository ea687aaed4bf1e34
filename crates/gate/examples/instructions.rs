//! What `cargo xtask instructions` has Valgrind count: one kind of work of a
//! gate, again and again, in [`measured`].

mod fixture;

use std::hint::black_box;

use fixture::{Fixture, Result, Rules};

fn main() -> Result<()> {
    let mut arguments = std::env::args().skip(1);
    let work = arguments.next().ok_or("what is to be done?")?;
    let count: usize = arguments.next().ok_or("how often?")?.parse()?;
    let folder = tempfile::tempdir()?;
    let rules = match &*work {
        "connect-known-with-roles" => Rules::Own,
        _ => Rules::Default,
    };
    let mut fixture = Fixture::new(folder.path(), count, rules)?;
    match &*work {
        "nothing" => measured(count, |_| ()),
        "connect-known" | "connect-known-with-roles" => {
            fixture.log_everybody_in()?;
            measured(count, |index| fixture.connect_and_leave(index));
        }
        "connect-not-kept" => {
            fixture.log_everybody_in()?;
            fixture.start_again()?;
            fixture.connect_and_leave(count);
            measured(count, |index| fixture.connect_and_leave(index));
        }
        "connect-unknown-token" => {
            fixture.connect_and_leave(count);
            measured(count, |index| fixture.connect_unknown(index));
        }
        "publish" => {
            fixture.connect(count);
            measured(count, |index| fixture.publish(count, index));
        }
        "publish-denied" => {
            fixture.connect(count);
            measured(count, |index| fixture.publish_elsewhere(count, index));
        }
        "publish-denied-anew" => {
            fixture.connect(count);
            measured(count, |index| fixture.publish_anywhere(count, index));
        }
        "deliver" => {
            fixture.connect(count);
            measured(count, |index| fixture.deliver(count, index));
        }
        "poll" => measured(count, |_| fixture.poll()),
        other => return Err(format!("nobody knows how to do `{other}`").into()),
    }
    Ok(())
}

/// Does it so often. Valgrind counts in here alone.
#[inline(never)]
fn measured(count: usize, mut work: impl FnMut(usize)) {
    for index in 0..count {
        work(black_box(index));
    }
}
