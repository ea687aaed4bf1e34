//! What `cargo xtask instructions` has Valgrind count: one kind of work of a
//! gate, again and again, in [`measured`].

mod rig;

use std::hint::black_box;

use rig::{Result, Rig};

fn main() -> Result<()> {
    let mut arguments = std::env::args().skip(1);
    let work = arguments.next().ok_or("what is to be done?")?;
    let count: usize = arguments.next().ok_or("how often?")?.parse()?;
    let folder = tempfile::tempdir()?;
    let mut rig = Rig::new(folder.path(), count)?;
    match &*work {
        "nothing" => measured(count, |_| ()),
        "connect-known" => {
            rig.log_everybody_in()?;
            measured(count, |index| rig.connect_and_leave(index));
        }
        "connect-not-kept" => {
            rig.log_everybody_in()?;
            rig.start_again()?;
            rig.connect_and_leave(count);
            measured(count, |index| rig.connect_and_leave(index));
        }
        "connect-unknown-token" => {
            rig.connect_and_leave(count);
            measured(count, |index| rig.connect_unknown(index));
        }
        "publish" => {
            rig.connect(count);
            measured(count, |index| rig.publish(count, index));
        }
        "deliver" => {
            rig.connect(count);
            measured(count, |index| rig.deliver(count, index));
        }
        "poll" => measured(count, |_| rig.poll()),
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
