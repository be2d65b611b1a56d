use super::*;

const NOW: Duration = Duration::from_secs(100);

fn facts(accepted: &BTreeSet<u32>) -> Facts<'_> {
    Facts {
        primary: Some(2),
        accepted,
        wanted: true,
        can_open: true,
        random: 7,
        now: NOW,
    }
}

fn stamp(count: u64) -> Stamp {
    Stamp { run: 1, count }
}

/// What the other says first, with an offer of its own.
fn word(count: u64, offered: Option<Round>) -> Word {
    Word {
        stamp: stamp(count),
        wants: true,
        current: None,
        offered,
        standing: Vec::new(),
        highest: 0,
    }
}

fn round(number: u64, generation: u32) -> Round {
    Round {
        epoch: Epoch { number, random: 1 },
        generation,
    }
}

#[test]
fn nothing_is_sealed_with_what_does_not_stand_at_the_other() {
    let accepted = [1, 2, 3].into();
    let mut pair = Pair::default();
    pair.attend(&facts(&accepted));
    let said = pair.speak(stamp(1), true, NOW).unwrap();
    let offered = said.offered.unwrap();
    assert_eq!((said.current, offered.generation), (None, 2));
    assert!(pair.rounds().is_empty());

    let answer = Word {
        standing: vec![offered],
        highest: offered.epoch.number,
        ..word(1, None)
    };
    assert!(pair.hear(&answer, &facts(&accepted)));

    assert_eq!(pair.current(), Some(offered));
    assert_eq!(pair.rounds(), [(Direction::Out, offered)]);
    assert!(pair.is_fresh(Direction::Out, offered));
}

#[test]
fn an_older_word_counts_for_nothing_and_an_epoch_stands_once() {
    let accepted = [1, 2, 3].into();
    let mut pair = Pair::default();
    assert!(pair.hear(&word(5, Some(round(3, 2))), &facts(&accepted)));
    assert!(!pair.hear(&word(5, Some(round(4, 2))), &facts(&accepted)));
    assert!(!pair.hear(&word(4, Some(round(4, 2))), &facts(&accepted)));
    pair.placed(Direction::In, round(3, 2));
    assert_eq!(pair.rounds(), [(Direction::In, round(3, 2))]);

    pair.lost(Direction::In, round(3, 2), NOW);
    pair.hear(&word(6, Some(round(3, 2))), &facts(&accepted));

    assert!(
        pair.rounds().is_empty(),
        "its replay window would begin anew"
    );
    let said = pair.speak(stamp(1), true, NOW).unwrap();
    assert_eq!((said.highest, said.standing), (3, Vec::new()));
}

#[test]
fn a_key_that_is_not_known_is_not_taken_and_one_that_is_dropped_goes_at_once() {
    let mut accepted: BTreeSet<u32> = [1, 2, 3].into();
    let mut pair = Pair::default();
    pair.hear(&word(1, Some(round(1, 9))), &facts(&accepted));
    assert!(pair.rounds().is_empty());
    pair.hear(&word(2, Some(round(2, 1))), &facts(&accepted));
    assert_eq!(pair.rounds(), [(Direction::In, round(2, 1))]);

    accepted.remove(&1);
    pair.attend(&facts(&accepted));

    assert!(pair.rounds().is_empty());
}

#[test]
fn what_the_other_gave_up_stays_for_packets_on_their_way() {
    let accepted = [1, 2, 3].into();
    let mut pair = Pair::default();
    pair.hear(&word(1, Some(round(1, 2))), &facts(&accepted));
    pair.hear(&word(2, Some(round(2, 2))), &facts(&accepted));
    let switched = Word {
        current: Some(round(2, 2)),
        ..word(3, None)
    };
    pair.hear(&switched, &facts(&accepted));
    assert_eq!(pair.rounds().len(), 2);

    let later = Facts {
        now: NOW + INBOUND_GRACE,
        ..facts(&accepted)
    };
    pair.attend(&later);

    assert_eq!(pair.rounds(), [(Direction::In, round(2, 2))]);
}

#[test]
fn offers_without_end_fill_neither_kernel_nor_words() {
    let accepted = [1, 2, 3].into();
    let mut pair = Pair::default();
    for number in 1..1000 {
        pair.hear(&word(number, Some(round(number, 2))), &facts(&accepted));
    }

    assert_eq!(pair.rounds().len(), MOST);
    assert_eq!(pair.rounds()[MOST - 1], (Direction::In, round(999, 2)));
}

#[test]
fn two_that_no_longer_need_each_other_stop_after_a_while() {
    let accepted = [1, 2, 3].into();
    let mut pair = Pair::default();
    pair.attend(&facts(&accepted));
    let offered = pair.speak(stamp(1), true, NOW).unwrap().offered.unwrap();
    let answer = Word {
        wants: false,
        standing: vec![offered],
        ..word(1, None)
    };
    pair.hear(&answer, &facts(&accepted));
    let at = |now| Facts {
        wanted: false,
        now,
        ..facts(&accepted)
    };

    pair.attend(&at(NOW));
    assert_eq!(pair.current(), Some(offered));
    pair.attend(&at(NOW + LINGER));
    pair.attend(&at(NOW + LINGER + OUTBOUND_GRACE));

    assert_eq!(pair.current(), None);
    assert!(pair.rounds().is_empty());
}

#[test]
fn words_become_rarer_while_nobody_answers() {
    let accepted = [1, 2, 3].into();
    let mut pair = Pair::default();
    pair.attend(&facts(&accepted));
    let mut now = NOW;
    let mut count = 0;
    while now < NOW + Duration::from_mins(1) {
        count += u64::from(pair.speak(stamp(count), true, now).is_some());
        now = pair.next().unwrap();
    }

    assert!((12..20).contains(&count), "{count}");
}
