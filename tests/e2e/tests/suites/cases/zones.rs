//! Time zones: those of the image, whatever the machine has.

use e2e::Op;

use crate::ledger::{NAME, STAGE};

#[test]
fn the_images_time_zones_and_not_the_machines() {
    let turn = STAGE.enter();
    let mut ledger = turn.gateway(NAME);
    for (zone, offset) in [("Asia/Seoul", "+09:00"), ("Asia/Kolkata", "+05:30"), ("UTC", "Z")] {
        let time = ledger.call(Op::Evaluate, &["In", zone]).unwrap();
        assert!(time.ends_with(offset), "{zone}: {time}");
    }
    // Go asks this place before all others; elsewhere each machine has its own.
    let zones = ledger.call(Op::Evaluate, &["Env", "ZONEINFO"]).unwrap();
    let launcher = turn.launcher.dir().to_string_lossy().into_owned();
    assert!(zones.starts_with(&launcher), "{zones}");
    let seoul = ledger.call(Op::Evaluate, &["Files", &format!("{zones}/Asia/Seoul")]).unwrap();
    assert!(seoul.ends_with("/Asia/Seoul"), "{zones} has no Asia/Seoul");
    assert_eq!(ledger.call(Op::Evaluate, &["Env", "TZ"]).unwrap(), "UTC");
}
